/*
 * An answer of the DNS, asked for the name in its own question: what comes out keeps to its limits, names are host
 * names or nothing, and what stands behind the answers changes nothing.
 */
#include "base/err.h"
#include "dns/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 12, QUESTION_MIN = 5, RECORD_MIN = 11 };

/* The name of the question when it is a plain one; else one that the corpus has. */
static struct str asked(struct str packet, char text[DNS_NAME_MAX + 1])
{
	struct str rest = str_skip(packet, HEAD);
	size_t n = 0;

	while (rest.n > 0 && rest.p[0] != 0) {
		size_t length = (uint8_t)rest.p[0];
		if (length > 63 || length >= rest.n || n + length + 1 > DNS_NAME_MAX)
			return STR("Example.Test.");
		memcpy(text + n, rest.p + 1, length);
		n += length;
		text[n++] = '.';
		rest = str_skip(rest, length + 1);
	}
	return dns_name_ok(str_of(text, n)) ? str_of(text, n) : STR("Example.Test.");
}

static void check_name(struct str name)
{
	ASSERT(name.n == 0 || str_eq(name, STR(DNS_BAD_NAME)) || dns_name_ok(name));
	ASSERT(!str_ends(name, STR(".")));
	for (size_t i = 0; i < name.n; i++)
		ASSERT(name.p[i] == ascii_lower(name.p[i]));
}

static void check_record(struct str r, uint16_t type)
{
	switch (type) {
	case DNS_A: ASSERT(r.n == 4); break;
	case DNS_AAAA: ASSERT(r.n == 16); break;
	case DNS_MX:
		ASSERT(r.n >= 2);
		check_name(str_skip(r, 2));
		break;
	case DNS_CNAME:
	case DNS_PTR: check_name(r);
	}
}

static void check_set(const struct dns_answer_set *set, struct str packet, uint16_t type)
{
	struct str record, canonical = str_from(set->canonical);
	size_t at = 0, n = 0;

	while (strs_next(&set->records, &at, &record)) {
		check_record(record, type);
		n++;
	}
	ASSERT(n == set->records.n && at == set->records.raw.n && n <= DNS_RECORDS_MAX);
	ASSERT(!set->cut || n == DNS_RECORDS_MAX);
	/* at most one question, and that one is whole */
	ASSERT(packet.n >= HEAD && packet.p[4] == 0 && packet.n >= HEAD + (packet.p[5] ? QUESTION_MIN : 0u));
	ASSERT(HEAD + n * RECORD_MIN <= packet.n && set->rcode < 16 && set->ttl <= INT32_MAX);
	check_name(canonical);
	ASSERT(!str_eq(canonical, STR(DNS_BAD_NAME)));
}

static void check_same(const struct dns_answer_set *a, const struct dns_answer_set *b)
{
	ASSERT(str_eq(buf_str(&a->raw), buf_str(&b->raw)) && a->records.n == b->records.n && a->ttl == b->ttl);
	ASSERT(strcmp(a->canonical, b->canonical) == 0 && a->rcode == b->rcode && a->cut == b->cut);
}

/* Pointers lead back only: a beginning that holds all answers says the same as the whole. */
static void check_beginning(const struct dns_answer_set *whole, bool ok, struct str packet, struct str name, uint16_t type)
{
	struct dns_answer_set set;

	if (dns_packet_parse(packet, name, type, &set)) {
		ASSERT(ok);
		check_same(whole, &set);
	}
	dns_answer_set_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { DNS_A, DNS_CNAME, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA };
	struct str packet = str_of(data, size);
	char text[DNS_NAME_MAX + 1];
	struct str name = asked(packet, text);

	for (size_t i = 0; i < COUNT(types); i++) {
		struct dns_answer_set set;
		bool ok = dns_packet_parse(packet, name, types[i], &set);
		if (ok)
			check_set(&set, packet, types[i]);
		else
			ASSERT(set.raw.p == NULL && set.raw.n == 0 && set.records.n == 0 && set.records.raw.n == 0);
		if (size > 0) {
			check_beginning(&set, ok, str_head(packet, size - 1), name, types[i]);
			check_beginning(&set, ok, str_head(packet, size / 2 + 6), name, types[i]);
		}
		dns_answer_set_free(&set);
	}
	return 0;
}
