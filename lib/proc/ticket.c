#include "proc/ticket.h"

#include <stdlib.h>

static void expired(void *arg)
{
	struct grant_kept *g = arg;

	table_remove(&g->tickets->by_ticket, str_from(g->ticket));
	ticket_free(g);
}

bool ticket_keep(struct tickets *t, const struct grant *m)
{
	if (t->by_ticket.n >= TICKETS_MAX || m->ticket.n < TICKET_LEAST || str_find(m->ticket, '\0') >= 0 ||
	    table_get(&t->by_ticket, m->ticket))
		return false;
	struct grant_kept *g = calloc(1, sizeof(*g));
	ASSERT(g);
	*g = (struct grant_kept){ .ticket = strndup(m->ticket.p, m->ticket.n),
				  .user = strndup(m->user.p ? m->user.p : "", m->user.n),
				  .home = strndup(m->home.p ? m->home.p : "", m->home.n),
				  .uid = m->uid,
				  .gid = m->gid,
				  .virtual_user = m->virtual_user,
				  .tickets = t };
	table_set(&t->by_ticket, m->ticket, g);
	timer_set(&g->expires, t->loop, TICKET_MS, expired, g);
	return true;
}

struct grant_kept *ticket_take(struct tickets *t, struct str ticket)
{
	struct grant_kept *g = table_remove(&t->by_ticket, ticket);

	if (g)
		timer_stop(&g->expires);
	return g;
}

void ticket_free(struct grant_kept *g)
{
	timer_stop(&g->expires);
	free(g->ticket);
	free(g->user);
	free(g->home);
	free(g);
}
