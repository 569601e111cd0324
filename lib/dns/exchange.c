#include "dns/exchange.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "base/time.h"

enum { ADDRESSES_ENOUGH = 10 };

static void next_host(struct exchange *x);

static void end(struct exchange *x, enum exchange_result result)
{
	x->done(x, result);
}

__attribute__((format(printf, 3, 4))) static void fail(struct exchange *x, enum exchange_result result, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(x->why, sizeof(x->why), format, ap);
	va_end(ap);
	end(x, result);
}

static int64_t time_left(const struct exchange *x)
{
	int64_t left = x->until_ms - clock_mono_ms();

	return left > 1 ? left : 1;
}

static bool may_ask(const struct exchange *x)
{
	return x->asked < EXCHANGE_QUESTIONS_MAX && clock_mono_ms() < x->until_ms;
}

static void ask(struct exchange *x, unsigned which, struct str name, uint16_t type,
		void (*done)(void *arg, const struct dns_reply *reply))
{
	x->waiting++;
	x->asked++;
	dns_ask(&x->questions[which], x->resolverd, name, type, time_left(x), done, x);
}

/* ---- the addresses of one host after the other ---- */

static bool is_own(const struct exchange *x, const struct exchange_address *a)
{
	for (size_t i = 0; i < x->rules.n_own; i++)
		if (x->rules.own[i].n == a->n && memcmp(x->rules.own[i].octets, a->octets, a->n) == 0)
			return true;
	return false;
}

static bool same(struct str a, struct str b)
{
	return str_ieq(a, b);
}

/* Ours is the best that is left: whoever is worse would only hand the mail back to us (RFC 5321, 5.1). */
static void cut_at_own(struct exchange *x, uint16_t preference)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->n; i++)
		if (x->found[i].preference < preference)
			x->found[kept++] = x->found[i];
	x->n = kept;
	x->n_hosts = 0;
	if (x->n > 0)
		end(x, EXCHANGE_OK);
	else
		fail(x, EXCHANGE_SELF, "mail for %.*s loops back to myself", STR_ARG(x->domain));
}

static void all_looked_up(struct exchange *x)
{
	if (x->n > 0)
		end(x, EXCHANGE_OK);
	else
		fail(x, EXCHANGE_LATER, "%s for %.*s", x->why[0] ? x->why : "no address is found", STR_ARG(x->domain));
}

/* Of the host that is done, whose addresses are the last ones. */
static void put_first(struct exchange *x, struct str host)
{
	struct exchange_address sorted[EXCHANGE_ADDRESSES_MAX];
	size_t from = x->n, n = 0;

	while (from > 0 && same(x->found[from - 1].host, host))
		from--;
	for (int round = 0; round < 2; round++)
		for (size_t i = from; i < x->n; i++)
			if ((x->found[i].n == x->rules.first) == (round == 0))
				sorted[n++] = x->found[i];
	memcpy(x->found + from, sorted, n * sizeof(*sorted));
}

static void host_done(struct exchange *x)
{
	const struct exchange_host *h = &x->hosts[x->at];

	if (x->rules.first)
		put_first(x, h->name);
	if (x->rules.mx)
		for (size_t i = 0; i < x->n; i++)
			if (same(x->found[i].host, h->name) && is_own(x, &x->found[i])) {
				cut_at_own(x, h->preference);
				return;
			}
	x->at++;
	next_host(x);
}

static void take_addresses(struct exchange *x, const struct dns_reply *r, uint8_t octets)
{
	const struct exchange_host *h = &x->hosts[x->at];
	struct str record;
	size_t at = 0;

	while (x->n < EXCHANGE_ADDRESSES_MAX && strs_next(&r->records, &at, &record)) {
		struct exchange_address *a = &x->found[x->n++];
		*a = (struct exchange_address){ .n = octets, .secure = r->secure && x->mx_secure, .preference = h->preference, .host = h->name };
		memcpy(a->octets, record.p, octets);
	}
}

static void on_address(struct exchange *x, const struct dns_reply *r, uint8_t octets)
{
	const struct exchange_host *h = &x->hosts[x->at];

	if (r->result == DNS_FOUND)
		take_addresses(x, r, octets);
	else if (r->result == DNS_FAILED)
		snprintf(x->why, sizeof(x->why), "the addresses of %.*s: %.*s", STR_ARG(h->name), STR_ARG(r->why));
	if (--x->waiting > 0)
		return;
	/* a bare host that does not exist: the sure no that an MX answer would have been */
	if (x->n == 0 && r->result == DNS_NO_NAME && !x->rules.mx)
		fail(x, EXCHANGE_NO_NAME, "Host or domain name not found. Name service error for name=%.*s type=A: Host not found", STR_ARG(h->name));
	else
		host_done(x);
}

static void on_a(void *arg, const struct dns_reply *r)
{
	on_address(arg, r, 4);
}

static void on_aaaa(void *arg, const struct dns_reply *r)
{
	on_address(arg, r, 16);
}

static void next_host(struct exchange *x)
{
	while (x->at < x->n_hosts) {
		struct exchange_host *h = &x->hosts[x->at];
		if (x->rules.mx && same(h->name, x->rules.myhostname)) {
			cut_at_own(x, h->preference);
			return;
		}
		if (x->n >= ADDRESSES_ENOUGH || !may_ask(x) || !(x->rules.ipv4 || x->rules.ipv6))
			break;
		if (x->rules.ipv6)
			ask(x, 0, h->name, DNS_AAAA, on_aaaa);
		if (x->rules.ipv4)
			ask(x, 1, h->name, DNS_A, on_a);
		return;
	}
	all_looked_up(x);
}

