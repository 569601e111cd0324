/*
 * command - what stands behind the verb in EHLO, HELO, MAIL and RCPT.
 *
 * Grammar only: whether a size, a sender or a recipient is welcome is the caller's to decide. On failure `why` is the
 * reply to give. Spaces behind the colon are tolerated; all slices lie in the input.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/path.h"
#include "smtp/reply.h"

enum command_body { BODY_UNSTATED, BODY_7BIT, BODY_8BITMIME };

struct command_mail {
	struct path from; /* both parts empty: the null sender */
	bool has_size;
	uint64_t size; /* what the client says, in octets (RFC 1870); UINT64_MAX when it is more */
	enum command_body body;
	bool has_auth;
	struct str auth; /* still in xtext, "<>" when the client does not know (RFC 4954, 5) */
};

/* "FROM:<a@b> SIZE=n BODY=7BIT|8BITMIME AUTH=xtext" (RFC 5321 4.1.1.2, 1870, 6152, 4954). */
bool command_mail_parse(struct str args, struct command_mail *out, struct reply *why);

/* "TO:<a@b>" (RFC 5321, 4.1.1.3). No parameter is known. */
bool command_rcpt_parse(struct str args, struct path *out, struct reply *why);

/*
 * The name in EHLO or HELO: a domain (a dot at its end is tolerated), or a literal, of which only the brackets and the
 * kind of characters are checked, since clients get the rest wrong. At most 255 octets.
 */
bool command_helo_parse(struct str args, struct str *name, struct reply *why);

#endif
