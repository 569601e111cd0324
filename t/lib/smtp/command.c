#include "unit.h"

#include "smtp/command.h"

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X240 X50 "." X50 "." X50 "." X50 "." X10 X10 X10 "xxxxxx"

static const struct {
	const char *in;
	int code;
	unsigned detail; /* the last of the enhanced status */
	const char *local;
	uint64_t size;
	enum command_body body;
	const char *auth;
} mails[] = {
	{ "", 501, 4, NULL, 0, 0, NULL },
	{ "TO:<a@b>", 501, 4, NULL, 0, 0, NULL },
	{ "FROM <a@b>", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:", 501, 7, NULL, 0, 0, NULL },
	{ "FROM:a@b", 501, 7, NULL, 0, 0, NULL },
	{ "FROM:<postmaster>", 501, 7, NULL, 0, 0, NULL },
	{ "FROM:<a@b", 501, 7, NULL, 0, 0, NULL },
	{ "FROM:<a@b>SIZE=1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b>\tSIZE=1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE=", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE=-1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE=1=2", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE=123456789012345678901", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE=1 SIZE=1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZE=1 body=7bit BODY=8BITMIME", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> BODY=BINARYMIME", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> BODY", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> AUTH=", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> AUTH", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> AUTH=a+4", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> AUTH=a+4g", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> =1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> -X=1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> X\x01=1", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> X=\x80", 501, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SMTPUTF8", 555, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> RET=HDRS SIZE=1", 555, 4, NULL, 0, 0, NULL },
	{ "FROM:<a@b> SIZ=1", 555, 4, NULL, 0, 0, NULL },

	{ "FROM:<>", 0, 0, "", 0, BODY_UNSTATED, NULL },
	{ "from:  <a@b>  ", 0, 0, "a", 0, BODY_UNSTATED, NULL },
	{ "FROM:<a@b> SIZE=0", 0, 0, "a", 0, BODY_UNSTATED, NULL },
	{ "FROM:<a@b>   size=12  Body=7bit", 0, 0, "a", 12, BODY_7BIT, NULL },
	{ "FROM:<a@b> AUTH=<> BODY=8BITMIME", 0, 0, "a", 0, BODY_8BITMIME, "<>" },
	{ "FROM:<a@b> AUTH=e+3Dmc2@example.com", 0, 0, "a", 0, BODY_UNSTATED, "e+3Dmc2@example.com" },
	{ "FROM:<a@b> SIZE=99999999999999999999", 0, 0, "a", UINT64_MAX, BODY_UNSTATED, NULL },
};

START_TEST(mail_cases)
{
	struct command_mail m;
	struct reply why;
	bool ok = command_mail_parse(str_from(mails[_i].in), &m, &why);

	ck_assert_msg(why.code == mails[_i].code, "%s: %d %s", mails[_i].in, why.code, why.text);
	ck_assert_int_eq(ok, why.code == 0);
	ck_assert_uint_eq(why.enh[2], mails[_i].detail);
	if (!ok)
		return;
	ck_assert_str_is(m.from.local, str_from(mails[_i].local));
	ck_assert_uint_eq(m.size, mails[_i].size);
	ck_assert_int_eq(m.body, mails[_i].body);
	ck_assert_int_eq(m.has_auth, mails[_i].auth != NULL);
	ck_assert_str_is(m.auth, str_from(mails[_i].auth));
}
END_TEST

static const struct {
	const char *in;
	int code;
	const char *local;
} rcpts[] = {
	{ "", 501, NULL },
	{ "FROM:<a@b>", 501, NULL },
	{ "TO:<>", 501, NULL },
	{ "TO:<a>", 501, NULL },
	{ "TO:<a@b>x", 501, NULL },
	{ "TO:<a@b> =", 501, NULL },
	{ "TO:<a@b> NOTIFY=NEVER", 555, NULL },
	{ "TO:<a@b> ORCPT=rfc822;a@b", 555, NULL },
	{ "TO:<a@b>", 0, "a" },
	{ "to: <@x:a@b> ", 0, "a" },
	{ "TO:<Postmaster>", 0, "Postmaster" },
};

START_TEST(rcpt_cases)
{
	struct path p;
	struct reply why;
	bool ok = command_rcpt_parse(str_from(rcpts[_i].in), &p, &why);

	ck_assert_msg(why.code == rcpts[_i].code, "%s: %d %s", rcpts[_i].in, why.code, why.text);
	ck_assert_int_eq(ok, why.code == 0);
	if (ok)
		ck_assert_str_is(p.local, str_from(rcpts[_i].local));
}
END_TEST

static const struct {
	const char *in, *name;
} helos[] = {
	{ "", NULL },
	{ "   ", NULL },
	{ "a b", NULL },
	{ "a\x01", NULL },
	{ "a\xc3\xb6", NULL },
	{ "-a", NULL },
	{ "a..b", NULL },
	{ ".", NULL },
	{ "[", NULL },
	{ "[]", NULL },
	{ "[1.2.3.4", NULL },
	{ "[a]b]", NULL },
	{ "[a b]", NULL },
	{ "[(1)]", NULL },
	{ "a@b", NULL },
	{ "<a>", NULL },
	{ X240 "." X10 "xxxxx", NULL },
	{ X240 "." X10 "xxxx", X240 "." X10 "xxxx" },
	{ " mail.example.org ", "mail.example.org" },
	{ "localhost", "localhost" },
	{ "my_pc", "my_pc" },
	{ "example.org.", "example.org." },
	{ "[192.0.2.1]", "[192.0.2.1]" },
	{ "[IPv6:fe80::1%eth0]", "[IPv6:fe80::1%eth0]" },
	{ "192.0.2.1", "192.0.2.1" },
};

START_TEST(helo_cases)
{
	struct str name;
	struct reply why;
	bool ok = command_helo_parse(str_from(helos[_i].in), &name, &why);

	ck_assert_msg(ok == (helos[_i].name != NULL), "%s: %s", helos[_i].in, why.text);
	ck_assert_int_eq(why.code, ok ? 0 : 501);
	if (ok)
		ck_assert_str_is(name, str_from(helos[_i].name));
}
END_TEST

TEST_MAIN("command", tcase_add_loop_test(tc, mail_cases, 0, COUNT(mails));
	  tcase_add_loop_test(tc, rcpt_cases, 0, COUNT(rcpts)); tcase_add_loop_test(tc, helo_cases, 0, COUNT(helos));)
