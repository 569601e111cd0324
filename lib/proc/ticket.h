/* ticket - who may have a session: authd grants, the front shows the ticket, once and soon. */
#ifndef PROC_TICKET_H
#define PROC_TICKET_H

#include "base/hash.h"
#include "proc/daemon.h"

enum { TICKETS_MAX = 1000, TICKET_MS = 30000, TICKET_LEAST = 16 };

struct grant_kept {
	char *ticket, *user, *home;
	uint32_t uid, gid;
	bool virtual_user;
	struct timer expires;
	struct tickets *tickets;
};

struct tickets {
	struct loop *loop;
	struct table by_ticket;
};

/* False: too many, too short, or one that is there already. */
bool ticket_keep(struct tickets *t, const struct grant *g);
/* Takes it out; the caller frees it. NULL: no such ticket (any more). */
struct grant_kept *ticket_take(struct tickets *t, struct str ticket);
void ticket_free(struct grant_kept *g);

#endif
