#include "unit.h"

#include "mail/header.h"

static const struct {
	struct str message;
	size_t fields, at; /* `at`: where the body begins */
	enum header_stop stop;
} cases[] = {
	{ STR(""), 0, 0, HEADER_END_OF_MESSAGE },
	{ STR("\n"), 0, 1, HEADER_EMPTY_LINE },
	{ STR("\nFrom: a\n"), 0, 1, HEADER_EMPTY_LINE },
	{ STR(" From: a\n"), 0, 0, HEADER_NO_FIELD },
	{ STR(": a\n"), 0, 0, HEADER_NO_FIELD },
	{ STR("From a\n"), 0, 0, HEADER_NO_FIELD },
	{ STR("From"), 0, 0, HEADER_NO_FIELD },
	{ STR("From "), 0, 0, HEADER_NO_FIELD },
	{ STR("From\n: a\n"), 0, 0, HEADER_NO_FIELD },
	{ STR("Fr\0om: a\n"), 0, 0, HEADER_NO_FIELD },
	{ STR("Fr\xc3\xb6m: a\n"), 0, 0, HEADER_NO_FIELD },
	{ STR("a: b\nhello there: c\nd: e\n"), 1, 5, HEADER_NO_FIELD },
	{ STR("a: b\r\n\r\nbody"), 1, 6, HEADER_NO_FIELD },
	{ STR("a:"), 1, 2, HEADER_END_OF_MESSAGE },
	{ STR("a: b\n c\n\td\ne : f\n\nbody: x\n"), 2, 18, HEADER_EMPTY_LINE },
	{ STR("a: b\n \n \n\n"), 1, 10, HEADER_EMPTY_LINE },
	{ STR("a:b:c\nd:\0\n"), 2, 10, HEADER_END_OF_MESSAGE },
};

static void check_scan(size_t i, size_t cut)
{
	struct header_scan h = { 0 };

	header_scan(&h, str_head(cases[i].message, cut));
	header_scan(&h, str_skip(cases[i].message, cut));
	header_scan_end(&h);
	ck_assert_int_eq(h.stop, cases[i].stop);
	ck_assert_uint_eq(h.fields, cases[i].fields);
	ck_assert_uint_eq(h.length, cases[i].at);
	if (h.stop == HEADER_NO_FIELD)
		ck_assert_uint_eq(h.line, cases[i].at);
}

START_TEST(header_ends)
{
	size_t i = (size_t)_i;
	struct header_iter it = header_begin(cases[i].message);
	struct header_field f;

	while (header_next(&it, &f))
		;
	ck_assert(!header_next(&it, &f));
	ck_assert_int_eq(it.stop, cases[i].stop);
	ck_assert_uint_eq(it.fields, cases[i].fields);
	ck_assert_uint_eq(it.at, cases[i].at);
	ck_assert_str_is(it.rest, str_skip(cases[i].message, cases[i].at));
	for (size_t cut = 0; cut <= cases[i].message.n; cut++)
		check_scan(i, cut);
}
END_TEST

START_TEST(header_fields)
{
	scoped_buf struct buf value = { 0 };
	struct header_iter it = header_begin(STR("Subject:  one\n\ttwo \n three \nX \t:\nY:z"));
	struct header_field f;

	ck_assert(header_next(&it, &f));
	ck_assert_str_is(f.name, STR("Subject"));
	ck_assert_str_is(f.value, STR("  one\n\ttwo \n three "));
	ck_assert_str_is(f.whole, STR("Subject:  one\n\ttwo \n three \n"));
	ck_assert(header_unfold(f.value, &value));
	ck_assert_str_is(buf_str(&value), STR("one\ttwo  three"));
	ck_assert(header_next(&it, &f));
	ck_assert_str_is(f.name, STR("X"));
	ck_assert_str_is(f.value, STR(""));
	ck_assert(header_next(&it, &f));
	ck_assert_str_is(f.value, STR("z"));
	ck_assert_str_is(f.whole, STR("Y:z"));
	ck_assert(!header_next(&it, &f));
}
END_TEST

START_TEST(unfold_bad)
{
	scoped_buf struct buf value = { .limit = 4 };

	ck_assert(!header_unfold(STR("12345"), &value));
	ck_assert(header_unfold(STR("\n\r \n"), &value));
	ck_assert_uint_eq(value.n, 0);
	ck_assert(header_unfold(STR(" a\r\nb\r"), &value));
	ck_assert_str_is(buf_str(&value), STR("ab"));
}
END_TEST

START_TEST(header_limits)
{
	scoped_buf struct buf many = { 0 }, large = { 0 };
	struct header_field f;

	for (size_t i = 0; i <= HEADER_FIELDS_MAX; i++)
		buf_add(&many, STR("a:\n"));
	struct header_iter it = header_begin(buf_str(&many));
	while (header_next(&it, &f))
		;
	ck_assert_int_eq(it.stop, HEADER_TOO_BIG);
	ck_assert_uint_eq(it.fields, HEADER_FIELDS_MAX);

	buf_add(&large, STR("a:b\nc:"));
	while (large.n <= HEADER_OCTETS_MAX)
		buf_add(&large, STR("xxxxxxxxxxxxxxxx\n "));
	it = header_begin(buf_str(&large));
	ck_assert(header_next(&it, &f) && !header_next(&it, &f));
	ck_assert_int_eq(it.stop, HEADER_TOO_BIG);
}
END_TEST

START_TEST(scan_counts)
{
	const struct str message =
		STR("Return-Path: <a>\nRECEIVED: x\nreceived :y\n z\nReceived-SPF: n\nDelivered-To: a\n"
		    "from:a\nFrom : b\nTo:\nCc: x\nbcc: y\nX-To: no\nDate: d\nmessage-id: <m>\n"
		    "A-name-that-is-longer-than-all-that-the-scanner-keeps-of-one-From: x\n\nFrom: c\n");
	static const size_t want[HEADER_KNOWN] = {
		[HEADER_DATE] = 1,     [HEADER_FROM] = 2,	 [HEADER_MESSAGE_ID] = 1,
		[HEADER_TO] = 1,       [HEADER_CC] = 1,		 [HEADER_BCC] = 1,
		[HEADER_RECEIVED] = 2, [HEADER_RETURN_PATH] = 1, [HEADER_DELIVERED_TO] = 1,
	};

	for (size_t size = 1; size <= message.n; size++) {
		struct header_scan h = { 0 };
		for (size_t at = 0; at < message.n; at += size)
			header_scan(&h, str_head(str_skip(message, at), size));
		ck_assert_int_eq(h.stop, HEADER_EMPTY_LINE);
		ck_assert_uint_eq(h.length, message.n - strlen("From: c\n"));
		ck_assert_uint_eq(h.fields, 14);
		for (size_t i = 0; i < HEADER_KNOWN; i++)
			ck_assert_uint_eq(h.count[i], want[i]);
	}
}
END_TEST

TEST_MAIN("header", tcase_add_loop_test(tc, header_ends, 0, COUNT(cases)); tcase_add_test(tc, header_fields);
	  tcase_add_test(tc, unfold_bad); tcase_add_test(tc, header_limits); tcase_add_test(tc, scan_counts);)
