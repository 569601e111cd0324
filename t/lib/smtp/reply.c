#include "unit.h"

#include "smtp/reply.h"

static const struct {
	struct reply reply;
	const char *wire;
} replies[] = {
	{ { 250, { 0, 0, 0 }, "" }, "250 \r\n" },
	{ { 354, { 0, 0, 0 }, "Go on" }, "354 Go on\r\n" },
	{ { 250, { 2, 1, 0 }, "Ok" }, "250 2.1.0 Ok\r\n" },
	{ { 550, { 5, 7, 255 }, "a\nb\nc" }, "550-5.7.255 a\r\n550-5.7.255 b\r\n550 5.7.255 c\r\n" },
	{ { 550, { 5, 7, 1 }, "a\n" }, "550-5.7.1 a\r\n550 5.7.1 \r\n" },
	{ { 550, { 5, 7, 1 }, "a\r\t\x1b\x7f\xc3\xb6z" }, "550 5.7.1 a??????z\r\n" },
};

START_TEST(reply_wire)
{
	scoped_buf struct buf out = { 0 }, small = { .limit = 5 };

	ck_assert(reply_write(&replies[_i].reply, &out));
	ck_assert_str_is(buf_str(&out), str_from(replies[_i].wire));
	ck_assert(!reply_write(&replies[_i].reply, &small));
	ck_assert_uint_eq(small.n, 0);
}
END_TEST

START_TEST(reply_line_limit)
{
	scoped_buf struct buf out = { 0 };
	char text[2000];

	memset(text, 'x', sizeof(text));
	struct reply r = REPLY(250, 2, 0, 0, "unused");
	ck_assert(reply_write_line(&r, str_of(text, sizeof(text)), false, &out));
	ck_assert_uint_eq(out.n, REPLY_LINE_MAX);
	ck_assert(str_starts(buf_str(&out), STR("250-2.0.0 xx")) && str_ends(buf_str(&out), STR("x\r\n")));
}
END_TEST

START_TEST(reply_hostile_text)
{
	scoped_buf struct buf out = { 0 };
	struct reply r = reply_make(555, 5, 5, 4, "no <%s>", "x\r\n250 Ok");

	ck_assert(reply_write(&r, &out));
	ck_assert_str_is(buf_str(&out), STR("555-5.5.4 no <x?\r\n555 5.5.4 250 Ok>\r\n"));
	char text[400];
	memset(text, 'x', sizeof(text));
	r = reply_make(250, 2, 0, 0, "%.*s", (int)sizeof(text), text);
	ck_assert_uint_eq(strlen(r.text), REPLY_TEXT_MAX - 1);
}
END_TEST

TEST_MAIN("reply", tcase_add_loop_test(tc, reply_wire, 0, COUNT(replies)); tcase_add_test(tc, reply_line_limit);
	  tcase_add_test(tc, reply_hostile_text);)
