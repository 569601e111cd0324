#include "unit.h"

#include <time.h>

#include "dns/packet.h"

#define X10 "xxxxxxxxxx"
#define L63 X10 X10 X10 X10 X10 X10 "xxx"
#define N253 L63 "." L63 "." L63 "." X10 X10 X10 X10 X10 X10 "x"
#define WIRE63 "\x3f" L63
#define WIRE255 WIRE63 WIRE63 WIRE63 "\x3d" X10 X10 X10 X10 X10 X10 "x\0"
#define WIRE256 WIRE63 WIRE63 WIRE63 "\x3e" X10 X10 X10 X10 X10 X10 "xx\0"

/* An answer to a question for a.b; records begin at octet 21 (0x15), "a.b" is at 12, "b" at 14. */
#define HEAD(flags, questions, answers) "\x12\x34\x81" flags "\0" questions "\0" answers "\0\0\0\0"
#define QUESTION "\1a\1b\0\0\1\0\1"
#define ONE HEAD("\x80", "\1", "\1") QUESTION
#define TWO HEAD("\x80", "\1", "\2") QUESTION
#define AB "\xc0\x0c"
#define TTL "\0\0\1\0"
#define IS(type) "\0" type "\0\1" TTL
#define IS_A IS("\1") "\0\4"
#define ADDRESS "\x0a\0\0\1"
#define P(literal) STR(literal)

static const struct {
	const char *why;
	struct str packet;
	uint16_t type;
} bad[] = {
	{ "nothing", P(""), DNS_A },
	{ "half a head", P("\x12\x34\x81\x80\0\1"), DNS_A },
	{ "no question where one is told", P(HEAD("\x80", "\1", "\0")), DNS_A },
	{ "two questions", P(HEAD("\x80", "\2", "\1") QUESTION QUESTION AB IS_A ADDRESS), DNS_A },
	{ "no end of the question's name", P(HEAD("\x80", "\1", "\0") "\1a\1b"), DNS_A },
	{ "a label over the end", P(HEAD("\x80", "\1", "\0") "\1a\x3f" "b\0\0\1\0\1"), DNS_A },
	{ "fewer answers than told", P(TWO AB IS_A ADDRESS), DNS_A },
	{ "an answer cut in its head", P(ONE AB "\0\1\0"), DNS_A },
	{ "data over the end", P(ONE AB IS("\1") "\0\5" ADDRESS), DNS_A },
	{ "a pointer cut", P(ONE "\xc0"), DNS_A },
	{ "a pointer to itself", P(ONE "\xc0\x15" IS_A ADDRESS), DNS_A },
	{ "a pointer ahead", P(ONE "\xc0\x17" IS_A ADDRESS), DNS_A },
	{ "a pointer past the end", P(ONE "\xff\xff" IS_A ADDRESS), DNS_A },
	{ "a label, then back to it", P(ONE "\1c\xc0\x15" IS_A ADDRESS), DNS_A },
	/* TXT data holds two pointers that lead to one another: at 0x22 to 0x24, and back */
	{ "two pointers in a circle", P(TWO AB IS("\x10") "\0\5" "\4\xc0\x24\xc0\x22" "\xc0\x24" IS_A ADDRESS), DNS_A },
	{ "a label of 64", P(ONE "\x40" L63 "x\0" IS_A ADDRESS), DNS_A },
	{ "a label of 128", P(ONE "\x80\x0c" IS_A ADDRESS), DNS_A },
	{ "a name of 256", P(ONE WIRE256 IS_A ADDRESS), DNS_A },
	{ "a name of 256 by a pointer", P(HEAD("\x80", "\1", "\1") WIRE255 "\0\1\0\1" "\1a" AB IS_A ADDRESS), DNS_A },
	{ "an A of 5", P(ONE AB IS("\1") "\0\5" ADDRESS "\1"), DNS_A },
	{ "an A of none", P(ONE AB IS("\1") "\0\0"), DNS_A },
	{ "an AAAA of 4", P(ONE AB IS("\x1c") "\0\4" ADDRESS), DNS_AAAA },
	{ "an MX of 1", P(ONE AB IS("\x0f") "\0\1\0"), DNS_MX },
	{ "an MX without a host", P(ONE AB IS("\x0f") "\0\2\0\1"), DNS_MX },
	{ "an MX with more behind", P(ONE AB IS("\x0f") "\0\5\0\1" AB "\0"), DNS_MX },
	{ "an MX whose host goes on behind it", P(TWO AB IS("\x0f") "\0\3\0\1\1" "a\0" IS_A ADDRESS), DNS_MX },
	{ "a PTR of none", P(ONE AB IS("\x0c") "\0\0"), DNS_PTR },
	{ "a CNAME with more behind", P(ONE AB IS("\5") "\0\3\xc0\x0e\0"), DNS_A },
	{ "a TXT's string over its end", P(ONE AB IS("\x10") "\0\3\3ab"), DNS_TXT },
	{ "a CNAME for itself", P(ONE AB IS("\5") "\0\2" AB), DNS_A },
	{ "CNAMEs in a circle", P(TWO AB IS("\5") "\0\2\xc0\x0e" "\xc0\x0e" IS("\5") "\0\2" AB), DNS_A },
};

