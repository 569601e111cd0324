/* Words of restrictions, and actions of access tables: what is wrong first. */
#include "base/buf.h"
#include "smtp/access.h"
#include "unit.h"

static const struct {
	const char *text, *err;
} wrong[] = {
	{ "reject_unkown_client_hostname",
	  "'reject_unkown_client_hostname' is no restriction that is known here; did you mean reject_unknown_client_hostname?" },
	{ "permit, check_policy_service unix:private/policy",
	  "'check_policy_service' is no restriction that is known here" },
	{ "sleep 1", "'sleep' is no restriction that is known here" },
	{ "permit_tls_clientcerts", "'permit_tls_clientcerts' is no restriction that is known here" },
	{ "192.0.2.1", "'192.0.2.1' is no restriction that is known here" },
	{ "permit;reject", "'permit;reject' is no restriction that is known here" },
	{ "{permit}", "'{permit}' is no restriction that is known here; did you mean permit?" },
	{ "\xff", "'\xff...' is no restriction" },
	{ "x23456789012345678901234567890123456789012345678901234567890",
	  "'x23456789012345678901234567890123456789012345678901234567890' is no restriction that is known here" },
	{ "x234567890123456789012345678901234567890123456789012345678901",
	  "'x234567890123456789012345678901234567890...' is no restriction" },
	{ "check_client_access", "check_client_access: a table must follow" },
	{ "check_client_access,", "check_client_access: a table must follow" },
	{ "check_client_access permit", "check_client_access: 'permit' is no table: write type:name" },
	{ "check_client_access { a:b, c }", "check_client_access: '{ a:b, c }' is no table: write type:name" },
	{ "check_sender_access /etc/x", "check_sender_access: '/etc/x' is no table: write type:name" },
	{ "reject_rbl_client", "reject_rbl_client: a domain must follow" },
	{ "reject_rbl_client x", "reject_rbl_client: 'x' is no domain" },
	{ "reject_rbl_client .x.y", "reject_rbl_client: '.x.y' is no domain" },
	{ "reject_rbl_client b_l.x=127", "reject_rbl_client: '127' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "reject_rbl_client bl.x=", "reject_rbl_client: '' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "reject_rbl_client bl.x=127.0.0.256",
	  "reject_rbl_client: '127.0.0.256' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "reject_rbl_client bl.x=127.0.0.[4..2]",
	  "reject_rbl_client: '127.0.0.[4..2]' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "reject_rbl_client bl.x=127.0.0.[2",
	  "reject_rbl_client: '127.0.0.[2' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "reject_rbl_client bl.x=127.0.0.2..4",
	  "reject_rbl_client: '127.0.0.2..4' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "reject_rbl_client bl.x=127.0.0.2.3",
	  "reject_rbl_client: '127.0.0.2.3' is no address such as 127.0.0.2 or 127.0.0.[2;4..7]" },
	{ "warn_if_reject", "warn_if_reject: a restriction must follow" },
	{ "permit warn_if_reject", "warn_if_reject: a restriction must follow" },
};

START_TEST(wrong_words)
{
	scoped_arena struct arena arena = { 0 };
	struct restrict_program p;
	struct err err = { 0 };

	ck_assert(!restrict_parse(str_from(wrong[_i].text), RESTRICT_CLIENT, true, &arena, &p, &err));
	ck_assert_str_eq(err.text, wrong[_i].err);
}
END_TEST

static const struct {
	enum restrict_list list;
	const char *text;
	size_t n, at;
	enum check check;
	bool warn;
	const char *arg, *filter;
} right[] = {
	{ RESTRICT_CLIENT, "", 0, 0, 0, false, "", "" },
	{ RESTRICT_CLIENT, " , ", 0, 0, 0, false, "", "" },
	{ RESTRICT_CLIENT, "PERMIT_MyNetworks reject", 2, 0, CHECK_PERMIT_MYNETWORKS, false, "", "" },
	{ RESTRICT_CLIENT, "permit, warn_if_reject reject, reject", 3, 1, CHECK_REJECT, true, "", "" },
	{ RESTRICT_CLIENT, "permit, warn_if_reject reject, reject", 3, 2, CHECK_REJECT, false, "", "" },
	{ RESTRICT_CLIENT, "check_sender_access pcre:/a/b, permit", 2, 0, CHECK_SENDER_ACCESS, false, "pcre:/a/b", "" },
	{ RESTRICT_CLIENT, "check_helo_access proxy:lmdb:/a", 1, 0, CHECK_HELO_ACCESS, false, "lmdb:/a", "" },
	{ RESTRICT_CLIENT, "cidr:/a/b", 1, 0, CHECK_CLIENT_ACCESS, false, "cidr:/a/b", "" },
	{ RESTRICT_HELO, "pcre:/a/b", 1, 0, CHECK_HELO_ACCESS, false, "pcre:/a/b", "" },
	{ RESTRICT_SENDER, "pcre:/a/b", 1, 0, CHECK_SENDER_ACCESS, false, "pcre:/a/b", "" },
	{ RESTRICT_RELAY, "pcre:/a/b", 1, 0, CHECK_RECIPIENT_ACCESS, false, "pcre:/a/b", "" },
	{ RESTRICT_RECIPIENT, "pcre:/a/b", 1, 0, CHECK_RECIPIENT_ACCESS, false, "pcre:/a/b", "" },
	{ RESTRICT_CLIENT, "check_client_access inline:{ {a=b c}, d=e }, reject", 2, 0, CHECK_CLIENT_ACCESS, false,
	  "inline:{ {a=b c}, d=e }", "" },
	{ RESTRICT_CLIENT, "reject_rbl_client bl.example.net=127.0.0.[2;4..7]", 1, 0, CHECK_RBL_CLIENT, false,
	  "bl.example.net", "127.0.0.[2;4..7]" },
	{ RESTRICT_SENDER, "reject_unknown_client", 1, 0, CHECK_CLIENT_NAME, false, "", "" },
};

START_TEST(right_words)
{
	scoped_arena struct arena arena = { 0 };
	struct restrict_program p;
	struct err err = { 0 };

	ck_assert_msg(restrict_parse(str_from(right[_i].text), right[_i].list, true, &arena, &p, &err), "%s", err.text);
	ck_assert_uint_eq(p.n, right[_i].n);
	if (p.n == 0)
		return;
	const struct restrict_step *s = &p.steps[right[_i].at];
	ck_assert_int_eq(s->check, right[_i].check);
	ck_assert_int_eq(s->warn, right[_i].warn);
	ck_assert_str_is(s->arg, str_from(right[_i].arg));
	ck_assert_str_is(s->filter, str_from(right[_i].filter));
}
END_TEST

/* The rows of a table may name restrictions, but no further tables; and lists have an end. */
START_TEST(bounds)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf many = { 0 };
	struct restrict_program p;
	struct err err = { 0 };

	ck_assert(!restrict_parse(STR("check_client_access lmdb:/x"), 0, false, &arena, &p, &err));
	ck_assert_str_eq(err.text, "check_client_access: no table may stand in the row of a table");
	ck_assert(!restrict_parse(STR("lmdb:/x"), 0, false, &arena, &p, &err));
	ck_assert(restrict_parse(STR("reject_unknown_client, permit"), 0, false, &arena, &p, &err));
	for (int i = 0; i < 501; i++)
		buf_add(&many, STR("permit "));
	ck_assert(!restrict_parse(buf_str(&many), 0, true, &arena, &p, &err));
	ck_assert_str_eq(err.text, "more than 500 words");
}
END_TEST

