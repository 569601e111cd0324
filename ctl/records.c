#include "records.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/buf.h"

/* Reached from everywhere: not loopback, link-local, of private networks or for documents (RFC 6890). */
static bool is_public4(const uint8_t a[4])
{
	static const struct {
		uint8_t net[4];
		unsigned bits;
	} others[] = { { { 0 }, 8 },	       { { 10 }, 8 },		{ { 100, 64 }, 10 },   { { 127 }, 8 },
		       { { 169, 254 }, 16 },   { { 172, 16 }, 12 },	{ { 192, 0, 0 }, 24 }, { { 192, 0, 2 }, 24 },
		       { { 192, 168 }, 16 },   { { 198, 18 }, 15 },	{ { 198, 51, 100 }, 24 }, { { 203, 0, 113 }, 24 },
		       { { 224 }, 3 } };
	uint32_t addr = (uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 | (uint32_t)a[2] << 8 | a[3];

	for (size_t i = 0; i < COUNT(others); i++) {
		const uint8_t *n = others[i].net;
		uint32_t net = (uint32_t)n[0] << 24 | (uint32_t)n[1] << 16 | (uint32_t)n[2] << 8 | n[3];
		if ((addr ^ net) >> (32 - others[i].bits) == 0)
			return false;
	}
	return true;
}

static bool is_public6(const uint8_t a[16])
{
	return (a[0] & 0xe0) == 0x20 && memcmp(a, "\x20\x01\x0d\xb8", 4) != 0; /* 2000::/3 but for documents */
}

/* The first public address of the family, as text. */
static bool find_address(int family, char *text, size_t room, uint8_t octets[16])
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != family || i->ifa_flags & IFF_LOOPBACK)
			continue;
		const void *at = family == AF_INET ? (const void *)&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr
						   : (const void *)&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr;
		memcpy(octets, at, family == AF_INET ? 4 : 16);
		found = (family == AF_INET ? is_public4(octets) : is_public6(octets)) && inet_ntop(family, at, text, (socklen_t)room);
	}
	freeifaddrs(list);
	return found;
}

static void row(FILE *out, struct str name, const char *type, const char *value)
{
	fprintf(out, "%-36.*s %-5s %s\n", STR_ARG(name), type, value);
}

static struct str named(struct buf *b, const char *before, struct str name)
{
	buf_reset(b);
	buf_addf(b, "%s%.*s.", before, STR_ARG(name));
	return buf_str(b);
}

static void print_address(FILE *out, struct str host, int family)
{
	scoped_buf struct buf name = { 0 }, reverse = { 0 };
	uint8_t a[16] = { 0 };
	char text[INET6_ADDRSTRLEN];

	bool found = find_address(family, text, sizeof(text), a);
	row(out, named(&name, "", host), family == AF_INET ? "A" : "AAAA",
	    found ? text : family == AF_INET ? "192.0.2.1 ; write this host's public IPv4 address here" : "2001:db8::1 ; and its IPv6 address, or leave the row out");
	if (!found)
		return;
	if (family == AF_INET)
		buf_addf(&reverse, "%u.%u.%u.%u.in-addr.arpa.", a[3], a[2], a[1], a[0]);
	for (size_t i = 16; family == AF_INET6 && i-- > 0;)
		buf_addf(&reverse, "%x.%x.", a[i] & 15, a[i] >> 4);
	if (family == AF_INET6)
		buf_add(&reverse, STR("ip6.arpa."));
	fprintf(out, "; %s PTR %.*s. (its network's provider sets this)\n", buf_cstr(&reverse), STR_ARG(host));
}

static void print_service(FILE *out, const char *service, unsigned port, struct str domain, struct str host)
{
	scoped_buf struct buf name = { 0 }, value = { 0 };

	buf_addf(&value, "0 1 %u %.*s.", port, STR_ARG(host));
	row(out, named(&name, service, domain), "SRV", buf_cstr(&value));
}

void records_print(FILE *out, struct str domain, struct str host)
{
	scoped_buf struct buf name = { 0 }, value = { 0 };

	fprintf(out, "; Mail for %.*s comes to this host, whose name leads to its address and back: many refuse mail otherwise.\n", STR_ARG(domain));
	buf_addf(&value, "10 %.*s.", STR_ARG(host));
	row(out, named(&name, "", domain), "MX", buf_cstr(&value));
	print_address(out, host, AF_INET);
	print_address(out, host, AF_INET6);
	fprintf(out, "; No other host sends mail for the domain (SPF); what others think of its mail is reported (DMARC).\n"
		     "; p=quarantine or p=reject when the reports show nothing strange.\n");
	row(out, named(&name, "", domain), "TXT", "\"v=spf1 mx -all\"");
	if (!str_ieq(domain, host))
		row(out, named(&name, "", host), "TXT", "\"v=spf1 a -all\"");
	buf_reset(&value);
	buf_addf(&value, "\"v=DMARC1; p=none; rua=mailto:postmaster@%.*s\"", STR_ARG(domain));
	row(out, named(&name, "_dmarc.", domain), "TXT", buf_cstr(&value));
	fprintf(out, "; Mail programs find the host by these (RFC 6186, RFC 8314).\n");
	print_service(out, "_submissions._tcp.", 465, domain, host);
	print_service(out, "_submission._tcp.", 587, domain, host);
	print_service(out, "_imaps._tcp.", 993, domain, host);
	print_service(out, "_pop3s._tcp.", 995, domain, host);
}