START_TEST(packet_bad)
{
	struct dns_answer_set set;

	ck_assert_msg(!dns_packet_parse(bad[_i].packet, STR("a.b"), bad[_i].type, &set), "%s", bad[_i].why);
	ck_assert(!set.raw.p && set.raw.n == 0 && set.records.n == 0 && set.records.raw.n == 0);
}
END_TEST

/* What is well formed: how many records, and the first one. */
static const struct {
	const char *why;
	struct str packet;
	uint16_t type;
	const char *asked;
	unsigned n;
	struct str first;
	const char *canonical;
	unsigned rcode;
	uint32_t ttl;
} good[] = {
	{ "an answer without records", P(HEAD("\x83", "\1", "\0") QUESTION), DNS_A, "a.b", 0, P(""), "a.b", 3, 0 },
	{ "another one's address", P(ONE "\xc0\x0e" IS_A ADDRESS), DNS_A, "a.b", 0, P(""), "a.b", 0, 0 },
	{ "another class", P(ONE AB "\0\1\0\3" TTL "\0\4" ADDRESS), DNS_A, "a.b", 0, P(""), "a.b", 0, 0 },
	{ "another type", P(ONE AB IS_A ADDRESS), DNS_MX, "a.b", 0, P(""), "a.b", 0, 0 },
	{ "an alias with an odd name", P(TWO AB IS("\5") "\0\4\2a \0" "\2b \0" IS_A ADDRESS), DNS_A, "a.b", 0, P(""), "a.b", 0, 256 },
	{ "an alias for the root", P(TWO AB IS("\5") "\0\1\0" "\0" IS_A ADDRESS), DNS_A, "a.b", 0, P(""), "a.b", 0, 256 },
	{ "an address", P(ONE AB IS_A ADDRESS), DNS_A, "A.b.", 1, P(ADDRESS), "a.b", 0, 256 },
	{ "upper case", P(ONE "\1A\1B\0" IS_A ADDRESS), DNS_A, "a.b", 1, P(ADDRESS), "a.b", 0, 256 },
	{ "no question", P(HEAD("\x80", "\0", "\1") "\1a\1b\0" IS_A ADDRESS), DNS_A, "a.b", 1, P(ADDRESS), "a.b", 0, 256 },
	{ "a negative ttl", P(ONE AB "\0\1\0\1\xff\xff\xff\xff\0\4" ADDRESS), DNS_A, "a.b", 1, P(ADDRESS), "a.b", 0, 0 },
	{ "MX", P(ONE AB IS("\x0f") "\0\4\1\2" "\xc0\x0e"), DNS_MX, "a.b", 1, P("\1\2" "b"), "a.b", 0, 256 },
	{ "null MX", P(ONE AB IS("\x0f") "\0\3\0\0\0"), DNS_MX, "a.b", 1, P("\0\0"), "a.b", 0, 256 },
	{ "MX with an odd host", P(ONE AB IS("\x0f") "\0\7\0\1\3a;b\0"), DNS_MX, "a.b", 1, P("\0\1?"), "a.b", 0, 256 },
	{ "a dot within a label", P(ONE AB IS("\x0c") "\0\5\3a.b\0"), DNS_PTR, "a.b", 1, P("?"), "a.b", 0, 256 },
	{ "NUL within a label", P(ONE AB IS("\x0c") "\0\5\3a\0b\0"), DNS_PTR, "a.b", 1, P("?"), "a.b", 0, 256 },
	{ "a long name", P(ONE AB IS("\x0c") "\0\xff" WIRE255), DNS_PTR, "a.b", 1, P(N253), "a.b", 0, 256 },
	{ "TXT of strings", P(ONE AB IS("\x10") "\0\6\2ab\0\1c"), DNS_TXT, "a.b", 1, P("abc"), "a.b", 0, 256 },
	{ "the alias itself", P(ONE AB IS("\5") "\0\2\xc0\x0e"), DNS_CNAME, "a.b", 1, P("b"), "a.b", 0, 256 },
	{ "alias behind what it is for", P(TWO "\xc0\x0e" IS_A ADDRESS AB "\0\5\0\1\0\0\0\7\0\2\xc0\x0e"), DNS_A, "a.b", 1, P(ADDRESS), "b", 0, 7 },
};

