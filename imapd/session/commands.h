/*
 * commands - the protocol as a table: verb, states, what may be told at its end, handler. And what a handler works with.
 *
 * A handler parses its arguments from r->in, writes untagged answers to s->wire, and says the outcome with answer_*;
 * saying nothing means OK. The tagged line follows the news (report.h).
 */
#ifndef IMAPSESSION_COMMANDS_H
#define IMAPSESSION_COMMANDS_H

#include "parse.h"
#include "session.h"

enum { COMMANDS_BAD_MAX = 20 /* in a row; then the session ends */, TAG_MAX = 200 };

enum answer_status { ANSWER_OK, ANSWER_NO, ANSWER_BAD, ANSWER_NONE /* no tagged line: it comes later, or never */ };

struct request {
	struct parse in; /* what stands behind the verb, with the space before it */
	struct arena arena;
	struct str tag;
	const char *verb;
	bool uid; /* the UID form */
	enum answer_status status;
	struct buf code;  /* response code without brackets; empty: none */
	char text[240];	  /* empty: "done" */
	bool modseq;	  /* OK tells [HIGHESTMODSEQ n], as it is after the news */
};

/* All give false, so that a handler may `return answer_no(...)` where it has something to return. */
__attribute__((format(printf, 2, 3))) bool answer_ok(struct request *r, const char *format, ...);
/* `code` may be NULL. */
__attribute__((format(printf, 3, 4))) bool answer_no(struct request *r, const char *code, const char *format, ...);
/* With what the parser found wrong, or `text`. */
bool answer_bad(struct request *r, const char *text);
/* What lib/mbox has said; `missing` is the code for MBOX_MISSING ("NONEXISTENT", "TRYCREATE"). */
bool answer_mbox(struct request *r, enum mbox_result result, const struct err *err, const char *missing);

/* Nothing more may stand in the command. */
bool request_end(struct request *r);

/* Runs one command, given whole or up to APPEND's message, and answers it. */
void commands_run(struct session *s, struct str line, enum wire_got got);
/* " IMAP4rev1 ...": what CAPABILITY tells. */
void capabilities_put(const struct session *s, struct buf *out);
/* From now on modseqs are told. */
void session_enable(struct session *s, unsigned what);
/* The connection cannot go on: the last words for `got`, if any. */
void session_give_up(struct session *s, enum wire_got got);
/* Closes the selected folder, without a word. */
void session_unselect(struct session *s);

void cmd_capability(struct session *s, struct request *r);
void cmd_noop(struct session *s, struct request *r);
void cmd_logout(struct session *s, struct request *r);
void cmd_already(struct session *s, struct request *r);
void cmd_id(struct session *s, struct request *r);
void cmd_enable(struct session *s, struct request *r);
void cmd_idle(struct session *s, struct request *r);
void cmd_namespace(struct session *s, struct request *r);

void cmd_select(struct session *s, struct request *r);
void cmd_examine(struct session *s, struct request *r);
void cmd_close(struct session *s, struct request *r);
void cmd_unselect(struct session *s, struct request *r);
void cmd_expunge(struct session *s, struct request *r);

void cmd_create(struct session *s, struct request *r);
void cmd_delete(struct session *s, struct request *r);
void cmd_rename(struct session *s, struct request *r);
void cmd_subscribe(struct session *s, struct request *r);
void cmd_unsubscribe(struct session *s, struct request *r);
void cmd_status(struct session *s, struct request *r);
void cmd_list(struct session *s, struct request *r);
void cmd_lsub(struct session *s, struct request *r);

void cmd_append(struct session *s, struct request *r);
void cmd_fetch(struct session *s, struct request *r);
void cmd_store(struct session *s, struct request *r);
void cmd_copy(struct session *s, struct request *r);
void cmd_move(struct session *s, struct request *r);
void cmd_search(struct session *s, struct request *r);

#endif