static const struct {
	const char *filter;
	uint8_t address[4];
	bool has;
} filters[] = {
	{ "", { 127, 0, 0, 2 }, true },	     { "", { 192, 0, 2, 1 }, false },
	{ "", { 127, 255, 255, 254 }, false }, { "", { 127, 255, 0, 1 }, true },
	{ "127.0.0.2", { 127, 0, 0, 2 }, true }, { "127.0.0.2", { 127, 0, 0, 3 }, false },
	{ "127.0.0.[2;4..7]", { 127, 0, 0, 2 }, true }, { "127.0.0.[2;4..7]", { 127, 0, 0, 3 }, false },
	{ "127.0.0.[2;4..7]", { 127, 0, 0, 7 }, true }, { "127.0.[0..255].2", { 127, 0, 9, 2 }, true },
	{ "192.0.2.1", { 192, 0, 2, 1 }, true },
};

START_TEST(filter_cases)
{
	ck_assert_int_eq(restrict_filter_has(str_from(filters[_i].filter), filters[_i].address), filters[_i].has);
}
END_TEST

static const struct {
	const char *value;
	enum access_action action;
	int code;
	uint8_t enh[3];
	const char *text;
} rows[] = {
	{ "", ACCESS_BAD, 0, { 0 }, "" },
	{ "  ", ACCESS_BAD, 0, { 0 }, "" },
	{ "250 fine", ACCESS_BAD, 0, { 0 }, "fine" },
	{ "600 far", ACCESS_BAD, 0, { 0 }, "far" },
	{ "0554 x", ACCESS_BAD, 0, { 0 }, "x" },
	{ "99999999999999999999 x", ACCESS_BAD, 0, { 0 }, "x" },
	{ "REDIRECT a@b", ACCESS_BAD, 0, { 0 }, "a@b" },
	{ "FILTER smtp:x", ACCESS_BAD, 0, { 0 }, "smtp:x" },
	{ "NONSENSE x", ACCESS_CHECKS, 0, { 0 }, "NONSENSE x" },
	{ "reject_unknown_client_hostname, permit", ACCESS_CHECKS, 0, { 0 }, "reject_unknown_client_hostname, permit" },
	{ "ok", ACCESS_OK, 0, { 0 }, "" },
	{ "1028234", ACCESS_OK, 0, { 0 }, "" },
	{ "554", ACCESS_OK, 0, { 0 }, "" },
	{ "Dunno", ACCESS_DUNNO, 0, { 0 }, "" },
	{ "REJECT", ACCESS_REJECT, 554, { 5, 7, 1 }, "" },
	{ "REJECT go away", ACCESS_REJECT, 554, { 5, 7, 1 }, "go away" },
	{ "REJECT 5.1.0 no", ACCESS_REJECT, 554, { 5, 1, 0 }, "no" },
	{ "REJECT 4.1.0 no", ACCESS_REJECT, 554, { 5, 7, 1 }, "4.1.0 no" },
	{ "REJECT 5.1 no", ACCESS_REJECT, 554, { 5, 7, 1 }, "5.1 no" },
	{ "REJECT 5.1.300 no", ACCESS_REJECT, 554, { 5, 7, 1 }, "5.1.300 no" },
	{ "450 later", ACCESS_REJECT, 450, { 4, 7, 1 }, "later" },
	{ "550 5.2.1 closed", ACCESS_REJECT, 550, { 5, 2, 1 }, "closed" },
	{ "DEFER", ACCESS_REJECT, 450, { 4, 7, 1 }, "" },
	{ "DEFER_IF_REJECT x", ACCESS_DEFER_IF_REJECT, 450, { 4, 7, 1 }, "x" },
	{ "DEFER_IF_PERMIT 4.2.0 x", ACCESS_DEFER_IF_PERMIT, 450, { 4, 2, 0 }, "x" },
	{ "DISCARD", ACCESS_DISCARD, 0, { 0 }, "" },
	{ "hold look", ACCESS_HOLD, 0, { 0 }, "look" },
	{ "PREPEND X-A: b c", ACCESS_PREPEND, 0, { 0 }, "X-A: b c" },
	{ "WARN\tsee", ACCESS_WARN, 0, { 0 }, "see" },
	{ "INFO", ACCESS_INFO, 0, { 0 }, "" },
};

START_TEST(row_cases)
{
	struct access_row r;

	access_parse(str_from(rows[_i].value), &r);
	ck_assert_int_eq(r.action, rows[_i].action);
	ck_assert_int_eq(r.code, rows[_i].code);
	ck_assert_mem_eq(r.enh, rows[_i].enh, 3);
	ck_assert_str_is(r.text, str_from(rows[_i].text));
}
END_TEST

TEST_MAIN("restrict", {
	tcase_add_loop_test(tc, wrong_words, 0, COUNT(wrong));
	tcase_add_loop_test(tc, right_words, 0, COUNT(right));
	tcase_add_test(tc, bounds);
	tcase_add_loop_test(tc, filter_cases, 0, COUNT(filters));
	tcase_add_loop_test(tc, row_cases, 0, COUNT(rows));
})
