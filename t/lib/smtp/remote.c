#include "unit.h"

#include "smtp/remote.h"

/* One line as the first of a reply. */
static const struct {
	const char *line;
	enum remote_line got;
	int code;
	const char *status, *text;
} lines[] = {
	{ "", REMOTE_NONSENSE, 0, "", "" },
	{ "25", REMOTE_NONSENSE, 0, "", "" },
	{ "199 a", REMOTE_NONSENSE, 0, "", "" },
	{ "600 a", REMOTE_NONSENSE, 0, "", "" },
	{ "000 a", REMOTE_NONSENSE, 0, "", "" },
	{ "2a0 a", REMOTE_NONSENSE, 0, "", "" },
	{ "25: a", REMOTE_NONSENSE, 0, "", "" },
	{ "-250 a", REMOTE_NONSENSE, 0, "", "" },
	{ " 250 a", REMOTE_NONSENSE, 0, "", "" },
	{ "250x", REMOTE_NONSENSE, 0, "", "" },
	{ "250_a", REMOTE_NONSENSE, 0, "", "" },
	{ "250\ta", REMOTE_NONSENSE, 0, "", "" },
	{ "2500 a", REMOTE_NONSENSE, 0, "", "" },
	{ "HTTP/1.1 400 Bad Request", REMOTE_NONSENSE, 0, "", "" },
	{ "250", REMOTE_WHOLE, 250, "", "250" },
	{ "250 ", REMOTE_WHOLE, 250, "", "250" },
	{ "250-", REMOTE_MORE, 250, "", "250" },
	{ "250 Ok", REMOTE_WHOLE, 250, "", "250 Ok" },
	{ "550 5.1.1 no \x1b[2J\xc3\xb6\t\r\x7f", REMOTE_WHOLE, 550, "5.1.1", "550 5.1.1 no ?[2J?????" },
	/* what is like a status, but is none */
	{ "550 4.1.1 x", REMOTE_WHOLE, 550, "", "550 4.1.1 x" },
	{ "354 3.0.0 x", REMOTE_WHOLE, 354, "", "354 3.0.0 x" },
	{ "550 51.1.1 x", REMOTE_WHOLE, 550, "", "550 51.1.1 x" },
	{ "550 5.1.1. x", REMOTE_WHOLE, 550, "", "550 5.1.1. x" },
	{ "550 5.1.1.1 x", REMOTE_WHOLE, 550, "", "550 5.1.1.1 x" },
	{ "550 5..1 x", REMOTE_WHOLE, 550, "", "550 5..1 x" },
	{ "550 5.1. x", REMOTE_WHOLE, 550, "", "550 5.1. x" },
	{ "550 5.1 x", REMOTE_WHOLE, 550, "", "550 5.1 x" },
	{ "550 5.1000.1 x", REMOTE_WHOLE, 550, "", "550 5.1000.1 x" },
	{ "550 5.0001.1 x", REMOTE_WHOLE, 550, "", "550 5.0001.1 x" },
	{ "550 5.-1.1 x", REMOTE_WHOLE, 550, "", "550 5.-1.1 x" },
	{ "550 5.1.1\tx", REMOTE_WHOLE, 550, "", "550 5.1.1?x" },
	{ "550  5.1.1 x", REMOTE_WHOLE, 550, "", "550  5.1.1 x" },
	{ "550 5.1.1", REMOTE_WHOLE, 550, "5.1.1", "550 5.1.1" },
	{ "451 4.7.650 x", REMOTE_WHOLE, 451, "4.7.650", "451 4.7.650 x" },
	{ "250 2.999.999 x", REMOTE_WHOLE, 250, "2.999.999", "250 2.999.999 x" },
};

START_TEST(remote_line)
{
	struct remote_reply r = { 0 };

	ck_assert_int_eq(remote_take(&r, str_from(lines[_i].line)), lines[_i].got);
	if (lines[_i].got == REMOTE_NONSENSE)
		return;
	ck_assert_int_eq(r.code, lines[_i].code);
	ck_assert_str_eq(r.status, lines[_i].status);
	ck_assert_str_eq(r.text, lines[_i].text);
}
END_TEST

START_TEST(remote_many_lines)
{
	struct remote_reply r = { 0 }, differs = { 0 };

	ck_assert_int_eq(remote_take(&differs, STR("250-a")), REMOTE_MORE);
	ck_assert_int_eq(remote_take(&differs, STR("251 b")), REMOTE_NONSENSE);

	ck_assert_int_eq(remote_take(&r, STR("550-no")), REMOTE_MORE);
	ck_assert_int_eq(remote_take(&r, STR("550-")), REMOTE_MORE);
	ck_assert_int_eq(remote_take(&r, STR("550 5.1.1 yes")), REMOTE_WHOLE);
	ck_assert_str_eq(r.text, "550 no 5.1.1 yes");
	/* only the first line's counts */
	ck_assert_str_eq(r.status, "");
	ck_assert_uint_eq(r.lines, 3);
}
END_TEST

