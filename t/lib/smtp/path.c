#include "unit.h"

#include "smtp/path.h"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define LABEL X60 "xxx"
#define D250 LABEL "." LABEL "." LABEL "." X10 X10 X10 X10 X10 "xxxxxxxx"

static const struct {
	const char *in, *local, *domain;
	int stops_at;
	unsigned flags;
} paths[] = {
	{ "", "", "", 0, 0 },
	{ "a@b>", "", "", 0, 0 },
	{ "<a@b", "a", "b", 4, 0 },
	{ "<a b@c>", "a", "", 2, 0 },
	{ "<a>", "a", "", 2, 0 },
	{ "<a@>", "a", "", 3, 0 },
	{ "<@b>", "", "", 3, 0 },
	{ "<>", "", "", 1, 0 },
	{ "< a@b>", "", "", 1, 0 },
	{ "<a@b >", "a", "b", 4, 0 },
	{ "<.a@b>", "", "", 1, 0 },
	{ "<a.@b>", "", "", 3, 0 },
	{ "<a..b@c>", "", "", 3, 0 },
	{ "<a@.b>", "a", "", 3, 0 },
	{ "<a@b.>", "a", "", 5, 0 },
	{ "<a@b..c>", "a", "", 5, 0 },
	{ "<a@-b>", "a", "", 3, 0 },
	{ "<a@b->", "a", "", 4, 0 },
	{ "<a@b@c>", "a", "b", 4, 0 },
	{ "<a@b\r\n>", "a", "b", 4, 0 },
	{ "<\"a@b>", "", "", 6, 0 },
	{ "<\"a\"b@c>", "\"a\"", "", 4, 0 },
	{ "<\"a\\\">", "", "", 6, 0 },
	{ "<\"\x07\"@c>", "", "", 2, 0 },
	{ "<\"\\\r\"@c>", "", "", 3, 0 },
	{ "<;id|sh@b>", "", "", 1, 0 },
	{ "<a@$(id)>", "a", "", 3, 0 },
	{ "<a@[1.2.3]>", "a", "", 3, 0 },
	{ "<a@[1.2.3.256]>", "a", "", 3, 0 },
	{ "<a@[01.2.3.4]>", "a", "", 3, 0 },
	{ "<a@[1.2.3.4>", "a", "", 3, 0 },
	{ "<a@[1.2.3.4 ]>", "a", "", 3, 0 },
	{ "<a@[::1]>", "a", "", 3, 0 },
	{ "<a@[IPv6:1.2.3.4]>", "a", "", 3, 0 },
	{ "<a@[IPv6:1::2::3]>", "a", "", 3, 0 },
	{ "<a@[]>", "a", "", 3, 0 },
	{ "<@a,b:c@d>", "", "", 4, 0 },
	{ "<@a@b:c@d>", "", "", 3, 0 },
	{ "<@a:>", "", "", 4, 0 },
	{ "<@a,:c@d>", "", "", 4, 0 },
	{ "<postmaster>", "postmaster", "", 11, 0 },
	{ "<abuse>", "abuse", "", 6, PATH_POSTMASTER },
	{ "<" X60 "xxxxx@b>", X60 "xxxxx", "", 65, 0 },
	{ "<a@x" LABEL ">", "a", "", 66, 0 },
	{ "<abcd@" D250 ">", "abcd", D250, 256, 0 },
	{ "<a@" D250 ".yyyyyy>", "a", D250 ".yyyyyy", 258, 0 },
	{ "<j\xc3\xb6@b>", "j", "", 2, 0 },
	{ "<a@j\xc3\xb6>", "a", "j", 4, 0 },
	{ "<j\xc3@b>", "", "", 0, PATH_UTF8 },

	{ "<a@b> SIZE=3", "a", "b", -1, 0 },
	{ "<>", "", "", -1, PATH_NULL },
	{ "<A.b+c@X.example>", "A.b+c", "X.example", -1, 0 },
	{ "<\"a b\"@c>", "\"a b\"", "c", -1, 0 },
	{ "<\"\\\"\\\\\"@c>", "\"\\\"\\\\\"", "c", -1, 0 },
	{ "<\"\"@c>", "\"\"", "c", -1, 0 },
	{ "<\"a@b>\"@c>", "\"a@b>\"", "c", -1, 0 },
	{ "<a@under_score.example>", "a", "under_score.example", -1, 0 },
	{ "<a@[1.2.3.4]>", "a", "[1.2.3.4]", -1, 0 },
	{ "<a@[ipv6:::1]>", "a", "[ipv6:::1]", -1, 0 },
	{ "<@a,@b.c:d@e>", "d", "e", -1, PATH_NULL },
	{ "<PostMaster>", "PostMaster", "", -1, PATH_POSTMASTER },
	{ "<postmaster@b>", "postmaster", "b", -1, PATH_POSTMASTER },
	{ "<" X60 "xxxx@b>", X60 "xxxx", "b", -1, 0 },
	{ "<a@" LABEL ">", "a", LABEL, -1, 0 },
	{ "<abc@" D250 ">", "abc", D250, -1, 0 },
	{ "<j\xc3\xb6@j\xc3\xb6.de>", "j\xc3\xb6", "j\xc3\xb6.de", -1, PATH_UTF8 },
};

