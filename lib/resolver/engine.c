#include "resolver/engine.h"

#include <stdio.h>
#include <stdlib.h>

#include <unbound.h>

#include <unbound-event.h>

enum { CLASS_IN = 1, TYPE_A = 1, SECURE = 2, BOGUS = 1 };

struct engine {
	struct ub_ctx *ctx;
};

struct asked {
	void (*done)(void *arg, const struct engine_answer *a);
	void *arg;
};

static bool set(struct ub_ctx *ctx, const char *option, const char *value, struct err *err)
{
	int code = ub_ctx_set_option(ctx, option, value);

	return code == 0 || err_set(err, "resolver option %s %s: %s", option, value, ub_strerror(code));
}

static bool set_all(struct ub_ctx *ctx, const struct engine_facts *f, struct err *err)
{
	char half[24];
	static const char *const options[][2] = {
		{ "do-not-query-localhost:", "no" }, /* a name server of this host may be asked */
		{ "infra-host-ttl:", "60" },	     /* one that was down is tried again soon */
		{ "infra-keep-probing:", "yes" },
		{ "cache-max-negative-ttl:", "300" },
		{ "qname-minimisation:", "yes" },
		{ "harden-below-nxdomain:", "yes" },
		{ "so-rcvbuf:", "0" },
		{ "module-config:", "validator iterator" },
		{ "unblock-lan-zones:", "yes" }, /* the addresses of private networks have names there */
	};

	for (size_t i = 0; i < COUNT(options); i++)
		if (!set(ctx, options[i][0], options[i][1], err))
			return false;
	snprintf(half, sizeof(half), "%lld", (long long)f->cache_bytes / 2);
	return set(ctx, "msg-cache-size:", half, err) && set(ctx, "rrset-cache-size:", half, err);
}

static bool set_sources(struct ub_ctx *ctx, const struct engine_facts *f, struct err *err)
{
	int code = f->system ? ub_ctx_resolvconf(ctx, NULL) : 0;

	if (code)
		return err_set(err, "/etc/resolv.conf: %s", ub_strerror(code));
	for (const char *const *server = f->forwards; server && *server; server++)
		if ((code = ub_ctx_set_fwd(ctx, *server)))
			return err_set(err, "resolver_forward: %s: %s", *server, ub_strerror(code));
	if (f->anchor && (code = ub_ctx_add_ta_file(ctx, f->anchor)))
		return err_set(err, "resolver_trust_anchor_file: %s: %s", f->anchor, ub_strerror(code));
	return true;
}

static void on_answer(void *arg, int rcode, void *packet, int n, int sec, char *why, int limited)
{
	struct asked *q = arg;
	struct engine_answer a = { .rcode = rcode,
				   .packet = str_of(packet, packet && n > 0 ? (size_t)n : 0),
				   .secure = sec == SECURE,
				   .bogus = sec == BOGUS,
				   .why = sec == BOGUS && why ? why : "" };

	(void)limited;
	q->done(q->arg, &a);
	free(q);
}

static void ignore(void *arg, const struct engine_answer *a)
{
	(void)arg, (void)a;
}

struct engine *engine_new(struct loop *loop, const struct engine_facts *facts, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	int id;

	ASSERT(e);
	e->ctx = ub_ctx_create_event(loop_base(loop));
	if (!e->ctx) {
		free(e);
		err_set(err, "libunbound cannot be started");
		return NULL;
	}
	/* The first question makes it settle: it is one that needs no packet. */
	bool ok = set_all(e->ctx, facts, err) && set_sources(e->ctx, facts, err) &&
		  /* a name under .test is as good as its name server: the built-in answer is that there is none */
		  ub_ctx_zone_remove(e->ctx, "test.") == 0 &&
		  (engine_ask(e, "localhost", TYPE_A, ignore, NULL, &id) || err_set(err, "libunbound does not settle"));
	if (ok)
		return e;
	ub_ctx_delete(e->ctx);
	free(e);
	return NULL;
}

bool engine_ask(struct engine *e, const char *name, uint16_t type,
		void (*done)(void *arg, const struct engine_answer *a), void *arg, int *id)
{
	struct asked *q = calloc(1, sizeof(*q));

	ASSERT(q);
	*q = (struct asked){ done, arg };
	*id = 0;
	if (ub_resolve_event(e->ctx, name, type, CLASS_IN, q, on_answer, id) == 0)
		return true;
	free(q);
	return false;
}

void engine_cancel(struct engine *e, int id)
{
	if (id)
		ub_cancel(e->ctx, id);
}