START_TEST(remote_limits)
{
	struct remote_reply r = { 0 };
	char line[REMOTE_LINE_MAX];

	memset(line, 'x', sizeof(line));
	memcpy(line, "550-", 4);
	for (int i = 0; i < REMOTE_LINES_MAX; i++)
		ck_assert_int_eq(remote_take(&r, str_of(line, i % 2 ? sizeof(line) : 5)), REMOTE_MORE);
	ck_assert_uint_eq(strlen(r.text), REMOTE_TEXT_MAX - 1);
	ck_assert_int_eq(remote_take(&r, STR("550 end")), REMOTE_NONSENSE);
	ck_assert_int_eq(remote_take(&r, STR("550 end")), REMOTE_NONSENSE);

	/* the last octet that there is room for, and the blank before it */
	for (size_t n = REMOTE_TEXT_MAX - 4; n < REMOTE_TEXT_MAX + 4; n++) {
		r = (struct remote_reply){ 0 };
		ck_assert_int_eq(remote_take(&r, str_of(line, n)), REMOTE_MORE);
		ck_assert_int_eq(remote_take(&r, STR("550 yy")), REMOTE_WHOLE);
		ck_assert_uint_eq(strlen(r.text), n + 3 < REMOTE_TEXT_MAX ? n + 3 : REMOTE_TEXT_MAX - 1);
	}
}
END_TEST

enum { AUTHS = OFFER_AUTH_PLAIN | OFFER_AUTH_LOGIN | OFFER_AUTH_CRAM_MD5, UNTOUCHED = 7 };

static const struct {
	const char *line;
	unsigned offers;
	uint64_t size;
} offers[] = {
	{ "", 0, UNTOUCHED },
	{ " ", 0, UNTOUCHED },
	{ "STARTTLSX", 0, UNTOUCHED },
	{ "XSTARTTLS", 0, UNTOUCHED },
	{ "mx.test STARTTLS", 0, UNTOUCHED },
	{ "SIZEX 5", 0, UNTOUCHED },
	{ "SIZE=5", 0, UNTOUCHED },
	{ "AUTH", 0, UNTOUCHED },
	{ "AUTH=", 0, UNTOUCHED },
	{ "AUTH PLAINX XPLAIN CRAM-MD", 0, UNTOUCHED },
	{ "AUTHX PLAIN", 0, UNTOUCHED },
	{ "SIZE", OFFER_SIZE, 0 },
	{ "SIZE -1", OFFER_SIZE, 0 },
	{ "SIZE 1k", OFFER_SIZE, 0 },
	{ "SIZE 1 2", OFFER_SIZE, 0 },
	{ "SIZE 18446744073709551616", OFFER_SIZE, 0 },
	{ "SIZE 18446744073709551615", OFFER_SIZE, UINT64_MAX },
	{ "size  35882577 ", OFFER_SIZE, 35882577 },
	{ "SIZE 0", OFFER_SIZE, 0 },
	{ "PIPELINING", OFFER_PIPELINING, UNTOUCHED },
	{ "8bitmime", OFFER_8BITMIME, UNTOUCHED },
	{ "SMTPUTF8", OFFER_SMTPUTF8, UNTOUCHED },
	{ "StartTLS now", OFFER_STARTTLS, UNTOUCHED },
	{ "AUTH XOAUTH2  plain Login CRAM-MD5 ", AUTHS, UNTOUCHED },
	{ "AUTH=LOGIN PLAIN", OFFER_AUTH_LOGIN | OFFER_AUTH_PLAIN, UNTOUCHED },
};

START_TEST(remote_offers)
{
	unsigned got = OFFER_ESMTP;
	uint64_t size = UNTOUCHED;

	remote_offer(str_from(offers[_i].line), &got, &size);
	ck_assert_uint_eq(got, offers[_i].offers | OFFER_ESMTP);
	ck_assert_uint_eq(size, offers[_i].size);
}
END_TEST

TEST_MAIN("remote", tcase_add_loop_test(tc, remote_line, 0, COUNT(lines)); tcase_add_test(tc, remote_many_lines);
	  tcase_add_test(tc, remote_limits); tcase_add_loop_test(tc, remote_offers, 0, COUNT(offers));)
