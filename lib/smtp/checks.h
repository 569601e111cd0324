/*
 * checks - restrictions at work: facts about a client in, a reply out, and in between questions that somebody else asks
 * (of lookupd, of the DNS). Pure: it waits for nothing.
 *
 *	checks_begin(&c, lists);
 *	for (next = checks_next(&c, &facts, NULL, &ask); next != CHECKS_DONE; next = checks_next(&c, &facts, &answer, &ask))
 *		... ask, and put what comes into answer ...
 *	... c.reply ...
 *	checks_end(&c);
 */
#ifndef SMTP_CHECKS_H
#define SMTP_CHECKS_H

#include "base/buf.h"
#include "smtp/access.h"
#include "smtp/reply.h"

enum { CHECKS_RECORDS_MAX = 32, CHECKS_PREPEND_MAX = 8192 };

struct check_facts {
	struct str client;	  /* "name[address]" */
	struct str name, address; /* name: verified, or "unknown" */
	struct str reverse;	  /* what the address's own zone says, verified or not; empty: nothing */
	struct str helo, sender, recipient, login;
	bool has_sender, has_recipient;
	bool esmtp, at_data;
	bool input_waits; /* the client sent more than the command that is being answered */
	struct str mynetworks;
	/* A line for the log: "reject_warning", "450 4.7.1 <x>: ...". */
	void (*note)(void *arg, const char *word, struct str text);
	void *arg;
};

enum checks_next { CHECKS_DONE, CHECKS_ASK_TABLE, CHECKS_ASK_ADDRESS, CHECKS_ASK_LOGIN, CHECKS_ASK_DNS };

/* What to ask; the slices live until the next call, or in the facts. */
struct check_ask {
	struct str table; /* of CHECKS_ASK_TABLE */
	enum access_key kind;
	struct str name, address; /* the key */
	enum address_question
		what;  /* of CHECKS_ASK_ADDRESS, about `address`; CHECKS_ASK_LOGIN is about sender and login */
	uint16_t type; /* of CHECKS_ASK_DNS: 1 A, 15 MX, 16 TXT, 28 AAAA, of `name` */
};

enum check_found { CHECK_FOUND, CHECK_NOTHING, CHECK_NO_NAME /* of the DNS */, CHECK_TROUBLE };

struct check_answer {
	enum check_found found;			/* of a table, or of the DNS */
	struct str value;			/* of the table */
	struct reply verdict;			/* of an address or a login: code 250, or why not */
	struct str records[CHECKS_RECORDS_MAX]; /* as lib/dns has them */
	size_t n_records;
};

struct checks {
	const struct restrict_program *lists[RESTRICT_LISTS]; /* NULL: not asked now */
	unsigned list;
	size_t step;
	int state;		     /* of the step: which answer it waits for */
	struct restrict_program row; /* restrictions that the row of a table has named */
	size_t row_step;
	struct arena arena;
	char name[300];
	struct reply if_permit, if_reject; /* DEFER_IF_...: code 0 when not */
	/* the outcome */
	struct reply reply; /* code 0: nothing against it */
	bool discard, hold;
	struct buf prepend; /* header fields, each ended by LF */
};

/* `lists` are the caller's and stay until checks_end. */
void checks_begin(struct checks *c, const struct restrict_program *const lists[RESTRICT_LISTS]);
/* `answer`: to the last question; NULL at first. */
enum checks_next checks_next(struct checks *c, const struct check_facts *f, const struct check_answer *answer,
			     struct check_ask *ask);
void checks_end(struct checks *c);

/* Is an address in a list such as "127.0.0.0/8 [::1]/128"? The first that has it decides; "!" before it: no. */
bool checks_in_networks(struct str list, struct str address);

#endif
