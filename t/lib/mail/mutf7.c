#include "unit.h"

#include "base/buf.h"
#include "mail/mutf7.h"

static const struct str bad[] = {
	STR("\xc3\xa4"), STR("\t"),	  STR("a\0b"),	   STR("\x7f"),	    STR("&"),
	STR("a&"),	 STR("&AOQ"),	  STR("&AOQ/"),	   STR("&AO-"),	    STR("&A-"),
	STR("&AOQA-"),	 STR("&AOR-"),	  STR("&AOQ=-"),   STR("&AOQ -"),   STR("&/w-"),
	STR("&AGE-"),	 STR("&ACY-"),	  STR("&ACA-"),	   STR("&AOQAYQ-"), STR("&2D0-"),
	STR("&3AA-"),	 STR("&2D3YPQ-"), STR("&3ADYPQ-"), STR("&2D0AYQ-"), STR("&U,BTFw-&ZeVnLIqe-"),
	STR("&AOQ"),
};

START_TEST(decode_bad)
{
	scoped_buf struct buf out = { 0 };

	buf_addc(&out, 'x');
	ck_assert(!mutf7_decode(bad[_i], &out));
	ck_assert_str_is(buf_str(&out), STR("x"));
}
END_TEST

START_TEST(encode_bad)
{
	scoped_buf struct buf out = { .limit = 4 };

	ck_assert(!mutf7_encode(STR("\xe4"), &out));
	ck_assert(!mutf7_encode(STR("\xed\xa0\x80"), &out));
	ck_assert(!mutf7_encode(STR("\xc3\xa4"), &out));
	ck_assert(!mutf7_decode(STR("abcde"), &out));
	ck_assert_uint_eq(out.n, 0);
	ck_assert(mutf7_encode(STR("abcd"), &out));
}
END_TEST

static const struct {
	struct str coded, utf8;
} pairs[] = {
	{ STR(""), STR("") },
	{ STR("INBOX"), STR("INBOX") },
	{ STR("a&-b"), STR("a&b") },
	{ STR("&-&-"), STR("&&") },
	{ STR("&AOQ-&-"), STR("\xc3\xa4&") },
	{ STR("&-&AOQ-"), STR("&\xc3\xa4") },
	{ STR("&AAA-"), STR("\0") },
	{ STR("&AH8-"), STR("\x7f") },
	{ STR("Entw&APw-rfe"), STR("Entw\xc3\xbcrfe") },
	{ STR("~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
	  STR("~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e") },
	{ STR("&2D3eAA-"), STR("\xf0\x9f\x98\x80") },
	{ STR("&,,8-"), STR("\xef\xbf\xbf") },
};

START_TEST(pair_cases)
{
	scoped_buf struct buf coded = { 0 }, utf8 = { 0 };

	ck_assert(mutf7_encode(pairs[_i].utf8, &coded));
	ck_assert_str_is(buf_str(&coded), pairs[_i].coded);
	ck_assert(mutf7_decode(pairs[_i].coded, &utf8));
	ck_assert_str_is(buf_str(&utf8), pairs[_i].utf8);
}
END_TEST

TEST_MAIN("mutf7", tcase_add_loop_test(tc, decode_bad, 0, COUNT(bad)); tcase_add_test(tc, encode_bad);
	  tcase_add_loop_test(tc, pair_cases, 0, COUNT(pairs));)
