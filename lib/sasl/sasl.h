/*
 * sasl - the server's side of a login: PLAIN (RFC 4616) and LOGIN, as states without I/O. Lines come in and go out as
 * the base64 text that SMTP, POP3 and IMAP share; the protocol's own wrapping ("334 ", "+ ") is the caller's.
 *
 * Whether the password is right, and whether authcid may act as authzid, is for the caller to find out.
 */
#ifndef SASL_SASL_H
#define SASL_SASL_H

#include "base/buf.h"

enum { SASL_NAME_MAX = 256, SASL_PASSWORD_MAX = 1024, SASL_MECHANISMS = 2 };

enum sasl_result {
	SASL_CONTINUE,	/* send s->challenge, feed the answer to sasl_step */
	SASL_DONE,	/* s->authzid, s->authcid, s->password are set */
	SASL_CANCELLED, /* the client sent "*" */
	SASL_FAILED,	/* s->why says it; the state is wiped */
};

struct sasl;

struct sasl_mechanism {
	struct str name; /* as announced */
	/* The base64 challenge of step 0, 1 ...; p is NULL when there is no such step. */
	struct str challenges[3];
	/* Takes the decoded answer to the challenge of this step. */
	bool (*take)(struct sasl *s, struct str answer);
};

extern const struct sasl_mechanism sasl_mechanisms[SASL_MECHANISMS];

/* Do not copy one that is in use: the slices point into it. */
struct sasl {
	const struct sasl_mechanism *mechanism;
	unsigned step;
	struct str challenge; /* base64, perhaps empty */
	struct str authzid;   /* empty: the same as authcid */
	struct str authcid;
	struct str password;
	const char *why;
	size_t used;
	char store[2 * SASL_NAME_MAX + SASL_PASSWORD_MAX + 2];
};

/* The mechanism of that name in any case, or NULL. */
const struct sasl_mechanism *sasl_find(struct str name);

/*
 * Begins. `initial` is the client's initial response in base64, "=" an empty one, and {0} none. Names are non-empty (but
 * authzid) UTF-8 without control characters, at most SASL_NAME_MAX octets; a password is non-empty UTF-8 without NUL, at
 * most SASL_PASSWORD_MAX octets. An unknown mechanism fails.
 */
enum sasl_result sasl_start(struct sasl *s, struct str mechanism, struct str initial);

/* The client's next line, without its line end. */
enum sasl_result sasl_step(struct sasl *s, struct str line);

/* Wipes all. Safe at any time after sasl_start, and twice. */
void sasl_end(struct sasl *s);

#endif
