/*
 * evil - a taken-over daemon. It stands in the place of a real one, so that master wires, fences and feeds it alike, and
 * then tries what a daemon must not be able to do. What comes of it goes to stderr, a line for each act:
 *
 *	evil WHO ACT: refused EPERM
 *	evil WHO ACT: SUCCEEDED detail
 */
#ifndef T_EVIL_EVIL_H
#define T_EVIL_EVIL_H

#include <sys/types.h>

#include "proc/daemon.h"

struct evil {
	const char *who;    /* for the lines */
	const char *daemon; /* in whose place */
	const char *dir;    /* of the instance: TAYORI_EVIL_DIR */
	struct run *run;
	pid_t victim;	    /* another process of this uid, behind the same fence */
	unsigned start;	    /* of this service, counted from 0 */
	unsigned tickets, turn, answered;
	char detail[160]; /* of what succeeded */
};

enum act_kind {
	ACT_CALL = 1,	/* any answer of the kernel but EPERM and ENOSYS means that the call got through */
	ACT_PARENT = 2, /* a spawner must not be able to do it either */
	ACT_ACCOUNT = 4 /* nor accountd or commandd */
};

struct act {
	const char *name;
	bool (*run)(struct evil *e); /* false: refused, with errno */
	int kind;
	const char *own; /* daemons whose own business it is */
};

extern const struct act acts[];
extern const size_t n_acts;

/* How an act went; `status` of the process that tried, or -1 when it told its result: ok, error. */
void evil_tell(const struct evil *e, const char *act, int kind, bool ok, int error, int status);
/* A value of the environment; empty when it is not set. */
const char *evil_env(const char *name);
/* A parent of processes of users. */
bool evil_is_spawner(const char *daemon);

/* Each act in a process of its own that enters the fence of this daemon and tries it; in `prepare`. */
void evil_fenced(struct evil *e);
/* Each act without any fence, to show that it is the fence that refuses. */
void evil_free(struct evil *e);
/* As a spawner, behind its fence: each act in a child as it makes them for users. */
void evil_spawned(struct evil *e);

/* On its channels, in `begin`. The first start asks for what it must not have; each later one breaks all its channels. */
enum { EVIL_BREAKS = 14 };
void evil_channels(struct evil *e);
/* As the front of IMAP, to the parent of its sessions. */
void evil_sleepers(struct evil *e);
/* For acts on channels: how it went; an answer that did not come is no refusal; a ticket for a login. */
void evil_act(struct evil *e, const char *act, bool succeeded, const char *text);
void evil_must(bool answered, const char *what);
bool evil_log_in(struct evil *e, const char *user, const char *password, char ticket[80]);
/* Sends for TAYORI_EVIL_MS as much as goes. */
void evil_flood(struct evil *e);
/* What it answers to those who ask it. */
const struct daemon_client *evil_clients(const char *daemon, size_t *n);

#endif
