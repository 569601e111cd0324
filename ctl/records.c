#include "records.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "dns/exchange.h"

/* Reached from everywhere: not loopback, link-local, of private networks or for documents (RFC 6890). */
static bool is_public4(const uint8_t a[4])
{
	static const struct {
		uint8_t net[4];
		unsigned bits;
	} others[] = { { { 0 }, 8 },	     { { 10 }, 8 },	  { { 100, 64 }, 10 },	    { { 127 }, 8 },
		       { { 169, 254 }, 16 }, { { 172, 16 }, 12 }, { { 192, 0, 0 }, 24 },    { { 192, 0, 2 }, 24 },
		       { { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 198, 51, 100 }, 24 }, { { 203, 0, 113 }, 24 },
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

/* The first public address of so many octets. */
static bool find_address(uint8_t octets, struct exchange_address *out)
{
	size_t n;
	struct exchange_address *own = exchange_own(&n);
	bool found = false;

	for (size_t i = 0; i < n && !found; i++) {
		*out = own[i];
		found = out->n == octets && (octets == 4 ? is_public4(out->octets) : is_public6(out->octets));
	}
	free(own);
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

static void print_address(FILE *out, struct str host, uint8_t octets)
{
	scoped_buf struct buf name = { 0 }, reverse = { 0 };
	struct exchange_address a;
	char text[INET6_ADDRSTRLEN];

	bool found =
		find_address(octets, &a) && inet_ntop(octets == 4 ? AF_INET : AF_INET6, a.octets, text, sizeof(text));
	row(out, named(&name, "", host), octets == 4 ? "A" : "AAAA",
	    found	  ? text
	    : octets == 4 ? "192.0.2.1 ; write this host's public IPv4 address here"
			  : "2001:db8::1 ; and its IPv6 address, or leave the row out");
	if (!found)
		return;
	dns_reverse_name(str_of(a.octets, octets), &reverse);
	fprintf(out, "; %s. PTR %.*s. (its network's provider sets this)\n", buf_cstr(&reverse), STR_ARG(host));
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

	fprintf(out,
		"; Mail for %.*s comes to this host, whose name leads to its address and back: many refuse mail "
		"otherwise.\n",
		STR_ARG(domain));
	buf_addf(&value, "10 %.*s.", STR_ARG(host));
	row(out, named(&name, "", domain), "MX", buf_cstr(&value));
	print_address(out, host, 4);
	print_address(out, host, 16);
	fprintf(out,
		"; No other host sends mail for the domain (SPF); what others think of its mail is reported (DMARC).\n"
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
