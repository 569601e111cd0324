#include "unit.h"

#include "base/hash.h"
#include "mbox/record.h"

#define HEAD "tayori-folder 1\nuidvalidity 7\nmailbox 0123456789abcdef0123456789abcdef\nuidnext 1\n"

#define HUNDRED "x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789"

/* Each line gets its checksum. */
static void sign(const char *text, struct buf *out)
{
	struct str in = str_from(text);

	while (in.n > 0) {
		struct str line = str_cut(&in, '\n');
		buf_add(out, line);
		buf_addf(out, " %08x\n", crc32c(0, line));
	}
}

static const struct {
	const char *in;
	int bad_line; /* -1: none */
	uint32_t uidnext;
} records[] = {
	{ "", .bad_line = 0 },
	{ "tayori-folder 2\n", .bad_line = 0 },
	{ "tayori-folder 1\n", .bad_line = 1 },
	{ "uidvalidity 7\ntayori-folder 1\n", .bad_line = 0 },
	{ "tayori-folder 1\nuidvalidity 0\n", .bad_line = 1 },
	{ "tayori-folder 1\nuidvalidity 4294967296\n", .bad_line = 1 },
	{ "tayori-folder 1\nuidvalidity 7\nmailbox 0123\n", .bad_line = 2 },
	{ "tayori-folder 1\nuidvalidity 7\nmailbox 0123456789abcdef0123456789abcdeg\n", .bad_line = 2 },
	{ "tayori-folder 1\nuidvalidity 7\nmailbox 0123456789abcdef0123456789abcdef\n", .bad_line = 3 },
	{ "tayori-folder 1\nuidvalidity 7\nmailbox 0123456789abcdef0123456789abcdef\nuidl 1 a\n", .bad_line = 3 },
	{ HEAD "uidnext 1\n", .bad_line = 4 },
	{ HEAD "uidnext 5\nuidnext 4\n", .bad_line = 5 },
	{ HEAD "uidnext x\n", .bad_line = 4 },
	{ HEAD "mailbox 0123456789abcdef0123456789abcdef\n", .bad_line = 4 },
	{ HEAD "\n", .bad_line = 4 },
	{ HEAD "uidl 1\n", .bad_line = 4 },
	{ HEAD "uidl 1 \n", .bad_line = 4 },
	{ HEAD "uidl 0 a\n", .bad_line = 4 },
	{ HEAD "uidl 1 a b\n", .bad_line = 4 },
	{ HEAD "uidl 1 a\nuidl 1 b\n", .bad_line = 5 },
	{ HEAD "uidl 2 a\nuidl 1 b\n", .bad_line = 5 },
	{ HEAD "uidl 1 a123456789b123456789c123456789d123456789e123456789f123456789g1234567890\n", .bad_line = 4 },
	{ HEAD "uidls dovecot\n", .bad_line = 4 },
	{ HEAD "uidls dovecot 0\n", .bad_line = 4 },
	{ HEAD "uidls exim 5\n", .bad_line = 4 },
	{ HEAD "uidls dovecot 5\nuidls dovecot 6\n", .bad_line = 5 },
	{ HEAD "later 1\n", .bad_line = 4 },
	{ HEAD "modseq 1\n", .bad_line = 4 },
	{ HEAD "modseq\n", .bad_line = 4 },
	{ HEAD "modseq 9\nmodseq 9\n", .bad_line = 5 },
	{ HEAD "modseq 9223372036854775808\n", .bad_line = 4 },
	{ HEAD "keyword\n", .bad_line = 4 },
	{ HEAD "keyword a\n", .bad_line = 4 },
	{ HEAD "keyword a \n", .bad_line = 4 },
	{ HEAD "keyword A x\n", .bad_line = 4 },
	{ HEAD "keyword ab x\n", .bad_line = 4 },
	{ HEAD "keyword a b c\n", .bad_line = 4 },
	{ HEAD "keyword a x(y\n", .bad_line = 4 },
	{ HEAD "keyword a \\x\n", .bad_line = 4 },
	{ HEAD "keyword a x]\n", .bad_line = 4 },
	{ HEAD "keyword a \x80\n", .bad_line = 4 },
	{ HEAD "keyword a x\nkeyword a y\n", .bad_line = 5 },
	{ HEAD "keyword a Junk\nkeyword b junk\n", .bad_line = 5 },
	{ HEAD "keyword a " HUNDRED "x\n", .bad_line = 4 },
	{ HEAD, -1, 1 },
	{ HEAD "uidnext 9\n", -1, 9 },
	{ HEAD "modseq 9223372036854775807\nkeyword z " HUNDRED "\nkeyword a $Junk\nuidl 1 a\n", -1, 1 },
	{ HEAD "uidl 3 UID3-7\nuidnext 4294967295\nuidl 4 x\n", -1, UINT32_MAX },
};

static size_t line_at(struct str s, int number)
{
	struct str rest = s;

	while (number-- > 0)
		str_cut(&rest, '\n');
	return s.n - rest.n;
}

START_TEST(record_cases)
{
	scoped_buf struct buf in = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	sign(records[_i].in, &in);
	struct err err = { .at = -1, .start = in.p };
	ck_assert_int_eq(mbox_record_parse(buf_str(&in), &a, &r, &err), records[_i].bad_line < 0);
	if (records[_i].bad_line >= 0) {
		ck_assert_int_eq(err.at, (ptrdiff_t)line_at(buf_str(&in), records[_i].bad_line));
		return;
	}
	ck_assert_uint_eq(r.uidnext, records[_i].uidnext);
	ck_assert_uint_eq(r.uidvalidity, 7);
	ck_assert(!r.torn);
}
END_TEST

