/*
 * session - one user's IMAP session after the login (RFC 3501 and the extensions of commands.c): sequential, in the
 * user's own process, whose root is the mail folder.
 */
#ifndef IMAPSESSION_SESSION_H
#define IMAPSESSION_SESSION_H

#include "imapd/session/conf.h"
#include "mbox/view.h"
#include "wire.h"

struct session_start {
	int fd;		  /* the client's socket, or the front's end of a pair; blocking, with time limits */
	int parent;	  /* SOCK_SEQPACKET to the spawner, for sleep.h; -1: this session never sleeps */
	int home;	  /* the mail folder */
	struct str tag;	  /* of the login that has succeeded: the session answers it; empty when it wakes */
	struct str input; /* what the client has sent already */
	struct str state; /* of the session that fell asleep (state.h), else empty */
	const struct imapsession_conf *conf;
};

/* From the login's answer (or from waking) to the end, or to sleep. */
void session_run(const struct session_start *start);

enum session_enabled { ENABLED_CONDSTORE = 1, ENABLED_QRESYNC = 2, ENABLED_UTF8 = 4 };

struct session {
	struct wire wire;
	const struct imapsession_conf *conf;
	int parent, home;
	struct mbox_user *user;
	struct mbox_view *view; /* NULL: no folder is selected */
	size_t told;		/* EXISTS, as the client knows it */
	size_t told_recent;
	unsigned told_keywords; /* view->keywords_changed when FLAGS was sent */
	unsigned enabled;	/* enum session_enabled */
	unsigned bad_commands;
	struct buf idle_tag; /* not empty: in IDLE */
	struct body *body;   /* the message that was read last (body.h), since clients ask for its pieces */
	bool over, asleep;
};

#endif
