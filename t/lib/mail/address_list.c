#include "unit.h"

#include "base/buf.h"
#include "mail/address_list.h"

/* Mailboxes as name|route|mailbox|host, groups as name{...}; */
static const struct {
	struct str in, out;
} cases[] = {
	{ STR(""), STR("") },
	{ STR(" ,\n\t,(x), ;"), STR("") },
	{ STR("<>"), STR("|||;") },
	{ STR("<"), STR("|||;") },
	{ STR("@"), STR("|||;") },
	{ STR("\""), STR("||\"|;") },
	{ STR("\\"), STR("||\\|;") },
	{ STR("a"), STR("||a|;") },
	{ STR("John  Doe, a@b"), STR("John Doe|||;||a|b;") },
	{ STR("<a>"), STR("||a|;") },
	{ STR("<@b>"), STR("|||b;") },
	{ STR("a@b@c"), STR("||a@b|c;") },
	{ STR("x <a@b, y <c@d>"), STR("x||a|b;y||c|d;") },
	{ STR("x <a@b> junk, <<c@d>>"), STR("x||a|b;||c|d;") },
	{ STR("\"x <a@b>, \"y\" <c@d>"), STR("x <a@b>, y\"||c|d;") },
	{ STR("\"x <a@b>, y <c@d>"), STR("\"x||a|b;y||c|d;") },
	{ STR("a@b (c, d@e"), STR("c, d@e||a|b;") },
	{ STR("a@[b, c@[d], [e] f <g@h>"), STR("||a|[b;||c|[d];[e] f||g|h;") },
	{ STR("a@b: c@d"), STR("||a@b: c|d;") },
	{ STR("a@b <c@d>"), STR("a@b||c|d;") },
	/* proper ones */
	{ STR("a@b"), STR("||a|b;") },
	{ STR("John Q. Public <a@b>"), STR("John Q. Public||a|b;") },
	{ STR("John\n\t(x)  Doe\r\n <a . b@c . d>"), STR("John Doe||a.b|c.d;") },
	{ STR("\"A \\\"B\\\"  C\" <\"a  b\"@c>"), STR("A \"B\" C||a  b|c;") },
	{ STR("a@b (John (J.) \\) Doe)"), STR("John (J.) ) Doe||a|b;") },
	{ STR("<a@b>(x), (y) <c@d>, z <e@f> (w)"), STR("x||a|b;y||c|d;z||e|f;") },
	{ STR("<@a,@b:c@d>"), STR("|@a,@b|c|d;") },
	{ STR("a@[IPv6:::1], b"), STR("||a|[IPv6:::1];||b|;") },
	{ STR("=?utf-8?q?J=C3=B6?= <a@b>"), STR("=?utf-8?q?J=C3=B6?=||a|b;") },
	{ STR("J\xc3\xb6 <\xe4@\xfc>"), STR("J\xc3\xb6||\xe4|\xfc;") },
	/* groups */
	{ STR(":"), STR("{};") },
	{ STR("g:"), STR("g{};") },
	{ STR("\"g g\" (x) : ;"), STR("g g{};") },
	{ STR("g: a@b, c <d@e>; f@g"), STR("g{||a|b;c||d|e;};||f|g;") },
	{ STR("g: a@b; h: c@d,"), STR("g{||a|b;};h{||c|d;};") },
	{ STR("g: h: a@b; c"), STR("g{||h: a|b;};||c|;") },
	{ STR("undisclosed-recipients:;"), STR("undisclosed-recipients{};") },
	{ STR("g: <a@b; <c@d"), STR("g{||a|b;};||c|d;") },
};

static void draw(const struct address *a, struct buf *out)
{
	if (a->kind == ADDRESS_GROUP)
		buf_addf(out, "%.*s{", STR_ARG(a->name));
	else if (a->kind == ADDRESS_GROUP_END)
		buf_add(out, STR("};"));
	else
		buf_addf(out, "%.*s|%.*s|%.*s|%.*s;", STR_ARG(a->name), STR_ARG(a->route), STR_ARG(a->mailbox),
			 STR_ARG(a->host));
}

START_TEST(address_cases)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf out = { 0 };
	struct address_iter it = { .rest = cases[_i].in, .arena = &arena };
	struct address a;

	while (address_next(&it, &a))
		draw(&a, &out);
	ck_assert(!address_next(&it, &a));
	ck_assert_str_is(buf_str(&out), cases[_i].out);
}
END_TEST

TEST_MAIN("address_list", tcase_add_loop_test(tc, address_cases, 0, COUNT(cases));)
