/* commands - the protocol as a table: which verb, when, who handles it. */
#ifndef SMTPD_COMMANDS_H
#define SMTPD_COMMANDS_H

#include "session.h"

/* What a command needs beside its state; the first one that is missing gives the reply. */
enum need {
	NEED_LMTP = 1,	      /* only there */
	NEED_SMTP = 2,	      /* not in LMTP */
	NEED_PRIVACY = 4,     /* TLS, where the service insists on it */
	NEED_LOGIN = 8,	      /* where the service is for users only */
	NEED_CLEARTEXT = 16,  /* TLS is offered and has not begun */
	NEED_AUTH_OFFERED = 32,
	NEED_NO_LOGIN = 64,
};

struct command {
	const char *verb;
	unsigned states; /* enum state */
	unsigned needs;	 /* enum need */
	bool junk;	 /* does nothing: too many in a row are errors */
	/* args: behind the verb, trimmed. A reply with code 0: the answer comes later. */
	struct reply (*run)(struct session *s, struct str args);
};

extern const struct command commands[];
extern const size_t commands_n;

/* Runs one command line. */
struct reply command_dispatch(struct session *s, struct str line);

struct reply cmd_ehlo(struct session *s, struct str args);
struct reply cmd_helo(struct session *s, struct str args);
struct reply cmd_starttls(struct session *s, struct str args);
struct reply cmd_auth(struct session *s, struct str args);
struct reply cmd_mail(struct session *s, struct str args);
struct reply cmd_rcpt(struct session *s, struct str args);
struct reply cmd_data(struct session *s, struct str args);
struct reply cmd_rset(struct session *s, struct str args);
struct reply cmd_noop(struct session *s, struct str args);
struct reply cmd_vrfy(struct session *s, struct str args);
struct reply cmd_expn(struct session *s, struct str args);
struct reply cmd_help(struct session *s, struct str args);
struct reply cmd_quit(struct session *s, struct str args);

/* The client's next line while SASL goes on. */
struct reply auth_line(struct session *s, struct str line);
/* Octets of the message; returns how many it took. */
size_t data_input(struct session *s, struct str wire);

#endif
