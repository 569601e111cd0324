#include "dns/dns.h"

static void fail(struct dns_question *q, const char *why)
{
	q->done(q->arg, &(struct dns_reply){ .result = DNS_FAILED, .why = str_from(why) });
}

/* What it says of a type's size is checked here once, so that whoever uses the records need not. */
static bool fits(const struct dns_question *q, const struct strs *records)
{
	struct str r;
	size_t at = 0;

	while (strs_next(records, &at, &r)) {
		size_t want = q->type == DNS_A ? 4 : q->type == DNS_AAAA ? 16 : r.n;
		if (r.n != want || (q->type == DNS_MX && r.n < 2))
			return false;
	}
	return true;
}

static void answered(void *arg, enum call_result result, void *message)
{
	struct dns_question *q = arg;
	const struct dns_answer *m = message;

	if (result != CALL_OK) {
		fail(q, result == CALL_TIMEOUT ? "no answer in time" : "the resolver does not answer");
		return;
	}
	if (m->result > DNS_FAILED || !fits(q, &m->records)) {
		fail(q, "the resolver's answer makes no sense");
		return;
	}
	q->done(q->arg, &(struct dns_reply){ .result = m->result,
					      .secure = m->secure,
					      .ttl = m->ttl,
					      .records = m->records,
					      .canonical = m->canonical,
					      .why = m->why });
}

static void bad_name(void *arg)
{
	struct dns_question *q = ((struct call *)arg)->arg;

	fail(q, "that is no host name");
}

void dns_ask(struct dns_question *q, struct channel *resolverd, struct str name, uint16_t type, int64_t ms,
	     void (*done)(void *arg, const struct dns_reply *reply), void *arg)
{
	q->done = done;
	q->arg = arg;
	q->type = type;
	if (!dns_name_ok(name)) {
		q->call.arg = q;
		timer_set(&q->call.timer, resolverd->loop, 0, bad_name, &q->call);
		return;
	}
	struct dns_ask m = { .name = name, .type = type, .most_ms = (uint32_t)ms };
	channel_call(resolverd, &dns_ask_schema, &m, &dns_answer_schema, ms, &q->call, answered, q);
}

void dns_cancel(struct dns_question *q)
{
	if (!call_is_out(&q->call))
		timer_stop(&q->call.timer);
	call_cancel(&q->call);
}

void dns_reverse_name(struct str octets, struct buf *out)
{
	for (size_t i = octets.n; i > 0; i--) {
		uint8_t c = (uint8_t)octets.p[i - 1];
		if (octets.n == 4)
			buf_addf(out, "%u.", c);
		else
			buf_addf(out, "%x.%x.", c & 15, c >> 4);
	}
	buf_add(out, octets.n == 4 ? STR("in-addr.arpa") : STR("ip6.arpa"));
}
