/* resolverd - the DNS for all daemons: one validating resolver, one cache. See resolverd.8. */
#include <stdio.h>
#include <stdlib.h>

#include "conf.h"
#include "dns/packet.h"
#include "engine.h"
#include "proc/daemon.h"

enum { FORWARDS_MAX = 16, NO_NAME = 3, SERVFAIL = 2, PEER_QUESTIONS = 200 };

struct resolverd {
	struct run *run;
	struct engine *engine;
	struct question *questions;
	size_t n;
};

/* A peer's question, until it is answered. */
struct question {
	struct question *next, **prev;
	struct resolverd *resolverd;
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
	q->resolverd->n--;
	free(q);
}

static const char *why_failed(const struct engine_answer *a, unsigned rcode)
{
	static const char *const names[] = { [0] = "malformed answer", [1] = "FORMERR", [2] = "Host not found, try again", [4] = "NOTIMP", [5] = "REFUSED" };

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

static void on_ask(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = ch->arg;
	struct resolverd *r = run->state;
	const struct dns_ask *m = message;
	const struct resolverd_conf *conf = run->conf;

	if (!dns_name_ok(m->name)) {
		channel_break(ch, "a name that is none");
		return;
	}
	if (r->n >= (size_t)conf->resolver_query_limit) {
		refuse(ch, serial, "too many questions at a time");
		return;
	}
	struct question *q = calloc(1, sizeof(*q));
	ASSERT(q);
	*q = (struct question){ .next = r->questions, .prev = &r->questions, .resolverd = r, .from = ch, .serial = serial, .type = m->type };
	if (q->next)
		q->next->prev = &q->next;
	r->questions = q;
	r->n++;
	snprintf(q->name, sizeof(q->name), "%.*s", STR_ARG(m->name));
	timer_set(&q->limit, run->loop, m->most_ms, too_late, q);
	if (!engine_ask(r->engine, q->name, q->type, on_answer, q, &(int){ 0 })) {
		refuse(ch, serial, "the resolver cannot be asked");
		question_free(q);
	}
}

static void joined(struct run *run, struct channel *ch)
{
	(void)run;
	ch->most_unanswered = PEER_QUESTIONS;
}

static void left(struct run *run, struct channel *ch)
{
	struct resolverd *r = run->state;

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

/* Files and libraries are behind the fence later. */
static bool prepare(struct run *run, struct err *err)
{
	const struct resolverd_conf *conf = run->conf;
	scoped_arena struct arena tmp = { 0 };
	struct resolverd *r = calloc(1, sizeof(*r));
	bool system = str_eq(conf->resolver_forward, STR("system"));
	struct engine_facts facts = { .system = system,
				      .forwards = system ? NULL : take_forwards(conf->resolver_forward, &tmp),
				      .cache_bytes = conf->resolver_cache_size };

	ASSERT(r);
	r->run = run;
	run->state = r;
	if (conf->resolver_trust_anchor_file.n > 0) {
		facts.anchor = arena_str(&tmp, conf->resolver_trust_anchor_file).p;
		FILE *f = fopen(facts.anchor, "re");
		if (!f)
			log_line(&run->log, LOG_WARNING, "warning: resolver_trust_anchor_file %s: %m: nothing is validated (Debian: package dns-root-data)", facts.anchor);
		else
			fclose(f);
		facts.anchor = f ? facts.anchor : NULL;
	}
	r->engine = engine_new(run->loop, &facts, err);
	run_forget_folders(run);
	return r->engine != NULL;
}

/* Other name servers or anchors need a fresh engine, before the fence: master starts the next process at once. */
static void reloaded(struct run *run, const void *old)
{
	const struct resolverd_conf *a = run->conf, *b = old;

	if (!str_eq(a->resolver_forward, b->resolver_forward) || !str_eq(a->resolver_trust_anchor_file, b->resolver_trust_anchor_file) ||
	    a->resolver_cache_size != b->resolver_cache_size)
		run_drained(run);
}

static const struct ipc_handler handlers[] = { { &dns_ask_schema, on_ask } };
static const struct daemon_client clients[] = {
	{ "smtpd", handlers, COUNT(handlers), joined, left },
	{ "smtp", handlers, COUNT(handlers), joined, left },
};

static const struct daemon resolverd = {
	.name = "resolverd",
	.params = resolverd_params,
	.n_params = &resolverd_params_n,
	.conf_size = sizeof(struct resolverd_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.reloaded = reloaded,
};

int main(int argc, char **argv)
{
	return daemon_run(&resolverd, argc, argv);
}
