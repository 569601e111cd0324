/*
 * tayori dns - what the DNS says about the mail of a domain, and to which host it would go from here. It asks by itself,
 * with the instance's resolver parameters, so that it needs no right and no running suite.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/time.h"
#include "ctl.h"
#include "dns/exchange.h"
#include "dns_inner.h"
#include "resolver/resolver.h"

enum {
	QUESTIONS_MOST = 100,
	ROUND_MS = 1000,
	CACHE_BYTES = 4 << 20,
	HOSTS_SHOWN = 20,
	ADDRESSES_SHOWN = 20,
	ALL_MOST_MS = 60000
};

struct finder {
	struct ctl *ctl;
	struct arena arena;
	struct loop *loop;
	struct resolver *resolver;
	struct channel asks, answers;
	int64_t most_ms, until_ms;
	json_t *facts;
};

/* ---- one question after the other ---- */

struct found {
	bool done;
	struct arena *arena;
	enum dns_result result;
	bool secure;
	struct strs records;
	struct str canonical, why;
};

static void on_reply(void *arg, const struct dns_reply *r)
{
	struct found *f = arg;

	f->result = r->result;
	f->secure = r->secure;
	f->records = (struct strs){ r->records.n, arena_str(f->arena, r->records.raw) };
	f->canonical = arena_str(f->arena, r->canonical);
	f->why = arena_str(f->arena, r->why);
	f->done = true;
}

static struct found look_up(struct finder *f, struct str name, uint16_t type)
{
	struct found found = { .arena = &f->arena, .result = DNS_FAILED, .why = STR("not asked: it takes too long") };
	struct dns_question q = { 0 };

	if (clock_mono_ms() >= f->until_ms)
		return found;
	dns_ask(&q, &f->asks, name, type, f->most_ms, on_reply, &found);
	while (!found.done)
		loop_once(f->loop, ROUND_MS);
	return found;
}

static void on_ask(struct channel *ch, uint32_t serial, void *message)
{
	resolver_take(ch->arg, ch, serial, message, QUESTIONS_MOST);
}

static const struct ipc_handler handlers[] = { { &dns_ask_schema, on_ask } };

static int64_t number_of(struct ctl *ctl, const char *name)
{
	_Alignas(max_align_t) char field[32] = { 0 };
	const struct conf_param *p = house_param(str_from(name));
	int64_t value;

	if (!conf_value(p, ctl_value(ctl, name), &ctl->config.arena, field, NULL))
		conf_value(p, str_from(p->preset), &ctl->config.arena, field, NULL);
	memcpy(&value, field, sizeof(value));
	return value;
}

static int begin(struct finder *f)
{
	struct ctl *ctl = f->ctl;
	struct err anchor = { 0 }, err = { 0 };
	int fds[2];

	if (!ctl_load(ctl))
		return EX_CONFIG;
	struct resolver_facts facts = { ctl_value(ctl, "resolver_forward"),
					ctl_value(ctl, "resolver_trust_anchor_file"), CACHE_BYTES };
	f->most_ms = number_of(ctl, "smtp_dns_time_limit");
	f->until_ms = clock_mono_ms() + ALL_MOST_MS;
	f->loop = loop_new();
	f->resolver = resolver_new(f->loop, &facts, &anchor, &err);
	if (anchor.text[0])
		ctl_fail(ctl, 0, "warning: %s", anchor.text);
	if (!f->resolver)
		return ctl_fail(ctl, EX_CONFIG, "%s", err.text);
	if (channel_pair(fds) < 0)
		return ctl_fail(ctl, EX_OSERR, "no channel: %m");
	channel_start(&f->asks, f->loop, fds[0], NULL, NULL, 0, NULL, NULL);
	channel_start(&f->answers, f->loop, fds[1], NULL, handlers, COUNT(handlers), NULL, f->resolver);
	return 0;
}

/* ---- what is told ---- */

static json_t *text(struct str s)
{
	return json_stringn(s.p ? s.p : "", s.n);
}

static struct str address_text(struct finder *f, struct str octets)
{
	char name[INET6_ADDRSTRLEN];

	inet_ntop(octets.n == 4 ? AF_INET : AF_INET6, octets.p, name, sizeof(name));
	return arena_str(&f->arena, str_from(name));
}

