/* access - tables of restrictions: which keys are tried, in Postfix's order (access(5)). */
#ifndef LOOKUPD_ACCESS_H
#define LOOKUPD_ACCESS_H

#include "address.h"
#include "smtp/restrict.h"

enum { ACCESS_NAME_MAX = 512 };

/* The table of that name among those that restrictions may ask; NULL: it is none of them. */
const struct maps *access_table(struct policy *p, struct str spec);

/*
 * Client: the name and its parents, then the address and its networks by octets. Name: it and its parents. Address:
 * user+ext@domain, user@domain, the domain and its parents, user+ext@, user@; "<>" for the empty one. A parent is tried
 * as it is and with a dot before it. Of tables of patterns only the whole name and the whole address are asked.
 */
enum dict_result access_find(struct policy *p, const struct maps *table, enum access_key kind, struct str name,
			     struct str address, struct buf *value);

#endif
