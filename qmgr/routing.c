#include "routing.h"

#include "decide.h"
#include "mail/addr.h"

enum { CHUNK_BYTES = 8 << 10 };

/* One final recipient of the answer, unless it is there already; false with the reason when it is malformed or not allowed. */
static bool take_route(struct routing *r, const struct strs *routes, size_t *at, struct reply *why)
{
	struct env_recipient rcpt = { 0 };
	struct str sender;
	struct str *const parts[ROUTE_PARTS] = { &rcpt.address, &rcpt.original, &rcpt.transport, &rcpt.nexthop,
						 &rcpt.user,	&sender };
	scoped_buf struct buf key = { 0 };

	for (size_t i = 0; i < ROUTE_PARTS; i++)
		if (!strs_next(routes, at, parts[i]) || parts[i]->n > ENV_STRING_MAX) {
			*why = REPLY(451, 4, 3, 0, "Malformed answer");
			return false;
		}
	*why = decide_transport(r->authority, rcpt.transport, !str_ieq(rcpt.address, rcpt.original));
	if (why->code)
		return false;
	addr_key(rcpt.address, &key);
	buf_addc(&key, '\0');
	buf_add(&key, decide_target(&rcpt));
	if (table_set(&r->seen, buf_str(&key), r))
		return true;
	for (size_t i = 0; i < ROUTE_PARTS; i++)
		*parts[i] = arena_str(r->arena, *parts[i]);
	return buf_add(&r->found, str_of(&rcpt, sizeof(rcpt))) && buf_add(&r->senders, str_of(&sender, sizeof(sender)));
}

static bool take_routes(struct routing *r, const struct strs *routes, struct reply *why)
{
	size_t at = 0, n = r->found.n / sizeof(struct env_recipient) + routes->n / ROUTE_PARTS;

	if (n > ENV_RECIPIENTS_MAX) {
		*why = REPLY(451, 4, 3, 0, "Too many recipients");
		return false;
	}
	while (at < routes->raw.n)
		if (!take_route(r, routes, &at, why))
			return false;
	return true;
}

static void answered(void *arg, enum call_result result, void *message)
{
	struct routing *r = arg;
	const struct route_answer *m = message;
	struct reply why = REPLY(451, 4, 3, 0, "Address lookup failed");

	/* It died over the question, or before it read it: its successor is asked, once. */
	if (result == CALL_BROKEN && !r->again) {
		r->again = true;
		r->at = r->asked;
		routing_start(r);
		return;
	}
	if (result == CALL_OK && m->code != 250) {
		why = decide_reply(m->code, m->status, m->text);
	} else if (result == CALL_OK && take_routes(r, &m->routes, &why)) {
		if (r->at < r->given.raw.n) {
			routing_start(r);
			return;
		}
		if (r->found.n > 0)
			why = REPLY(250, 2, 0, 0, "Ok");
	}
	r->done(r, &why);
}

static void ask(struct routing *r, const struct strs *recipients)
{
	struct route m = { .authority = r->authority, .sender = r->sender, .recipients = *recipients };

	channel_call(run_server(r->qmgr->run, "lookupd"), &route_schema, &m, &route_answer_schema,
		     qmgr_conf(r->qmgr)->qmgr_ipc_timeout, &r->call, answered, r);
}

/* An answer may be much larger than its question: chunks keep both far below the largest frame. */
void routing_start(struct routing *r)
{
	scoped_buf struct buf chunk = { 0 };
	struct strs list = { 0 };
	struct str s;

	r->asked = r->at;
	if (r->at == 0 && r->given.raw.n <= CHUNK_BYTES) {
		r->at = r->given.raw.n;
		ask(r, &r->given);
		return;
	}
	while (chunk.n < CHUNK_BYTES && strs_next(&r->given, &r->at, &s))
		strs_add(&chunk, &list, s);
	ask(r, &list);
}

static void *to_arena(struct routing *r, struct buf *b)
{
	void *copy = arena_alloc(r->arena, b->n);

	memcpy(copy, b->p, b->n);
	buf_free(b);
	return copy;
}

uint32_t routing_take(struct routing *r, struct env_recipient **out, struct str **senders)
{
	uint32_t n = (uint32_t)(r->found.n / sizeof(struct env_recipient));

	*out = to_arena(r, &r->found);
	if (senders)
		*senders = to_arena(r, &r->senders);
	return n;
}

void routing_cancel(struct routing *r)
{
	call_cancel(&r->call);
	table_free(&r->seen);
	buf_free(&r->found);
	buf_free(&r->senders);
}