static bool leads_to(struct finder *f, struct str name, struct str octets)
{
	struct found a = look_up(f, name, octets.n == 4 ? DNS_A : DNS_AAAA);
	struct str record;
	size_t at = 0;

	while (strs_next(&a.records, &at, &record))
		if (str_eq(record, octets))
			return true;
	return false;
}

/* The names of an address, and whether one of them leads back to it. */
static json_t *tell_address(struct finder *f, struct str octets)
{
	scoped_buf struct buf name = { 0 };
	json_t *row = json_object(), *names = json_array();
	bool confirmed = false;
	struct str ptr;
	size_t at = 0;

	dns_reverse_name(octets, &name);
	struct found r = look_up(f, buf_str(&name), DNS_PTR);
	for (size_t n = 0; n < 3 && strs_next(&r.records, &at, &ptr); n++) {
		json_array_append_new(names, text(ptr));
		confirmed = confirmed || leads_to(f, ptr, octets);
	}
	json_object_set_new(row, "address", text(address_text(f, octets)));
	json_object_set_new(row, "ptr", names);
	json_object_set_new(row, "confirmed", json_boolean(confirmed));
	return row;
}

static void tell_addresses(struct finder *f, json_t *host, struct str name, uint16_t type, json_t *list)
{
	struct found a = look_up(f, name, type);
	struct str octets;
	size_t at = 0;

	if (a.canonical.n > 0 && !str_ieq(a.canonical, name))
		json_object_set_new(host, "alias_of", text(a.canonical));
	if (a.result == DNS_FAILED)
		json_object_set_new(host, "error", text(a.why));
	while (json_array_size(list) < ADDRESSES_SHOWN && strs_next(&a.records, &at, &octets))
		json_array_append_new(list, tell_address(f, octets));
}

static json_t *tell_host(struct finder *f, struct str name, unsigned preference, bool secure)
{
	json_t *host = json_object(), *list = json_array();
	scoped_buf struct buf tlsa = { 0 };

	json_object_set_new(host, "name", text(name));
	json_object_set_new(host, "preference", json_integer(preference));
	tell_addresses(f, host, name, DNS_AAAA, list);
	tell_addresses(f, host, name, DNS_A, list);
	json_object_set_new(host, "addresses", list);
	buf_addf(&tlsa, "_25._tcp.%.*s", STR_ARG(name));
	struct found t = look_up(f, buf_str(&tlsa), DNS_TLSA);
	json_object_set_new(host, "tlsa", json_integer(t.result == DNS_FOUND && t.secure && secure ? t.records.n : 0));
	return host;
}

/* All that the MX answer names, also those that would never be tried. */
static void tell_mx(struct finder *f, struct str domain)
{
	struct found mx = look_up(f, domain, DNS_MX);
	json_t *hosts = json_array();
	struct str record;
	size_t at = 0;

	json_object_set_new(f->facts, "domain", text(domain));
	json_object_set_new(f->facts, "dnssec", json_boolean(mx.secure));
	json_object_set_new(f->facts, "implicit_mx", json_boolean(mx.result == DNS_NO_DATA));
	if (mx.canonical.n > 0 && !str_ieq(mx.canonical, domain))
		json_object_set_new(f->facts, "alias_of", text(mx.canonical));
	while (json_array_size(hosts) < HOSTS_SHOWN && strs_next(&mx.records, &at, &record)) {
		struct str name = str_skip(record, 2);
		unsigned preference = (unsigned)(uint8_t)record.p[0] << 8 | (uint8_t)record.p[1];
		if (dns_name_ok(name))
			json_array_append_new(hosts, tell_host(f, name, preference, mx.secure));
	}
	if (mx.result == DNS_NO_DATA)
		json_array_append_new(hosts, tell_host(f, domain, 0, mx.secure));
	json_object_set_new(f->facts, "hosts", hosts);
}

/* ---- which one is first ---- */

struct search {
	struct exchange exchange;
	enum exchange_result result;
	bool done;
};

static void on_order(struct exchange *x, enum exchange_result result)
{
	struct search *s = x->arg;

	s->result = result;
	s->done = true;
}

