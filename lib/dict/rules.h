/* rules - tables of which the first row that fits counts, with if and endif: pcre, regexp, cidr. Private to lib/dict. */
#ifndef DICT_RULES_H
#define DICT_RULES_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/net.h"
#include "dict/inner.h"

enum { RULES_DEPTH_MAX = 50 };

struct rule {
	bool is_if, negated;
	bool never; /* an "if" that could not be read: nothing in it counts */
	size_t line;
	size_t next;	 /* the index to go on with when it does not fit: of an "if" behind its endif */
	struct str text; /* the pattern as written */
	struct str value;
	pcre2_code *code;
	struct net net;
};

struct rules {
	const struct rules_kind *kind;
	struct rule *list;
	size_t n, room;
	/* of patterns */
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

/* What is asked for. */
struct rules_key {
	struct str text;
	struct net address;
};

struct rules_kind {
	size_t most; /* rules */
	/* Takes the pattern that *line begins with; the rest follows it at once. NULL, or why it cannot be read. */
	const char *(*take)(struct str *line, struct rule *r);
	/* NULL, or why it cannot be the value of a row. May be NULL. */
	const char *(*value)(const struct rule *r, struct str value);
	/* 1: fits, 0: does not, -1 with err: cannot be said */
	int (*fits)(const struct rules *rules, const struct rule *r, const struct rules_key *key, struct err *err);
	/* The value of a row that fits. */
	enum dict_result (*give)(const struct rules *rules, const struct rule *r, const struct rules_key *key,
				 struct buf *value, struct err *err);
};

/* Reads the text of a whole table into c->rules. False with err: over a limit. */
bool rules_read(const struct rules_kind *kind, struct str text, struct content *c, struct err *err);
/* NULL is allowed. */
void rules_free(struct rules *r);
enum dict_result rules_get(const struct rules *rules, const struct rules_key *key, struct buf *value, struct err *err);
bool rules_each(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
		struct err *err);

enum dict_result cidr_get(const struct content *c, struct str key, struct buf *value, struct err *err);
enum dict_result pattern_get(const struct content *c, struct str key, struct buf *value, struct err *err);

extern const struct rules_kind cidr_rules, pcre_rules, regexp_rules;

#endif
