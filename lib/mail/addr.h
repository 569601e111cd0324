/*
 * addr - a bare address (local@domain, no brackets), as it stands in a queue record or a table, for look-ups.
 *
 * All slices lie in the input. Comments, folding white space and obsolete forms (RFC 5322, 4.4) are no addresses here.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include "base/buf.h"

enum { ADDR_LOCAL_MAX = 64, ADDR_DOMAIN_MAX = 255, ADDR_OCTETS_MAX = 254, ADDR_LABEL_MAX = 63 };

/*
 * Splits at the last '@' that stands in no quoted string. False without one: `local` is then the whole text, `domain`
 * empty. Nothing is checked.
 */
bool addr_split(struct str text, struct str *local, struct str *domain);

/* Adds the text with ASCII letters in lower case: the key under which tables have it. False when `out` is full. */
bool addr_key(struct str text, struct buf *out);

/*
 * Splits "user+ext" at the first character of `delimiters`. False, and `user` is all of `local`, when there is none, when
 * it is the first character, or for names that are no user with an extension: postmaster, mailer-daemon, double-bounce,
 * and, when '-' is a delimiter, owner-LIST and LIST-request. The extension may be empty.
 */
bool addr_extension(struct str local, struct str delimiters, struct str *user, struct str *extension);

/*
 * A mailbox of RFC 5321, 4.1.2, of ASCII, within its limits: dot-string or quoted string, domain (with '_' tolerated) or
 * address literal.
 */
bool addr_valid(struct str text);

#endif
