#include "penalty.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/net.h"

struct entry {
	int64_t last_ms;
	unsigned failures;
	uint64_t tried[4]; /* the latest different ones */
};

/* A full table forgets what is old; a flood from many networks at once is then counted anew. */
static void make_room(struct penalties *p, int64_t now_ms)
{
	size_t at = 0;
	struct str key;
	void *v;

	if (p->by_network.n < PENALTY_ENTRIES_MAX)
		return;
	while (table_next(&p->by_network, &at, &key, &v))
		if (now_ms - ((struct entry *)v)->last_ms > PENALTY_FORGET_MS)
			free(table_remove(&p->by_network, key));
	if (p->by_network.n >= PENALTY_ENTRIES_MAX)
		penalty_free(p);
}

static bool tried_before(const struct entry *e, uint64_t what)
{
	for (size_t i = 0; i < COUNT(e->tried); i++)
		if (e->tried[i] == what)
			return true;
	return false;
}

int64_t penalty_add(struct penalties *p, struct str address, uint64_t what, int64_t now_ms, int64_t base_ms,
		    int64_t most_ms)
{
	char room[NET_TEXT_MAX];
	struct str key = net_owner(address, room);
	struct entry *e = table_get(&p->by_network, key);

	if (!e) {
		make_room(p, now_ms);
		e = calloc(1, sizeof(*e));
		ASSERT(e);
		table_set(&p->by_network, key, e);
	}
	if (now_ms - e->last_ms > PENALTY_FORGET_MS)
		*e = (struct entry){ 0 };
	e->last_ms = now_ms;
	if (e->failures == 0 || !tried_before(e, what)) {
		e->tried[e->failures % COUNT(e->tried)] = what;
		e->failures++;
	}
	int64_t delay = base_ms > 0 && e->failures > 16 ? most_ms : base_ms << (e->failures - 1);
	return delay > most_ms ? most_ms : delay;
}

bool penalty_is_barred(const struct penalties *p, struct str address, int64_t now_ms, int64_t most_failures)
{
	char room[NET_TEXT_MAX];
	const struct entry *e = table_get(&p->by_network, net_owner(address, room));

	return most_failures > 0 && e && e->failures >= most_failures && now_ms - e->last_ms <= PENALTY_FORGET_MS;
}

void penalty_free(struct penalties *p)
{
	size_t at = 0;
	void *v;

	while (table_next(&p->by_network, &at, NULL, &v))
		free(v);
	table_free(&p->by_network);
}