START_TEST(packet_good)
{
	struct dns_answer_set set;
	struct str first = { 0 };
	size_t at = 0;

	ck_assert_msg(dns_packet_parse(good[_i].packet, str_from(good[_i].asked), good[_i].type, &set), "%s", good[_i].why);
	ck_assert_uint_eq(set.records.n, good[_i].n);
	strs_next(&set.records, &at, &first);
	ck_assert_str_is(first, good[_i].first);
	ck_assert_str_eq(set.canonical, good[_i].canonical);
	ck_assert_uint_eq(set.rcode, good[_i].rcode);
	ck_assert_uint_eq(set.ttl, good[_i].ttl);
	dns_answer_set_free(&set);
}
END_TEST

static void add16(struct buf *b, unsigned v)
{
	buf_addc(b, (char)(v >> 8));
	buf_addc(b, (char)v);
}

static void add_head(struct buf *b, unsigned answers)
{
	buf_add(b, str_of("\x12\x34\x81\x80\0\1", 6));
	add16(b, answers);
	buf_add(b, str_of("\0\0\0\0" QUESTION, 4 + sizeof(QUESTION) - 1));
}

static void add_record(struct buf *b, struct str owner, unsigned type, struct str data)
{
	buf_add(b, owner);
	add16(b, type);
	buf_add(b, str_of("\0\1" TTL, 6));
	add16(b, (unsigned)data.n);
	buf_add(b, data);
}

START_TEST(packet_record_limit)
{
	for (unsigned n = DNS_RECORDS_MAX - 1; n <= DNS_RECORDS_MAX + 1; n++) {
		scoped_buf struct buf b = { 0 };
		struct dns_answer_set set;
		add_head(&b, n);
		for (unsigned i = 0; i < n; i++)
			add_record(&b, STR(AB), DNS_A, STR(ADDRESS));
		ck_assert(dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set));
		ck_assert_uint_eq(set.records.n, n < DNS_RECORDS_MAX ? n : DNS_RECORDS_MAX);
		ck_assert(set.cut == (n > DNS_RECORDS_MAX));
		dns_answer_set_free(&set);
	}
}
END_TEST

/* a.b for c.b for d.b and so on; then an address. */
static void add_chain(struct buf *b, int aliases)
{
	char owner[] = "\1a\1b", target[] = "\1c\1b";

	for (int i = 0; i < aliases; i++) {
		target[1] = (char)('c' + i);
		add_record(b, str_of(owner, sizeof(owner)), DNS_CNAME, str_of(target, sizeof(target)));
		owner[1] = target[1];
	}
	add_record(b, str_of(owner, sizeof(owner)), DNS_A, STR(ADDRESS));
}

START_TEST(packet_chain_limit)
{
	for (int n = 0; n <= DNS_CNAMES_MAX + 1; n++) {
		scoped_buf struct buf b = { 0 };
		struct dns_answer_set set;
		add_head(&b, (unsigned)n + 1);
		add_chain(&b, n);
		bool ok = dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set);
		ck_assert(ok == (n <= DNS_CNAMES_MAX));
		ck_assert_uint_eq(set.records.n, ok);
		dns_answer_set_free(&set);
	}
}
END_TEST

/* Data of a TXT that is nothing but pointers, each to the one before: the last needs `n` of them to come to a.b. */
static void add_pointers(struct buf *b, unsigned n)
{
	scoped_buf struct buf data = { 0 };
	size_t at = b->n + 12;

	for (unsigned i = 0; i < n; i++)
		add16(&data, 0xc000u | (unsigned)(i == 0 ? 12 : at + 2 * (i - 1)));
	add_record(b, STR(AB), DNS_TXT, buf_str(&data));
}

START_TEST(packet_pointer_limit)
{
	for (unsigned n = 63; n <= 65; n++) {
		scoped_buf struct buf b = { 0 }, owner = { 0 };
		struct dns_answer_set set;
		add_head(&b, 2);
		add_pointers(&b, 65);
		add16(&owner, 0xc000u | (unsigned)(12 + 21 + 2 * (n - 2)));
		add_record(&b, buf_str(&owner), DNS_A, STR(ADDRESS));
		ck_assert(dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set) == (n <= 64));
		dns_answer_set_free(&set);
	}
}
END_TEST

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/*
 * The worst that 64 KiB can do: a chain of aliases as long as it may be, so that all is walked again for each, and
 * thousands of records whose names are long and reached by many pointers.
 */
