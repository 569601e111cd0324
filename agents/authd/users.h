/*
 * users - the virtual users of a passwd-file: lines
 *
 *	user@domain:hash[:uid:gid:comment:home]
 *
 * Empty lines and lines that begin with # are passed over. The hash is one of crypt(5), perhaps behind a {SCHEME} as
 * other programs write it; {PLAIN} and hashes that crypt(3) does not know are told and never match. Limits: 64 MiB,
 * a line of 2,048 octets.
 */
#ifndef AUTHD_USERS_H
#define AUTHD_USERS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"

enum { USERS_FILE_MAX = 64 << 20, USERS_LINE_MAX = 2048, USERS_NAME_MAX = 255 };

struct user {
	struct str name; /* canonical: lower case, with the domain */
	struct str hash; /* empty: cannot log in */
	struct str home; /* as given, or empty: the default place */
};

struct users {
	struct arena arena;
	struct table by_name;
	struct user *first; /* an example of the hashes in use, or NULL */
	size_t bad_lines;
	size_t first_bad;   /* its number */
};

/* Replaces what was there. The text is copied. */
void users_read(struct users *u, struct str text, struct str default_domain);
void users_free(struct users *u);
const struct user *users_find(const struct users *u, struct str canonical);

/*
 * The canonical form of a login or recipient name: lower case, the default domain added when it has none. False: it can
 * be no user's (too long, control octets, '/', a part that begins with '.').
 */
bool users_canonical(struct str name, struct str default_domain, struct buf *out);

#endif
