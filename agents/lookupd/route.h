/* route - the way of a final recipient: transport, next hop, mailbox user. */
#ifndef LOOKUPD_ROUTE_H
#define LOOKUPD_ROUTE_H

#include "decide.h"

struct way {
	struct str transport, nexthop, user;
};

/* Texts in `arena`. `sender`: of the message, for its relayhost. Code 250, or why there is no way now. */
struct reply route_find(struct policy *p, const struct address *a, struct str sender, struct arena *arena, struct way *out);

#endif
