/*
 * expand - recipients to final ones: aliases of aliases, then the way for each.
 *
 * Iterative, with a list of what is still to look at. Loops, depth and number are limited; a final recipient that is
 * reached twice appears once.
 * Commands, files and lists of alias_maps are final recipients of their own.
 */
#ifndef LOOKUPD_EXPAND_H
#define LOOKUPD_EXPAND_H

#include "decide.h"
#include "ipc/messages.h"

/* `routes` must fit into a frame beside the rest of the answer; a text of an answer is shorter than this. */
enum { EXPAND_ROUTES_MAX = 76 << 10, EXPAND_NODES_MAX = 100000 };

struct routes {
	struct buf raw;
	struct strs list; /* ROUTE_PARTS strings for each final recipient; lies in raw */
};

static inline void routes_free(struct routes *r)
{
	buf_free(&r->raw);
}
#define scoped_routes __attribute__((cleanup(routes_free)))

/* Code 250 and `out` (empty before), or why not: then `out` is undefined. */
struct reply expand(struct policy *p, uint32_t authority, struct str sender, const struct strs *given, struct routes *out);
/* The same for one recipient that decide_recipient has taken: would it be expanded? */
struct reply expand_check(struct policy *p, struct str recipient);

/*
 * Does the alias of this address have this command, file or list among its values, and may it? 250, 550, or 451 when the tables
 * cannot answer.
 */
struct reply expand_has_target(struct policy *p, struct str address, struct str target);

#endif
