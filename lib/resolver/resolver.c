#include "resolver/resolver.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "dns/packet.h"
#include "ipc/messages.h"
#include "resolver/engine.h"

enum { FORWARDS_MAX = 16, NO_NAME = 3 };

struct resolver {
	struct loop *loop;
	struct engine *engine;
	struct question *questions;
	size_t n;
};

/* A peer's question, until it is answered. */
struct question {
	struct question *next, **prev;
	struct resolver *resolver;
	struct channel *from; /* NULL: gone */
	uint32_t serial;
	uint16_t type;
	char name[DNS_NAME_MAX + 1];
	struct timer limit;
	int id;
	bool answered; /* the engine was too slow: what it says now is for its cache alone */
};

static void answer(struct channel *ch, uint32_t serial, struct dns_answer m)
{
	if (ch)
		channel_answer(ch, serial, &dns_answer_schema, &m);
}

static void refuse(struct channel *ch, uint32_t serial, const char *why)
{
	answer(ch, serial, (struct dns_answer){ .result = DNS_FAILED, .why = str_from(why) });
}

static void question_free(struct question *q)
{
	timer_stop(&q->limit);
	*q->prev = q->next;
	if (q->next)
		q->next->prev = q->prev;
	q->resolver->n--;
	free(q);
}

static const char *why_failed(const struct engine_answer *a, unsigned rcode)
{
	static const char *const names[] = { [0] = "malformed answer",
					     [1] = "FORMERR",
					     [2] = "Host not found, try again",
					     [4] = "NOTIMP",
					     [5] = "REFUSED" };

	if (a->bogus)
		return "the answer is bogus (DNSSEC)";
	return rcode < COUNT(names) && names[rcode] ? names[rcode] : "no answer";
}

static void tell(struct question *q, const struct engine_answer *a)
{
	struct dns_answer_set set = { 0 };
	bool whole = dns_packet_parse(a->packet, str_from(q->name), q->type, &set);
	/* the engine's own word counts where there is no packet */
	unsigned rcode = whole && a->rcode == 0 ? set.rcode : (unsigned)a->rcode;
	bool sure = !a->bogus && whole && (rcode == 0 || rcode == NO_NAME);
	struct dns_answer m = { .result = DNS_FAILED, .secure = a->secure };

	if (!sure)
		m.why = str_from(why_failed(a, rcode));
	else
		m.result = rcode == NO_NAME ? DNS_NO_NAME : set.records.n ? DNS_FOUND : DNS_NO_DATA;
	if (sure) {
		m.ttl = set.ttl;
		m.canonical = str_from(set.canonical);
		m.records = set.records;
	}
	if (set.raw.n > IPC_FRAME_MAX - 1024)
		m = (struct dns_answer){ .result = DNS_FAILED, .why = STR("the answer is too large") };
	answer(q->from, q->serial, m);
	dns_answer_set_free(&set);
}

static void on_answer(void *arg, const struct engine_answer *a)
{
	struct question *q = arg;

	if (!q->answered)
		tell(q, a);
	question_free(q);
}

/* The engine goes on, so that the next one who asks may find the answer in the cache. */
static void too_late(void *arg)
{
	struct question *q = arg;

	q->answered = true;
	refuse(q->from, q->serial, "no answer in time");
}

void resolver_take(struct resolver *r, struct channel *ch, uint32_t serial, const struct dns_ask *m, size_t most)
{
	if (!dns_name_ok(m->name)) {
		channel_break(ch, "a name that is none");
		return;
	}
	if (r->n >= most) {
		refuse(ch, serial, "too many questions at a time");
		return;
	}
	struct question *q = calloc(1, sizeof(*q));
	ASSERT(q);
	*q = (struct question){ .next = r->questions,
				.prev = &r->questions,
				.resolver = r,
				.from = ch,
				.serial = serial,
				.type = m->type };
	if (q->next)
		q->next->prev = &q->next;
	r->questions = q;
	r->n++;
	snprintf(q->name, sizeof(q->name), "%.*s", STR_ARG(m->name));
	timer_set(&q->limit, r->loop, m->most_ms, too_late, q);
	if (!engine_ask(r->engine, q->name, q->type, on_answer, q, &(int){ 0 })) {
		refuse(ch, serial, "the resolver cannot be asked");
		question_free(q);
	}
}

void resolver_forget(struct resolver *r, struct channel *ch)
{
	for (struct question *q = r->questions; q; q = q->next)
		if (q->from == ch)
			q->from = NULL;
}

static const char *const *take_forwards(struct str value, struct arena *arena)
{
	const char **list = arena_alloc(arena, (FORWARDS_MAX + 1) * sizeof(*list));
	struct str item;

	for (size_t n = 0; n < FORWARDS_MAX && conf_list_next(&value, &item); n++)
		list[n] = arena_str(arena, item).p;
	return list;
}

struct resolver *resolver_new(struct loop *loop, const struct resolver_facts *facts, struct err *anchor,
			      struct err *err)
{
	scoped_arena struct arena tmp = { 0 };
	struct resolver *r = calloc(1, sizeof(*r));
	bool system = str_eq(facts->forward, STR("system"));
	struct engine_facts engine = { .system = system,
				       .forwards = system ? NULL : take_forwards(facts->forward, &tmp),
				       .cache_bytes = facts->cache_bytes };

	ASSERT(r);
	r->loop = loop;
	if (facts->anchor_file.n > 0) {
		const char *name = arena_str(&tmp, facts->anchor_file).p;
		FILE *f = fopen(name, "re");
		if (!f)
			err_errno(anchor,
				  "resolver_trust_anchor_file %s: nothing is validated (Debian: package dns-root-data)",
				  name);
		else
			fclose(f);
		engine.anchor = f ? name : NULL;
	}
	r->engine = engine_new(loop, &engine, err);
	if (r->engine)
		return r;
	free(r);
	return NULL;
}
