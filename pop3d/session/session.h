/* session - one user's POP3 session after the login (RFC 1939): sequential, in the user's own process. */
#ifndef POP3SESSION_SESSION_H
#define POP3SESSION_SESSION_H

#include "mbox/mbox.h"
#include "wire.h"

struct session {
	struct wire wire;
	struct mbox *box;
	bool *deleted; /* by index of box->messages */
	size_t n_deleted;
	bool over;
};

/* Runs it on a connected socket, from "+OK" to the end, with the mail folder `home`. `input`: what has come already. */
void session_run(int fd, struct str input, int home);
/* One command line. */
void session_command(struct session *s, struct str line);

#endif
