/*
 * forward - the files that say where mail goes on: a user's .forward, and the :include: lists of aliases.
 *
 * To be called in a process with the rights of the user (of default_privs, for lists of aliases). Limits: 64 KiB and 2,000
 * items in all, 16 files, nested or not. What is no item is passed over, and told.
 */
#ifndef FORWARD_FORWARD_H
#define FORWARD_FORWARD_H

#include "ipc/messages.h"

struct forward_who {
	struct str user;
	struct str home;      /* of the account */
	uint32_t uid;	      /* who may own a .forward, beside root */
	struct str delimiter; /* of extensions */
	bool commands, files; /* a .forward may have them */
};

struct forward {
	struct buf raw;
	struct strs targets; /* addresses, "|command", "/file", "\\" for the user's own mailbox */
	struct buf told;     /* what a person should know, in one line; when there is no answer: why */
};

static inline void forward_free(struct forward *f)
{
	buf_free(&f->raw);
	buf_free(&f->told);
}
#define scoped_forward __attribute__((cleanup(forward_free)))

enum forward_result {
	FORWARD_NONE,  /* there is none, or it cannot be trusted, or says nothing: the mailbox is meant */
	FORWARD_FOUND, /* `targets` */
	FORWARD_LATER,
};

/*
 * Reads ~/.forward+extension when `recipient` is user+extension@domain, else or when that is not there ~/.forward. It counts when it is
 * a regular file of the user or of root, and nobody else may write to it or to the home.
 */
enum forward_result forward_user(const struct forward_who *who, struct str recipient, struct forward *out);
/* A list of an alias, ":include:/file": addresses only. A file that everybody may write to is not read. Never FORWARD_NONE. */
enum forward_result forward_list(struct str target, struct forward *out);
bool forward_has(const struct forward *f, struct str target);

#endif