static const char *why_first(struct finder *f, const struct exchange *x)
{
	size_t equals = 0;

	if (json_is_true(json_object_get(f->facts, "implicit_mx")))
		return "the domain's own address, since it has no MX";
	for (size_t i = 0; i < json_array_size(json_object_get(f->facts, "hosts")); i++) {
		json_t *host = json_array_get(json_object_get(f->facts, "hosts"), i);
		equals += json_integer_value(json_object_get(host, "preference")) == x->found[0].preference;
	}
	if (equals > 1)
		return arena_printf(&f->arena, "one of %zu hosts with preference %u, by chance", equals,
				    x->found[0].preference);
	return arena_printf(&f->arena, "the host with the lowest preference that has an address (%u)",
			    x->found[0].preference);
}

static void tell_order(struct finder *f, const struct exchange *x)
{
	json_t *order = json_array();

	for (size_t i = 0; i < x->n; i++) {
		json_t *row = json_object();
		json_object_set_new(row, "host", text(x->found[i].host));
		json_object_set_new(row, "address", text(address_text(f, str_of(x->found[i].octets, x->found[i].n))));
		json_object_set_new(row, "preference", json_integer(x->found[i].preference));
		if (i == 0)
			json_object_set_new(row, "why", json_string(why_first(f, x)));
		json_array_append_new(order, row);
	}
	json_object_set_new(f->facts, "order", order);
}

static int search(struct finder *f, struct str domain)
{
	static const char *const words[] = { [EXCHANGE_OK] = "ok",
					     [EXCHANGE_LATER] = "later",
					     [EXCHANGE_NO_NAME] = "no such domain",
					     [EXCHANGE_NULL_MX] = "takes no mail",
					     [EXCHANGE_SELF] = "this host" };
	int64_t protocols = number_of(f->ctl, "smtp_inet_protocols"),
		preferred = number_of(f->ctl, "smtp_address_preference");
	struct exchange_rules rules = { .mx = true,
					.ipv4 = protocols != 2,
					.ipv6 = protocols != 1,
					.first = preferred == 2	  ? 16
						 : preferred == 1 ? 4
								  : 0,
					.myhostname = ctl_value(f->ctl, "myhostname"),
					.most_ms = f->most_ms };
	struct exchange_address *own = exchange_own(&rules.n_own);
	struct search s = { .done = false };

	rules.own = own;
	exchange_start(&s.exchange, &f->asks, domain, &rules, on_order, &s);
	while (!s.done)
		loop_once(f->loop, ROUND_MS);
	json_object_set_new(f->facts, "result", json_string(words[s.result]));
	if (s.result != EXCHANGE_OK)
		json_object_set_new(f->facts, "why", json_string(s.exchange.why));
	tell_order(f, &s.exchange);
	exchange_stop(&s.exchange);
	free(own);
	return s.result == EXCHANGE_OK || s.result == EXCHANGE_SELF ? 0
	       : s.result == EXCHANGE_LATER			    ? EX_TEMPFAIL
								    : EX_NOHOST;
}

static void finish(struct finder *f)
{
	channel_stop(&f->asks);
	channel_stop(&f->answers);
	arena_free(&f->arena);
	json_decref(f->facts);
}

int tayori_dns(struct ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	struct finder f = { .ctl = ctl, .facts = json_object() };
	bool json = false;
	int option;

	ctl->command = "tayori dns";
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'j')
			return ctl_fail(ctl, EX_USAGE, "usage: tayori dns DOMAIN [--json]");
		json = true;
	}
	if (optind + 1 != argc)
		return ctl_fail(ctl, EX_USAGE, "usage: tayori dns DOMAIN [--json]");
	struct str domain = str_from(argv[optind]);
	if (!dns_name_ok(domain))
		return ctl_fail(
			ctl, EX_DATAERR,
			"%.*s is no domain that could be asked about (names in other scripts are written as xn--...)",
			STR_ARG(domain));
	int status = begin(&f);
	if (status == 0) {
		tell_mx(&f, domain);
		status = search(&f, domain);
		dns_tell_route(ctl, domain, f.facts);
		if (json)
			json_dumpf(f.facts, stdout, JSON_INDENT(1));
		else
			dns_print(f.facts);
		if (json)
			putchar('\n');
		finish(&f);
	}
	return status;
}
