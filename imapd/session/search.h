/* search - SEARCH's keys as a tree, and whether a message has them. */
#ifndef IMAPSESSION_SEARCH_H
#define IMAPSESSION_SEARCH_H

#include "commands.h"

enum { SEARCH_DEPTH_MAX = 50, SEARCH_KEYS_MAX = 2000 };

/* What must be read to know; in order of cost. */
enum search_level { LEVEL_ROW, LEVEL_FACTS, LEVEL_HEADER, LEVEL_BODY };

enum search_kind {
	KEY_AND, /* all of the children; of none: every message */
	KEY_OR,
	KEY_NOT,
	KEY_NUMBERS,
	KEY_UIDS,
	KEY_FLAG,
	KEY_KEYWORD,
	KEY_RECENT,
	KEY_MODSEQ,
	KEY_LARGER,
	KEY_SMALLER,
	KEY_BEFORE, /* date of arrival */
	KEY_ON,
	KEY_SINCE,
	KEY_SENT_BEFORE, /* the Date field's */
	KEY_SENT_ON,
	KEY_SENT_SINCE,
	KEY_FIELD,
	KEY_BODY,
	KEY_TEXT,
};

struct search_key {
	enum search_kind kind;
	struct search_key *child, *next;
	struct sequence set;
	uint32_t flags;	 /* FLAG: any of them */
	uint64_t number; /* LARGER, SMALLER, MODSEQ */
	int64_t day;
	struct str name; /* of a field or keyword */
	struct str text; /* folded */
};

enum search_return { SEARCH_MIN = 1, SEARCH_MAX = 2, SEARCH_ALL = 4, SEARCH_COUNT = 8 };

struct search {
	struct search_key *root;
	bool extended;	 /* RETURN was there: answer with ESEARCH */
	unsigned give;
	bool bad_charset;
	bool modseq;	 /* a key MODSEQ was there: its value is told */
	unsigned levels; /* bits: what its keys need */
};

/* " [RETURN (...)] [CHARSET x] keys" to the end. False: p->wrong is set, or out->bad_charset. */
bool search_parse(struct parse *p, struct search *out);

#endif
