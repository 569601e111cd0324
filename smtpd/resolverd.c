#include "resolverd.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { NAME_MS = 5000 };

static void named(struct session *s, const char *name)
{
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->client, sizeof(s->client), "%s[%s]", s->name, s->address);
	session_named(s);
}

static struct str octets_of(const struct session *s, uint8_t room[16])
{
	if (inet_pton(AF_INET, s->address, room) == 1)
		return str_of(room, 4);
	return str_of(room, inet_pton(AF_INET6, s->address, room) == 1 ? 16 : 0);
}

/* A name that anybody can write into the reverse zone counts only if its owner says the same. */
static void on_addresses(void *arg, const struct dns_reply *r)
{
	struct session *s = arg;
	uint8_t room[16];
	struct str octets = octets_of(s, room), record;
	size_t at = 0;

	while (r->result == DNS_FOUND && strs_next(&r->records, &at, &record))
		if (str_eq(record, octets)) {
			named(s, s->candidate);
			return;
		}
	named(s, "unknown");
}

static void on_names(void *arg, const struct dns_reply *r)
{
	struct session *s = arg;
	struct str name;
	size_t at = 0;
	uint8_t room[16];

	if (r->result != DNS_FOUND || !strs_next(&r->records, &at, &name) || !dns_name_ok(name) || name.n >= sizeof(s->candidate)) {
		named(s, "unknown");
		return;
	}
	snprintf(s->candidate, sizeof(s->candidate), "%.*s", STR_ARG(name));
	dns_ask(&s->dns, run_server(s->smtpd->run, "resolverd"), name, octets_of(s, room).n == 4 ? DNS_A : DNS_AAAA, NAME_MS, on_addresses, s);
}

void resolverd_name(struct session *s)
{
	scoped_buf struct buf name = { 0 };
	uint8_t room[16];
	struct str octets = octets_of(s, room);

	if (octets.n == 0)
		return;
	dns_reverse_name(octets, &name);
	session_busy(s);
	dns_ask(&s->dns, run_server(s->smtpd->run, "resolverd"), buf_str(&name), DNS_PTR, NAME_MS, on_names, s);
}