START_TEST(kept_uidls)
{
	scoped_buf struct buf in = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	sign(HEAD "uidl 3 three\nuidnext 99\nuidl 5 five\nuidl 90 ninety\n", &in);
	ck_assert(mbox_record_parse(buf_str(&in), &a, &r, NULL));
	ck_assert_str_is(mbox_record_uidl(&r, 3), STR("three"));
	ck_assert_str_is(mbox_record_uidl(&r, 5), STR("five"));
	ck_assert_str_is(mbox_record_uidl(&r, 90), STR("ninety"));
	ck_assert_uint_eq(mbox_record_uidl(&r, 4).n, 0);
	ck_assert_uint_eq(mbox_record_uidl(&r, 91).n, 0);
	ck_assert_uint_eq(r.stale, 1);
}
END_TEST

START_TEST(shown_uidls)
{
	scoped_buf struct buf in = { 0 }, text = { 0 };
	scoped_arena struct arena a = { 0 }, b = { 0 };
	char out[MBOX_RECORD_UIDL_MAX + 1];
	struct mbox_record r;

	sign(HEAD "uidl 3 three\nuidls dovecot 5\n", &in);
	ck_assert(mbox_record_parse(buf_str(&in), &a, &r, NULL));
	mbox_record_format(&r, &text);
	ck_assert(mbox_record_parse(buf_str(&text), &b, &r, NULL));
	ck_assert_str_is(mbox_record_shown_uidl(&r, 3, out), STR("three"));
	ck_assert_str_is(mbox_record_shown_uidl(&r, 4, out), STR("0000000400000007"));
	ck_assert_str_is(mbox_record_shown_uidl(&r, 5, out), STR("0000000700000005"));
}
END_TEST

/* Cut at every byte: in the head it is damage, behind it the state before the torn line. */
START_TEST(torn_at_every_byte)
{
	scoped_buf struct buf in = { 0 };

	sign(HEAD "uidnext 9\nuidl 3 three\nuidnext 12\n", &in);
	struct str all = buf_str(&in);
	for (size_t n = 0; n < all.n; n++) {
		scoped_arena struct arena a = { 0 };
		struct mbox_record r;
		bool ok = mbox_record_parse(str_head(all, n), &a, &r, NULL);
		ck_assert_int_eq(ok, n >= line_at(all, 4));
		if (!ok)
			continue;
		ck_assert_uint_eq(r.uidnext, n < line_at(all, 5) ? 1 : 9);
		ck_assert_uint_eq(r.n_uidls, n < line_at(all, 6) ? 0 : 1);
		ck_assert_int_eq(r.torn, all.p[n - 1] != '\n');
	}
}
END_TEST

/* Every other change of a byte is damage, the last line included: its reservation may have been believed. */
START_TEST(damage_at_every_byte)
{
	scoped_buf struct buf in = { 0 };

	sign(HEAD "uidnext 9\nuidnext 12\n", &in);
	size_t last = line_at(buf_str(&in), 5);
	for (size_t i = 0; i + 1 < in.n; i++) {
		scoped_arena struct arena a = { 0 };
		struct mbox_record r;
		char was = in.p[i];
		in.p[i] = was == 'z' ? 'y' : 'z';
		ck_assert_msg(!mbox_record_parse(buf_str(&in), &a, &r, NULL), "octet %zu", i);
		in.p[i] = '\0'; /* a block that never came to the disk: in the last line only */
		ck_assert_int_eq(mbox_record_parse(buf_str(&in), &a, &r, NULL), i + 1 >= last);
		in.p[i] = was;
	}
}
END_TEST

START_TEST(modseq_and_keywords)
{
	scoped_buf struct buf in = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	sign(HEAD, &in);
	ck_assert(mbox_record_parse(buf_str(&in), &a, &r, NULL));
	ck_assert_uint_eq(r.modseq, 1);
	sign("modseq 1001\nkeyword c $Forwarded\nmodseq 2001\nkeyword a NonJunk\n", &in);
	ck_assert(mbox_record_parse(buf_str(&in), &a, &r, NULL));
	ck_assert_uint_eq(r.modseq, 2001);
	ck_assert_uint_eq(r.stale, 1);
	ck_assert_str_is(r.keywords[0], STR("NonJunk"));
	ck_assert_str_is(r.keywords[1], STR(""));
	ck_assert_int_eq(mbox_record_keyword_find(&r, STR("$FORWARDED")), 2);
	ck_assert_int_eq(mbox_record_keyword_find(&r, STR("$Forward")), -1);
	ck_assert_int_eq(mbox_record_keyword_find(&r, STR("")), -1);
}
END_TEST

START_TEST(format_again)
{
	scoped_buf struct buf in = { 0 }, out = { 0 }, want = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	sign(HEAD "keyword q Q\nuidnext 9\nmodseq 2\nuidl 3 three\nmodseq 5\nuidnext 12\nkeyword b B\n", &in);
	ck_assert(mbox_record_parse(buf_str(&in), &a, &r, NULL));
	mbox_record_format(&r, &out);
	sign("tayori-folder 1\nuidvalidity 7\nmailbox 0123456789abcdef0123456789abcdef\nuidnext 12\n"
	     "modseq 5\nkeyword b B\nkeyword q Q\nuidl 3 three\n",
	     &want);
	ck_assert_str_is(buf_str(&out), buf_str(&want));
}
END_TEST

TEST_MAIN("mbox record", tcase_add_loop_test(tc, record_cases, 0, COUNT(records)); tcase_add_test(tc, kept_uidls); tcase_add_test(tc, shown_uidls);
	  tcase_add_test(tc, torn_at_every_byte); tcase_add_test(tc, damage_at_every_byte);
	  tcase_add_test(tc, modseq_and_keywords); tcase_add_test(tc, format_again))
