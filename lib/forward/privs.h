/* privs - the account of default_privs. */
#ifndef FORWARD_PRIVS_H
#define FORWARD_PRIVS_H

#include "base/buf.h"

struct privs {
	char *name; /* NULL: there is no such account, or it is root's */
	uint32_t uid, gid;
};

/* Looks it up in the account database, replacing what was there. Where that can be read: before the fence. */
void privs_find(struct privs *p, struct str name);
static inline bool privs_is(const struct privs *p, struct str user)
{
	return p->name && str_eq(str_from(p->name), user);
}

#endif
