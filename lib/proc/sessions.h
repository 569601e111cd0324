/*
 * sessions - the parent of session processes, whatever the protocol: authd grants, a front shows the ticket, and a process
 * of the user takes the connection.
 *
 * A session may sleep (IMAP): its state lies with the front, it has no process, and only its owner is remembered here.
 * It is woken by the front when the client speaks, and by us when one of the folders changes that it named before.
 * A daemon of this kind is a declaration: see pop3d/session/main.c. Its run->state is a struct sessions.
 */
#ifndef PROC_SESSIONS_H
#define PROC_SESSIONS_H

#include "base/hash.h"
#include "proc/spawn.h"
#include "proc/ticket.h"
#include "proc/watcher.h"

/* What the process of a session starts from. */
struct session_child {
	int fd;		  /* the client's connection, or the front's end of a pair: blocking, `timeout_ms` on both ways */
	int parent;	  /* to us: session_watch, session_sleep */
	int home;	  /* the mail folder */
	struct str tag, input, state; /* as session_open and session_wake have them */
	const void *conf;
};

struct sessions_protocol {
	const char *name; /* "pop3", for people */
	bool sleeps;	  /* the front keeps connections, and hears of their sessions */
	struct spawn_rules (*rules)(const void *conf);
	int64_t (*timeout_ms)(const void *conf);
	int64_t (*most)(const void *conf);	 /* processes at a time */
	void (*body)(const struct session_child *child); /* in the process of the user */
};

struct sessions {
	struct run *run;
	const struct sessions_protocol *protocol;
	struct tickets tickets;
	struct session_entry *entries;
	struct session_leaver *leavers;
	struct table by_id; /* channel and id */
	struct watcher watcher;
	size_t n_processes;
};

/* For the daemon's prepare, child_ended, who, kick. */
void sessions_prepare(struct sessions *s, struct run *run, const struct sessions_protocol *p);
void sessions_child_ended(struct run *run, pid_t pid, int status);
uint32_t sessions_who(struct run *run, int file);
uint32_t sessions_kick(struct run *run, struct str user);

/* Who asks, and for what: for the table of the daemon's clients. */
extern const struct ipc_handler sessions_from_authd[1], sessions_from_front[3];
void sessions_front_left(struct run *run, struct channel *ch);

#endif