/* ---- MX ---- */

static int by_preference(const void *pa, const void *pb)
{
	const struct exchange_host *a = pa, *b = pb;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static struct exchange_host *worst(struct exchange *x)
{
	struct exchange_host *found = &x->hosts[0];

	for (size_t i = 1; i < x->n_hosts; i++)
		if (by_preference(&x->hosts[i], found) > 0)
			found = &x->hosts[i];
	return found;
}

/* Of too many the best are kept, in whatever order they come. This host is before its equals: none of them may be asked. */
static void add_host(struct exchange *x, struct str name, uint16_t preference)
{
	struct exchange_host h = { .preference = preference, .order = same(name, x->rules.myhostname) ? 0 : (uint32_t)random_u64() };
	bool full = x->n_hosts == EXCHANGE_HOSTS_MAX;
	struct exchange_host *place = full ? worst(x) : &x->hosts[x->n_hosts];

	if (full && by_preference(&h, place) >= 0)
		return;
	h.name = arena_str(&x->arena, name);
	*place = h;
	x->n_hosts += !full;
}

static bool is_null_mx(const struct dns_reply *r)
{
	struct str record;
	size_t at = 0;

	return r->records.n == 1 && strs_next(&r->records, &at, &record) && record.n == 2;
}

static void take_hosts(struct exchange *x, const struct dns_reply *r)
{
	struct str record;
	size_t at = 0;

	while (strs_next(&r->records, &at, &record)) {
		struct str host = str_skip(record, 2);
		if (dns_name_ok(host))
			add_host(x, host, (uint16_t)((uint8_t)record.p[0] << 8 | (uint8_t)record.p[1]));
	}
	qsort(x->hosts, x->n_hosts, sizeof(*x->hosts), by_preference);
	if (x->n_hosts == 0)
		snprintf(x->why, sizeof(x->why), "its MX names no host that could be asked");
}

static void on_mx(void *arg, const struct dns_reply *r)
{
	struct exchange *x = arg;

	x->waiting--;
	x->mx_secure = r->secure;
	switch (r->result) {
	case DNS_NO_NAME:
		fail(x, EXCHANGE_NO_NAME, "Host or domain name not found. Name service error for name=%.*s type=MX: Host not found", STR_ARG(x->domain));
		return;
	case DNS_FAILED:
		fail(x, EXCHANGE_LATER, "Host or domain name not found. Name service error for name=%.*s type=MX: %.*s", STR_ARG(x->domain), STR_ARG(r->why));
		return;
	case DNS_NO_DATA: add_host(x, x->domain, 0); break;
	case DNS_FOUND:
		if (is_null_mx(r)) {
			fail(x, EXCHANGE_NULL_MX, "Domain %.*s does not accept mail (nullMX)", STR_ARG(x->domain));
			return;
		}
		take_hosts(x, r);
	}
	next_host(x);
}

/* ---- literals ---- */

static bool take_literal(struct exchange *x, struct str inner)
{
	char text[INET6_ADDRSTRLEN];
	struct exchange_address a = { .host = inner, .secure = true };

	str_eat_word(&inner, STR("IPv6:"));
	if (inner.n >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", STR_ARG(inner));
	if (inet_pton(AF_INET, text, a.octets) == 1)
		a.n = 4;
	else if (inet_pton(AF_INET6, text, a.octets) == 1)
		a.n = 16;
	else
		return false;
	x->found[x->n++] = a;
	return true;
}

static void end_later(void *arg)
{
	struct exchange *x = ((struct dns_question *)((char *)arg - offsetof(struct dns_question, call)))->arg;

	if (x->n > 0)
		end(x, EXCHANGE_OK);
	else
		fail(x, EXCHANGE_LATER, "%.*s is no domain that the DNS could know", STR_ARG(x->domain));
}

static void answer_soon(struct exchange *x)
{
	x->questions[0].arg = x;
	timer_set(&x->questions[0].call.timer, x->resolverd->loop, 0, end_later, &x->questions[0].call);
}

void exchange_start(struct exchange *x, struct channel *resolverd, struct str domain, const struct exchange_rules *rules,
		    void (*done)(struct exchange *x, enum exchange_result result), void *arg)
{
	struct str inner = domain;

	*x = (struct exchange){ .resolverd = resolverd, .rules = *rules, .done = done, .arg = arg };
	x->until_ms = clock_mono_ms() + rules->most_ms;
	x->mx_secure = true;
	x->domain = arena_str(&x->arena, domain);
	if (str_eat(&inner, '[') && str_ends(inner, STR("]"))) {
		x->rules.mx = false;
		x->domain = arena_str(&x->arena, str_head(inner, inner.n - 1));
		if (take_literal(x, x->domain)) {
			answer_soon(x);
			return;
		}
	}
	if (!dns_name_ok(x->domain)) {
		answer_soon(x);
		return;
	}
	if (x->rules.mx) {
		ask(x, 0, x->domain, DNS_MX, on_mx);
		return;
	}
	add_host(x, x->domain, 0);
	/* no answer can be here within the call: next_host only asks */
	next_host(x);
}

void exchange_stop(struct exchange *x)
{
	for (size_t i = 0; i < COUNT(x->questions); i++)
		dns_cancel(&x->questions[i]);
	arena_free(&x->arena);
}