START_TEST(path_cases)
{
	struct str in = str_from(paths[_i].in);
	struct path p;
	struct err err = { .at = -1, .start = in.p };
	bool ok = path_parse(&in, paths[_i].flags, &p, &err);

	ck_assert_int_eq(ok, paths[_i].stops_at < 0);
	ck_assert_msg(err.at == paths[_i].stops_at, "%s: %s at %td", paths[_i].in, err.text, err.at);
	ck_assert_str_is(p.local, str_from(paths[_i].local));
	ck_assert_str_is(p.domain, str_from(paths[_i].domain));
}
END_TEST

START_TEST(path_nul)
{
	struct str in = STR("<a\0b@c>");
	struct path p;

	ck_assert(!path_parse(&in, 0, &p, NULL));
	in = STR("<a@[1.2.3.4\0]>");
	ck_assert(!path_parse(&in, 0, &p, NULL));
	in = STR("<\"\0\"@c>");
	ck_assert(!path_parse(&in, 0, &p, NULL));
}
END_TEST

static const struct {
	const char *in, *out;
} canonicals[] = {
	{ "<>", "" },
	{ "<POSTMASTER>", "postmaster" },
	{ "<Bob@EXAMPLE.Org>", "Bob@example.org" },
	{ "<\"bob\"@b>", "bob@b" },
	{ "<\"b\\o\\b\"@b>", "bob@b" },
	{ "<\"b.o\"@b>", "b.o@b" },
	{ "<\".b\"@b>", "\".b\"@b" },
	{ "<\"\"@b>", "\"\"@b" },
	{ "<\"a\\ b\"@b>", "\"a b\"@b" },
	{ "<\"a\\\"\\\\b\"@b>", "\"a\\\"\\\\b\"@b" },
	{ "<\"a@b\"@b>", "\"a@b\"@b" },
	{ "<a@[ipv6:FE80::1]>", "a@[IPv6:fe80::1]" },
	{ "<@x,@y:a@B>", "a@b" },
};

START_TEST(path_canonicals)
{
	scoped_buf struct buf out = { 0 }, small = { .limit = 3 };
	struct str in = str_from(canonicals[_i].in), want = str_from(canonicals[_i].out);
	struct path p;

	ck_assert(path_parse(&in, PATH_NULL | PATH_POSTMASTER, &p, NULL));
	ck_assert(path_canonical(&p, &out));
	ck_assert_str_is(buf_str(&out), want);
	buf_addc(&small, 'x');
	ck_assert_int_eq(path_canonical(&p, &small), want.n <= 2);
	if (want.n > 2)
		ck_assert_uint_eq(small.n, 1);
}
END_TEST

TEST_MAIN("path", tcase_add_loop_test(tc, path_cases, 0, COUNT(paths)); tcase_add_test(tc, path_nul);
	  tcase_add_loop_test(tc, path_canonicals, 0, COUNT(canonicals));)
