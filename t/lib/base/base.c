#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/net.h"
#include "base/random.h"
#include "base/time.h"
#include "base/utf8.h"

static const struct {
	const char *in;
	uint64_t most;
	bool ok;
	uint64_t value;
} numbers[] = {
	{ "", 10, false, 0 },
	{ "-1", 10, false, 0 },
	{ "1 ", 10, false, 0 },
	{ "11", 10, false, 0 },
	{ "18446744073709551616", UINT64_MAX, false, 0 },
	{ "99999999999999999999999999", UINT64_MAX, false, 0 },
	{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
	{ "010", 10, true, 10 },
};

START_TEST(number_cases)
{
	uint64_t v = 7;

	ck_assert_int_eq(str_u64(str_from(numbers[_i].in), numbers[_i].most, &v), numbers[_i].ok);
	ck_assert_uint_eq(v, numbers[_i].ok ? numbers[_i].value : 7);
}
END_TEST

START_TEST(str_cutting)
{
	struct str s = STR("MAIL FROM:<a@b>");

	ck_assert_str_is(str_cut(&s, ' '), STR("MAIL"));
	ck_assert(str_eat_word(&s, STR("from:")));
	ck_assert(!str_eat(&s, '>'));
	ck_assert_str_is(s, STR("<a@b>"));
	ck_assert_str_is(str_cut(&s, '!'), STR("<a@b>"));
	ck_assert_uint_eq(s.n, 0);
	ck_assert_str_is(str_trim(STR(" \t x y\t ")), STR("x y"));
	ck_assert_str_is(str_trim(STR(" \t ")), STR(""));
	ck_assert_int_eq(str_rfind(STR("a@b@c"), '@'), 3);
	ck_assert(str_ends(STR("a.b"), STR(".b")) && !str_ends(STR("b"), STR(".b")));
	ck_assert(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
}
END_TEST

START_TEST(buf_limit)
{
	scoped_buf struct buf b = { .limit = 5 };

	ck_assert(buf_add(&b, STR("12345")));
	ck_assert(!buf_addc(&b, '6'));
	ck_assert_str_eq(buf_cstr(&b), "12345");
	buf_consume(&b, 3);
	ck_assert_str_is(buf_str(&b), STR("45"));
	ck_assert(!buf_addf(&b, "%08d", 1));
	ck_assert(buf_addf(&b, "%03d", 1));
	ck_assert_str_is(buf_str(&b), STR("45001"));
}
END_TEST

START_TEST(buf_long_format)
{
	scoped_buf struct buf b = { 0 };

	ck_assert(buf_addf(&b, "%0500d|", 7));
	ck_assert_uint_eq(b.n, 501);
	ck_assert_int_eq(b.p[500], '|');
}
END_TEST

START_TEST(arena_budget)
{
	scoped_arena struct arena a = { .budget = 4096 };

	ck_assert(arena_str(&a, STR("hello")).p != NULL);
	ck_assert(arena_try(&a, 5000) == NULL);
	ck_assert(arena_try(&a, SIZE_MAX) == NULL);
	ck_assert(arena_array(&a, SIZE_MAX / 2, 3) == NULL);
	char *p = arena_try(&a, 3000);
	ck_assert(p && p[0] == 0 && p[2999] == 0);
	ck_assert_str_eq(arena_printf(&a, "%d-%s", 1, "x"), "1-x");
}
END_TEST

START_TEST(siphash_vector)
{
	/* the reference's key 00..0f and input 00..0e */
	uint8_t key[16], in[15];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	ck_assert_uint_eq(siphash(key, str_of(in, 15)), 0xa129ca6149be45e5);
}
END_TEST

START_TEST(crc_vector)
{
	ck_assert_uint_eq(crc32c(0, STR("123456789")), 0xe3069283);
	ck_assert_uint_eq(crc32c(crc32c(0, STR("1234")), STR("56789")), 0xe3069283);
}
END_TEST

START_TEST(table_against_array)
{
	scoped_table struct table t = { 0 };
	static int values[1000];
	int there[1000] = { 0 };

	for (int round = 0; round < 20000; round++) {
		int k = (int)(random_u64() % 1000);
		char key[16];
		int n = snprintf(key, sizeof(key), "k%d", k);
		struct str s = str_of(key, (size_t)n);
		if (random_u64() % 2) {
			ck_assert_ptr_eq(table_set(&t, s, &values[k]), there[k] ? &values[k] : NULL);
			there[k] = 1;
		} else {
			ck_assert_ptr_eq(table_remove(&t, s), there[k] ? &values[k] : NULL);
			there[k] = 0;
		}
	}
	size_t n = 0, at = 0;
	void *v;
	while (table_next(&t, &at, NULL, &v)) {
		ck_assert(there[(int *)v - values]);
		n++;
	}
	ck_assert_uint_eq(n, t.n);
	for (int i = 0; i < 1000; i++)
		n -= (size_t)there[i];
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(heap_order)
{
	struct heap h = { 0 };
	static struct heap_node nodes[500];

	for (size_t i = 0; i < COUNT(nodes); i++)
		heap_put(&h, &nodes[i], (int64_t)(random_u64() % 100));
	for (size_t i = 0; i < COUNT(nodes); i += 3)
		heap_remove(&h, &nodes[i]);
	for (size_t i = 1; i < COUNT(nodes); i += 3)
		heap_put(&h, &nodes[i], (int64_t)(random_u64() % 100));
	int64_t last = -1;
	size_t n = 0;
	for (struct heap_node *x; (x = heap_first(&h)); n++) {
		ck_assert(x->rank >= last);
		last = x->rank;
		heap_remove(&h, x);
	}
	ck_assert_uint_eq(n, COUNT(nodes) - (COUNT(nodes) + 2) / 3);
	heap_free(&h);
}
END_TEST

static const struct {
	const char *in;
	bool ok;
} utf8s[] = {
	{ "\xc0\x80", false },	     { "\xc1\xbf", false },	      { "\xe0\x80\x80", false },
	{ "\xed\xa0\x80", false },   { "\xf4\x90\x80\x80", false },   { "\xff", false },
	{ "\xe3\x81", false },	     { "\x80", false },		      { "\xf0\x8f\xbf\xbf", false },
	{ "plain", true },	     { "\xe4\xbe\xbf\xe3\x82\x8a", true }, { "\xf0\x9f\x93\xae", true },
	{ "\xf4\x8f\xbf\xbf", true },
};

START_TEST(utf8_cases)
{
	ck_assert_int_eq(utf8_valid(str_from(utf8s[_i].in)), utf8s[_i].ok);
}
END_TEST

static const struct {
	const char *in, *out; /* out NULL: refused */
} base64s[] = {
	{ "A", NULL },	   { "AB", NULL },   { "A===", NULL }, { "AB=C", NULL }, { "AA=A", NULL },
	{ "AB==", NULL },  { "AAB=", NULL }, { "AA A", NULL }, { "AA==AA==", NULL }, { "-_-_", NULL },
	{ "", "" },	   { "Zg==", "f" },  { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYmFy", "foobar" },
};

START_TEST(base64_cases)
{
	scoped_buf struct buf b = { 0 }, back = { 0 };
	bool ok = base64_decode(str_from(base64s[_i].in), &b);

	ck_assert_int_eq(ok, base64s[_i].out != NULL);
	if (!ok)
		return;
	ck_assert_str_is(buf_str(&b), str_from(base64s[_i].out));
	ck_assert(base64_encode(buf_str(&b), &back));
	ck_assert_str_is(buf_str(&back), str_from(base64s[_i].in));
}
END_TEST

START_TEST(dates)
{
	char out[DATE_MAX];

	setenv("TZ", "JST-9", 1);
	date_rfc5322(1795326749LL * 1000000, out);
	ck_assert_str_eq(out, "Sun, 22 Nov 2026 14:52:29 +0900");
	date_syslog(1793512349LL * 1000000, out);
	ck_assert_str_eq(out, "Nov  1 14:52:29");
}
END_TEST

START_TEST(errors)
{
	struct str in = STR("abcdef");
	struct err err = { .at = -1, .start = in.p };

	ck_assert(!err_at(&err, str_skip(in, 4), "odd"));
	ck_assert_int_eq(err.at, 4);
	ck_assert(!err_set(NULL, "nobody hears"));
}
END_TEST

static const struct {
	const char *address, *network;
} networks[] = {
	{ "", "" },
	{ "local", "local" },
	{ "192.0.2.1.5", "192.0.2.1.5" },
	{ "192.0.2.1", "192.0.2.1" },
	{ "::ffff:192.0.2.1", "192.0.2.1" },
	{ "::1", "::" },
	{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
	{ "2001:DB8:1:2::", "2001:db8:1:2::" },
};

START_TEST(network_cases)
{
	char out[NET_TEXT_MAX];

	ck_assert_str_is(net_owner(str_from(networks[_i].address), out), str_from(networks[_i].network));
}
END_TEST

static const struct {
	const char *net, *address, *why;
	bool has;
} nets[] = {
	{ "", "", "is no address and no network", false },
	{ "1.2.3", "", "is no address and no network", false },
	{ "[1.2.3.4", "", "is no address and no network", false },
	{ "1.2.3.4/-1", "", "has no length of 0 to 32 behind its /", false },
	{ "1.2.3.4/24/1", "", "has no length of 0 to 32 behind its /", false },
	{ "1.2.3.4/30", "", NULL, false },
	{ "1.2.3.4/29", "", "is no network: bits behind its length are set", false },
	{ "1.2.3.4", "1.2.3.4", NULL, true },
	{ "1.2.3.4", "1.2.3.5", NULL, false },
	{ "1.2.3.4/30", "1.2.3.7", NULL, true },
	{ "1.2.3.4/30", "1.2.3.8", NULL, false },
	{ "0.0.0.0/0", "1.2.3.8", NULL, true },
	{ "0.0.0.0/0", "::1", NULL, false },
	{ "[::1]/128", "[::1]", NULL, true },
	{ "[fe80::/10]", "febf::1", NULL, true },
	{ "fe80::/10", "fec0::1", NULL, false },
};

START_TEST(net_cases)
{
	struct net net, address;
	const char *why = net_parse(str_from(nets[_i].net), &net);

	ck_assert_int_eq(why != NULL, nets[_i].why != NULL);
	if (why)
		ck_assert_str_eq(why, nets[_i].why);
	else
		ck_assert_int_eq(net_address(str_from(nets[_i].address), &address) && net_has(&net, &address), nets[_i].has);
}
END_TEST

TEST_MAIN("base", {
	tcase_add_loop_test(tc, network_cases, 0, COUNT(networks));
	tcase_add_loop_test(tc, net_cases, 0, COUNT(nets));
	tcase_add_loop_test(tc, number_cases, 0, COUNT(numbers));
	tcase_add_test(tc, str_cutting);
	tcase_add_test(tc, buf_limit);
	tcase_add_test(tc, buf_long_format);
	tcase_add_test(tc, arena_budget);
	tcase_add_test(tc, siphash_vector);
	tcase_add_test(tc, crc_vector);
	tcase_add_test(tc, table_against_array);
	tcase_add_test(tc, heap_order);
	tcase_add_loop_test(tc, utf8_cases, 0, COUNT(utf8s));
	tcase_add_loop_test(tc, base64_cases, 0, COUNT(base64s));
	tcase_add_test(tc, dates);
	tcase_add_test(tc, errors);
})
