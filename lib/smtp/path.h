/*
 * path - the addresses of an envelope as they stand in MAIL and RCPT (RFC 5321, 4.1.2).
 *
 * Nothing is allocated or repaired: the slices lie in the input. Local part: dot-string or quoted string, at most 64
 * octets. Domain: labels of letters, digits, '-' and '_' (never legal, but in use), or an address literal [1.2.3.4] or
 * [IPv6:...]; at most 255 octets. The whole path is at most 256 octets with its brackets. A source route is checked and
 * thrown away (RFC 5321, appendix C).
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/buf.h"
#include "base/err.h"

enum {
	PATH_LOCAL_MAX = 64,
	PATH_DOMAIN_MAX = 255,
	PATH_LABEL_MAX = 63,
	PATH_OCTETS_MAX = 256,
};

enum path_flags {
	PATH_NULL = 1,	     /* "<>" is allowed: both slices empty */
	PATH_POSTMASTER = 2, /* "<postmaster>" is allowed: domain empty */
	PATH_UTF8 = 4,	     /* well-formed UTF-8 is allowed in both parts (RFC 6531) */
};

struct path {
	struct str local;  /* as written: quotes and backslashes included */
	struct str domain; /* as written: brackets of a literal included */
};

/*
 * Eats a path from `in`. False: `err` says what was expected, `in` begins at the bad byte, `out` holds the parts taken
 * before it.
 */
bool path_parse(struct str *in, unsigned flags, struct path *out, struct err *err);

/* Eats a domain name (no literal). False: `in` begins at the bad byte. */
bool path_take_domain(struct str *in, unsigned flags, struct str *out);

/*
 * Adds the one text that all spellings of the same path share: no needless quote or backslash, the domain in lower
 * case; "" for the null path, "postmaster" for that one. The case of the local part is kept. False when `out` is full;
 * nothing is added then.
 */
bool path_canonical(const struct path *path, struct buf *out);

#endif
