/* resolverd - the DNS for all daemons: one validating resolver, one cache. See resolverd.8. */
#include <stdlib.h>

#include "conf.h"
#include "proc/daemon.h"
#include "resolver/resolver.h"

enum { PEER_QUESTIONS = 200 };

struct resolverd {
	struct resolver *resolver;
};

static void on_ask(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = ch->arg;
	struct resolverd *r = run->state;
	const struct resolverd_conf *conf = run->conf;

	resolver_take(r->resolver, ch, serial, message, (size_t)conf->resolver_query_limit);
}

static void joined(struct run *run, struct channel *ch)
{
	(void)run;
	ch->most_unanswered = PEER_QUESTIONS;
}

static void left(struct run *run, struct channel *ch)
{
	struct resolverd *r = run->state;

	resolver_forget(r->resolver, ch);
}

/* Files and libraries are behind the fence later. */
static bool prepare(struct run *run, struct err *err)
{
	const struct resolverd_conf *conf = run->conf;
	struct resolverd *r = calloc(1, sizeof(*r));
	struct resolver_facts facts = { conf->resolver_forward, conf->resolver_trust_anchor_file, conf->resolver_cache_size };
	struct err anchor = { 0 };

	ASSERT(r);
	run->state = r;
	r->resolver = resolver_new(run->loop, &facts, &anchor, err);
	if (anchor.text[0])
		log_line(&run->log, LOG_WARNING, "warning: %s", anchor.text);
	run_forget_folders(run);
	return r->resolver != NULL;
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