START_TEST(packet_hostile_time)
{
	scoped_buf struct buf b = { 0 }, owner = { 0 }, data = { 0 };
	struct dns_answer_set set;
	unsigned n = 0;

	add_head(&b, 0xffff);
	add_chain(&b, DNS_CNAMES_MAX);
	n += DNS_CNAMES_MAX + 1;
	size_t at = b.n + 12;
	buf_add(&data, STR(WIRE255));
	for (unsigned i = 0; i < 63; i++)
		add16(&data, 0xc000u | (unsigned)(i == 0 ? at : at + sizeof(WIRE255) - 1 + 2 * (i - 1)));
	add16(&owner, 0xc000u | (unsigned)(at + sizeof(WIRE255) - 1 + 2 * 62));
	add_record(&b, STR(AB), DNS_TXT, buf_str(&data));
	n++;
	while (b.n + 12 <= DNS_PACKET_MAX) {
		add_record(&b, buf_str(&owner), DNS_A, STR(""));
		n++;
	}
	b.p[6] = (char)(n >> 8);
	b.p[7] = (char)n;
	double begin = seconds();
	ck_assert(dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set));
	double took = seconds() - begin;
	ck_assert_uint_eq(set.records.n, 1);
	dns_answer_set_free(&set);
	ck_assert_msg(took < 2, "%u records took %.1f s", n, took);
}
END_TEST

/* A packet of endless labels, each record's name all of them: refused at the first. */
START_TEST(packet_endless_name)
{
	scoped_buf struct buf b = { 0 };
	struct dns_answer_set set;

	add_head(&b, 3000);
	size_t at = b.n + 12;
	scoped_buf struct buf data = { 0 }, owner = { 0 };
	while (data.n < 16000)
		buf_add(&data, STR(WIRE63));
	buf_addc(&data, 0);
	add_record(&b, STR(AB), DNS_TXT, buf_str(&data));
	add16(&owner, 0xc000u | (unsigned)at);
	for (int i = 1; i < 3000; i++)
		add_record(&b, buf_str(&owner), DNS_A, STR(ADDRESS));
	ck_assert(b.n <= DNS_PACKET_MAX);
	ck_assert(!dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set));
}
END_TEST

START_TEST(packet_size_limit)
{
	scoped_buf struct buf b = { 0 };
	struct dns_answer_set set;

	add_head(&b, 0);
	while (b.n < DNS_PACKET_MAX)
		buf_addc(&b, 0);
	ck_assert(dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set));
	dns_answer_set_free(&set);
	buf_addc(&b, 0);
	ck_assert(!dns_packet_parse(buf_str(&b), STR("a.b"), DNS_A, &set));
	/* nor is one asked that is no name */
	b.n = 100;
	char name[DNS_NAME_MAX + 1];
	memset(name, 'a', sizeof(name));
	ck_assert(!dns_packet_parse(buf_str(&b), str_of(name, sizeof(name)), DNS_A, &set));
}
END_TEST

static const struct {
	const char *name;
	bool ok;
} names[] = {
	{ "", false },	     { ".", false },	  { "..", false },	{ ".a", false },	   { "a..b", false },
	{ "a..", false },    { "a b", false },	  { "a\n", false },	{ "\xc3\xb6.test", false }, { "*.test", false },
	{ "?", false },	     { "a/b", false },	  { L63 "x", false },	{ "a." L63 "x.b", false },  { N253 "x", false },
	{ "a." N253, false }, { "a", true },	  { "a.", true },	{ "A.b-c.1", true },	   { "_25._tcp.a", true },
	{ L63, true },	     { N253, true },	  { N253 ".", true },	{ "1.0.0.127.in-addr.arpa", true },
};

START_TEST(name_ok)
{
	ck_assert_msg(dns_name_ok(str_from(names[_i].name)) == names[_i].ok, "%s", names[_i].name);
}
END_TEST

TEST_MAIN("packet", tcase_add_loop_test(tc, packet_bad, 0, COUNT(bad)); tcase_add_loop_test(tc, packet_good, 0, COUNT(good));
	  tcase_add_test(tc, packet_record_limit); tcase_add_test(tc, packet_chain_limit);
	  tcase_add_test(tc, packet_pointer_limit); tcase_add_test(tc, packet_hostile_time);
	  tcase_add_test(tc, packet_endless_name); tcase_add_test(tc, packet_size_limit);
	  tcase_add_loop_test(tc, name_ok, 0, COUNT(names));)
