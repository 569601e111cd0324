#include "unit.h"

#include <time.h>

#include "mbox/former.h"
#include "mbox/mbox.h"

#define G " G49dfa51952280b6bcb13000083ecc375"
#define N100 "n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789n123456789"

/* Each as "uid base uidl;" behind UIDVALIDITY and UIDNEXT; NULL: damaged, at `bad`. */
struct list_case {
	const char *in, *out;
	int bad;
};

static const struct list_case uidlists[] = {
	{ "", NULL, 0 },
	{ "\n", NULL, 0 },
	{ "2 V7 N5\n", NULL, 0 },
	{ "3\n", NULL, 0 },
	{ "3 V7\n", NULL, 0 },
	{ "3 N5\n", NULL, 0 },
	{ "3 V0 N5\n", NULL, 0 },
	{ "3 V7 N0\n", NULL, 0 },
	{ "3 V4294967296 N5\n", NULL, 0 },
	{ "3 V7x N5\n", NULL, 0 },
	{ "33 V7 N5\n", NULL, 0 },
	{ "1 7\n", NULL, 0 },
	{ "1 0 5\n", NULL, 0 },
	{ "1 7 5 6\n", NULL, 0 },
	{ "3 V7 N5\n0 :a\n", NULL, 8 },
	{ "3 V7 N5\n\n", NULL, 8 },
	{ "3 V7 N5\n1 a\n", NULL, 8 },
	{ "3 V7 N5\n1 W3\n", NULL, 8 },
	{ "3 V7 N5\n-1 :a\n", NULL, 8 },
	{ "3 V7 N5\n4294967295 :a\n", NULL, 8 },
	{ "3 V7 N5\n1 :a\n1 :b\n", NULL, 13 },
	{ "3 V7 N5\n2 :a\n1 :b\n", NULL, 13 },
	{ "1 7 5\nx a\n", NULL, 6 },
	{ "3 V7 N5" G "\n", "7 5", -1 },
	{ "3 V7 N5", "7 5", -1 },
	{ "3 V7 N5" G " Xwhatever\n1 :a\n3 W19 S16 :b,S=16,W=19\n", "7 5;1 a;3 b,S=16,W=19", -1 },
	{ "3 V7 N1\n4 :a\n", "7 5;4 a", -1 },
	{ "3 N5 V7\n1 Pid-17 W3 :a:2,S\n", "7 5;1 a id-17", -1 },
	{ "3 V7 N5\n1 P :a\n2 P\001 :b\n", "7 5;1 a;2 b", -1 },
	{ "3 V7 N5\n1 P" N100 " :a\n", "7 5;1 a", -1 },
	{ "3 V7 N5\n1 :a\n2 :b\n3 :cut off", "7 5;1 a;2 b", -1 },
	{ "3 V7 N5\n1 :\n2 :.b\n6 :c/d\n", "7 7", -1 },
	{ "3 V7 N5\n1 : a b\n", "7 5;1  a b", -1 },
	{ "1 7 5\n1 a\n2 b:2,S\n", "7 5;1 a;2 b", -1 },
	{ "1 7 5\n9 a\n", "7 10;9 a", -1 },
	{ "3 V4294967295 N4294967295\n4294967294 :a\n", "4294967295 4294967295;4294967294 a", -1 },
};

static const struct list_case uiddbs[] = {
	{ "", NULL, 0 },
	{ "2 7 5\n", NULL, 0 },
	{ "1 7\n", NULL, 0 },
	{ "1 0 5\n", NULL, 0 },
	{ "1 7 x\n", NULL, 0 },
	{ "1 7 5\nx\n", NULL, 6 },
	{ "1 7 5\n0 a\n", NULL, 6 },
	{ "1 7 5\n4294967295 a\n", NULL, 6 },
	{ "1 7 5\n1 a\n1 b\n", NULL, 0 },
	{ "1 7 5\n", "7 5", -1 },
	{ "1 7 5\n2 b\n1 a\n", "7 5;1 a;2 b", -1 },
	{ "1 7 5\n2 b", "7 5;2 b", -1 },
	{ "1 7 5\n9 b\n3 \n", "7 10;9 b", -1 },
	{ "1 7 5\n1 a,S=3:2,S\n", "7 5;1 a,S=3", -1 },
};

/* On top of "1 7 5", with 1 a and 2 b. */
static const struct list_case pop3_lists[] = {
	{ "/\n", NULL, 0 },
	{ "/0 3 1143\n", NULL, 0 },
	{ "/4 3 1143\n", NULL, 0 },
	{ "/3 3 1143\na\n", NULL, 10 },
	{ "/3 3 1143\na 5\n", NULL, 10 },
	{ "/3 3 1143\na 5 x:7:0\n", NULL, 10 },
	{ "/3 3 1143\na 5 1:x:0\n", NULL, 10 },
	{ "", "7 5;1 a;2 b", -1 },
	{ "/3 3 1143\n", "7 5;1 a;2 b", -1 },
	{ "/3 3 1143\na:2,S 27 1:1143:0\nb 18 2:1143:0\n", "7 5;1 a UID1-1143;2 b UID2-1143", -1 },
	{ "/2 3 1143\na:2,S 27 1:1143\n", "7 5;1 a UID1-1143;2 b", -1 },
	{ "/1 3\na:2,S 27 1\n", "7 5;1 a UID1;2 b", -1 },
	{ "/2 3 1143\na:2,S 27 0:0\n", "7 5;1 a a;2 b", -1 },
	{ "/3 3 1143\nd 1 9:4:0\nc 1 8:4:0\n", "7 7;1 a;2 b;5 c UID8-4;6 d UID9-4", -1 },
	{ "b 18\nc+d'e 3\n", "7 6;1 a;2 b b;5 c+d'e c+2Bd+27e", -1 },
	{ "/3 3 1143\na b:2, 27 1:1143:0\n", "7 6;1 a;2 b;5 a b UID1-1143", -1 },
};

static void show(const struct mbox_former *f, struct buf *out)
{
	buf_addf(out, "%u %u", f->uidvalidity, f->uidnext);
	for (size_t i = 0; i < f->n; i++)
		buf_addf(out, ";%u %.*s%s%.*s", f->m[i].uid, STR_ARG(f->m[i].base), f->m[i].uidl.n ? " " : "", STR_ARG(f->m[i].uidl));
}

static void check_list(const struct list_case *c, const char *before,
		       bool (*parse)(struct str, struct arena *, struct mbox_former *, struct err *))
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf got = { 0 };
	struct mbox_former f = { 0 };
	struct err err = { .start = c->in, .at = -1 };

	if (before)
		ck_assert(mbox_courier_uiddb(str_from(before), &arena, &f, NULL));
	bool ok = parse(str_from(c->in), &arena, &f, &err);
	ck_assert_msg(ok == (c->out != NULL), "'%s': %s", c->in, err.text);
	if (!ok) {
		ck_assert_msg(err.at == c->bad, "'%s': stops at %td", c->in, err.at);
		return;
	}
	show(&f, &got);
	ck_assert_str_is(buf_str(&got), str_from(c->out));
}

START_TEST(dovecot_uidlist)
{
	check_list(&uidlists[_i], NULL, mbox_dovecot_uidlist);
}
END_TEST

START_TEST(courier_uiddb)
{
	check_list(&uiddbs[_i], NULL, mbox_courier_uiddb);
}
END_TEST

START_TEST(courier_pop3)
{
	check_list(&pop3_lists[_i], "1 7 5\n1 a\n2 b\n", mbox_courier_pop3);
}
END_TEST

/* ---- keywords ---- */

static const struct {
	const char *in, *out;
	size_t lost;
} keywords[] = {
	{ "x\n", "", 1 },
	{ "26 late\n", "", 1 },
	{ "0 not an atom\n", "", 1 },
	{ "0 " N100 "n\n", "", 1 },
	{ "0 a\n0 b\n", "a=a", 1 },
	{ "0 a\n1 A\n", "a=a", 1 },
	{ "0\n", "", 1 },
	{ "", "", 0 },
	{ "0 $Forwarded\n1 NonJunk\n25 z\n", "a=$Forwarded b=NonJunk z=z", 0 },
	{ "3 d", "d=d", 0 },
};

static void show_keywords(const struct mbox_former *f, struct buf *out)
{
	for (unsigned i = 0; i < MBOX_RECORD_KEYWORDS; i++)
		if (f->keywords[i].n)
			buf_addf(out, "%s%c=%.*s", out->n ? " " : "", (char)('a' + i), STR_ARG(f->keywords[i]));
}

START_TEST(dovecot_keywords)
{
	scoped_buf struct buf got = { 0 };
	struct mbox_former f = { 0 };

	mbox_dovecot_keywords(str_from(keywords[_i].in), &f);
	show_keywords(&f, &got);
	ck_assert_str_is(buf_str(&got), str_from(keywords[_i].out));
	ck_assert_uint_eq(f.lost, keywords[_i].lost);
}
END_TEST

/* Letters of the messages a and b. */
static const struct {
	const char *in;
	uint32_t a, b;
	const char *keywords;
} lists[] = {
	{ "", 0, 0, "" },
	{ "\n", 0, 0, "" },
	{ "k\n\na", 0, 0, "a=k" },
	{ "k\n\na:x\nb:1 99999999999999999999\n", 0, 0, "a=k" },
	{ "bad one\nk\n\na:0 1\n", 1, 0, "a=k" },
	{ "k\nK\n\na:1\n", 1, 0, "a=k" },
	{ "$Forwarded\nhello\n\na:0 1\nb:1\nc:0\n", 3, 2, "a=$Forwarded b=hello" },
};

START_TEST(courier_keywords)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf got = { 0 };
	struct mbox_former f = { 0 };
	struct mbox_former_index ix;

	ck_assert(mbox_courier_uiddb(STR("1 7 5\n1 a\n2 b\n"), &arena, &f, NULL));
	ck_assert(mbox_former_index(&f, &arena, &ix));
	ck_assert(mbox_courier_keywords(str_from(lists[_i].in), &ix, &f, NULL));
	show_keywords(&f, &got);
	ck_assert_str_is(buf_str(&got), str_from(lists[_i].keywords));
	ck_assert_uint_eq(f.m[0].letters, lists[_i].a * MBOX_KEYWORD_A);
	ck_assert_uint_eq(f.m[1].letters, lists[_i].b * MBOX_KEYWORD_A);
	mbox_courier_keyword_file(STR("hello\n\nlast"), &f.m[0], &f);
	ck_assert_uint_ne(f.m[0].letters, 0);
	mbox_courier_keyword_file(STR(""), &f.m[0], &f);
	ck_assert_uint_eq(f.m[0].letters, 0);
}
END_TEST

START_TEST(more_keywords_than_letters)
{
	struct mbox_former f = { 0 };
	char names[30][4];

	for (int i = 0; i < 30; i++) {
		snprintf(names[i], sizeof(names[i]), "k%d", i);
		ck_assert_int_eq(mbox_former_letter(&f, str_from(names[i])), i < 26 ? i : -1);
	}
	ck_assert_int_eq(mbox_former_letter(&f, STR("K3")), 3);
	ck_assert_uint_eq(f.lost, 4);
}
END_TEST

static const struct {
	const char *file, *base;
	uint64_t n;
} keyword_files[] = {
	{ ":list", "", 0 },    { ".", "", 0 },      { "..", "", 0 },	      { ".x.a", "", 0 },
	{ ".0.a", "", 0 },     { ".5", "", 0 },	    { ".5.", "", 0 },	      { ".tmp.17", "", 0 },
	{ ".99999999999999999999.a", "", 0 },	    { ".5.a.b", "a.b", 5 },   { "a.b", "a.b", UINT64_MAX },
};

START_TEST(courier_keyword_files)
{
	uint64_t n;
	struct str base = mbox_courier_keyword_name(str_from(keyword_files[_i].file), &n);

	ck_assert_str_is(base, str_from(keyword_files[_i].base));
	if (base.n)
		ck_assert_uint_eq(n, keyword_files[_i].n);
}
END_TEST

/* ---- subscriptions ---- */

static const struct {
	bool courier;
	const char *in, *out;
	size_t lost;
} subscriptions[] = {
	{ false, "a/b\na..b\n\n.x\n", "", 3 },
	{ false, "V\t2\n", "", 0 },
	{ false, "V\t2\n\n", "", 0 },
	{ false, "V\t2\nheader\n\na\n", "a\n", 0 },
	{ false, "V\t2\n\na\tb\nINBOX\n", "a.b\nINBOX\n", 0 },
	{ false, "V\t2\n\na\0011b\001tc\n", "", 1 },
	{ false, "V\t2\n\na\001", "", 1 },
	{ false, "a.b\n&ZeVnLIqe-.Sub\nINBOX", "a.b\n日本語.Sub\nINBOX\n", 0 },
	{ false, "V\t2\n\n&ZeVnLIqe-\tSub\n", "日本語.Sub\n", 0 },
	{ false, "日本語\nA&B\nA&-B\n", "日本語\nA&B\nA&B\n", 0 },
	{ false, "\xff\n", "", 1 },
	{ true, "", "", 0 },
	{ true, "Sub\nshared.x\nINBOX.\n", "", 3 },
	{ true, "INBOX\nINBOX.a.b\nINBOX.&ZeVnLIqe-\nINBOX.日本\n", "INBOX\na.b\n日本語\n日本\n", 0 },
};

START_TEST(subscribed)
{
	scoped_buf struct buf got = { 0 };
	size_t lost = 0;

	if (subscriptions[_i].courier)
		mbox_courier_subscriptions(str_from(subscriptions[_i].in), &got, &lost);
	else
		mbox_dovecot_subscriptions(str_from(subscriptions[_i].in), &got, &lost);
	ck_assert_str_is(buf_str(&got), str_from(subscriptions[_i].out));
	ck_assert_uint_eq(lost, subscriptions[_i].lost);
}
END_TEST

static const struct {
	enum mbox_origin origin;
	bool utf7;
	const char *old, *names, *out;
} ways_back[] = {
	{ ORIGIN_DOVECOT, true, "", "", "" },
	{ ORIGIN_DOVECOT, true, "", "INBOX\n日本語.Sub\n", "INBOX\n&ZeVnLIqe-.Sub\n" },
	{ ORIGIN_DOVECOT, true, "V\t2\n\nx\n", "INBOX\n日本語.Sub\n", "V\t2\n\nINBOX\n&ZeVnLIqe-\tSub\n" },
	{ ORIGIN_DOVECOT, false, "a\n", "日本語\n", "日本語\n" },
	{ ORIGIN_COURIER, false, "", "INBOX\n日本語.Sub\n\n", "INBOX\nINBOX.日本語.Sub\n" },
};

START_TEST(subscriptions_back)
{
	scoped_buf struct buf got = { 0 };

	mbox_former_subscriptions(ways_back[_i].origin, ways_back[_i].utf7, str_from(ways_back[_i].old),
				  str_from(ways_back[_i].names), &got);
	ck_assert_str_is(buf_str(&got), str_from(ways_back[_i].out));
}
END_TEST

/* ---- names ---- */

#define HEAD "tayori-imported 1\norigin courier\nnames utf7\nfolder &ZeVnLIqe-\nuidvalidity 7\nuidnext 5\n"

static const struct {
	const char *in;
	int bad; /* -1: none */
} names[] = {
	{ "", 0 },
	{ "# only\n", 7 },
	{ "tayori-imported 2\n", 0 },
	{ "origin courier\n", 0 },
	{ "tayori-imported 1\norigin exim\n", 18 },
	{ "tayori-imported 1\norigin none\nnames utf5\n", 30 },
	{ "tayori-imported 1\norigin none\nnames utf7\nfolder a/b\n", 41 },
	{ HEAD, (int)sizeof(HEAD) - 1 },
	{ HEAD "message 1 a\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "message 1 a\nend", -1 },
	{ HEAD "message 1 a\nend\nmore\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "message 0 a\nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "message 5 a\nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "message 1 \nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "message 1 a:2,S\nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "message 1 .a\nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "message 2 a\nmessage 1 b\nend\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "uidl 1 x\nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "message 1 a\nuidl 2 x\nend\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "message 1 a\nletters 1 ABC\nend\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "keyword a x\nkeyword a y\nend\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "keyword a x\nkeyword b X\nend\n", (int)sizeof(HEAD) - 1 + 12 },
	{ HEAD "uidnext 9\nend\n", (int)sizeof(HEAD) - 1 },
	{ HEAD "keyword a x\nlost 3\nmessage 1 a b\nuidl 1 x\nletters 1 az\nmessage 4 c,S=1\nend\n", -1 },
};

START_TEST(names_file)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf text = { 0 }, again = { 0 };
	struct mbox_former f, g;
	struct err err = { .start = names[_i].in, .at = -1 };
	bool ok = mbox_former_parse(str_from(names[_i].in), &arena, &f, &err);

	ck_assert_msg(ok == (names[_i].bad < 0) && err.at == names[_i].bad, "'%s': %td", names[_i].in, err.at);
	if (!ok)
		return;
	mbox_former_format(&f, &text);
	err.start = text.p;
	ck_assert_msg(mbox_former_parse(buf_str(&text), &arena, &g, &err), "at %td", err.at);
	mbox_former_format(&g, &again);
	ck_assert_str_is(buf_str(&again), buf_str(&text));
	ck_assert_str_is(g.folder, STR("&ZeVnLIqe-"));
}
END_TEST

static const struct {
	enum mbox_origin origin;
	const char *old, *out;
} uids_back[] = {
	{ ORIGIN_NONE, "", NULL },
	{ ORIGIN_DOVECOT, "", "3 V7 N9 Gid\n5 Px :a\n6 :b,S=1\n" },
	{ ORIGIN_DOVECOT, "3 V7 N5 Gx Zy\n1 W3 :c\n4 :d\n5 :half", "3 V7 N9 Gx Zy\n1 W3 :c\n4 :d\n5 Px :a\n6 :b,S=1\n" },
	{ ORIGIN_DOVECOT, "3 V7 N9 Gx\n5 Px :a\n", "3 V7 N9 Gx\n5 Px :a\n6 :b,S=1\n" },
	{ ORIGIN_DOVECOT, "1 7 5\n1 c\n", "1 7 9\n1 c\n5 a\n6 b,S=1\n" },
	{ ORIGIN_COURIER, "", "1 7 9\n5 a\n6 b,S=1\n" },
	{ ORIGIN_COURIER, "1 7 5\n1 c\n", "1 7 9\n1 c\n5 a\n6 b,S=1\n" },
};

START_TEST(lists_back)
{
	static const struct mbox_former_later later[] = { { 5, STR("a"), STR("x") }, { 6, STR("b,S=1"), { 0 } } };
	struct mbox_former f = { .origin = uids_back[_i].origin, .uidvalidity = 7 };
	scoped_buf struct buf got = { 0 };

	bool ok = mbox_former_uids(&f, str_from(uids_back[_i].old), 9, "id", later, 2, &got);
	ck_assert_int_eq(ok, uids_back[_i].out != NULL);
	if (ok)
		ck_assert_str_is(buf_str(&got), str_from(uids_back[_i].out));
}
END_TEST

START_TEST(keywords_back)
{
	static const struct str now[MBOX_RECORD_KEYWORDS] = { STR("a"), STR("b"), STR("c") };
	scoped_buf struct buf got = { 0 };

	mbox_dovecot_keywords_add(STR("0 a\n1 other"), now, &got);
	ck_assert_str_is(buf_str(&got), STR("0 a\n1 other\n2 c\n"));
}
END_TEST

START_TEST(two_of_one_name)
{
	scoped_arena struct arena arena = { 0 };
	struct mbox_former f = { 0 };
	struct mbox_former_index ix;

	ck_assert(mbox_dovecot_uidlist(STR("3 V7 N9\n1 :a\n2 :b\n3 :a\n"), &arena, &f, NULL));
	ck_assert(mbox_former_index(&f, &arena, &ix));
	ck_assert_uint_eq(mbox_former_find(&ix, STR("a"))->uid, 3);
	ck_assert_uint_eq(mbox_former_find(&ix, STR("b"))->uid, 2);
	ck_assert_ptr_null(mbox_former_find(&ix, STR("c")));
	ck_assert_ptr_null(mbox_former_find(&ix, STR("")));
	ck_assert_uint_eq(mbox_former_uid(&f, 2)->uid, 2);
	ck_assert_ptr_null(mbox_former_uid(&f, 4));
}
END_TEST

/* ---- hostile sizes: twice as much takes about twice as long ---- */

enum { LINES = 60000 };

static void write_uidlist(struct buf *out, unsigned n)
{
	buf_add(out, STR("3 V7 N5\n"));
	for (unsigned i = 1; i <= n; i++)
		buf_addf(out, "%u W1 Pid%u :same,S=%u\n", i, i, i % 2);
}

static void write_courier(struct buf *out, unsigned n)
{
	buf_add(out, STR("1 7 5\n"));
	for (unsigned i = n; i > 0; i--)
		buf_addf(out, "%u same\n", i);
}

static void write_pop3(struct buf *out, unsigned n)
{
	buf_add(out, STR("/3 5 7\n"));
	for (unsigned i = 1; i <= n; i++)
		buf_addf(out, "f%u 5 %u:7:0\n", i % 9, n - i);
}

static void write_names(struct buf *out, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		buf_addf(out, "k%u\n", i);
}

static void write_numbers(struct buf *out, unsigned n)
{
	buf_add(out, STR("k\n\nsame:"));
	for (unsigned i = 0; i < n; i++)
		buf_add(out, STR("0 "));
}

static void read_uidlist(struct str in, struct arena *arena, struct mbox_former *f)
{
	struct mbox_former_index ix;

	ck_assert(mbox_dovecot_uidlist(in, arena, f, NULL) && mbox_former_index(f, arena, &ix));
}

static void read_courier(struct str in, struct arena *arena, struct mbox_former *f)
{
	struct mbox_former_index ix;

	ck_assert(mbox_courier_uiddb(in, arena, f, NULL) && mbox_former_index(f, arena, &ix));
}

static void read_pop3(struct str in, struct arena *arena, struct mbox_former *f)
{
	f->uidnext = 1;
	ck_assert(mbox_courier_pop3(in, arena, f, NULL));
}

static void read_keywords(struct str in, struct arena *arena, struct mbox_former *f)
{
	(void)arena;
	mbox_dovecot_keywords(in, f);
	mbox_courier_keyword_file(in, &(struct mbox_former_message){ 0 }, f);
}

static void read_keyword_list(struct str in, struct arena *arena, struct mbox_former *f)
{
	struct mbox_former_index ix;

	ck_assert(mbox_former_index(f, arena, &ix) && mbox_courier_keywords(in, &ix, f, NULL));
}

static void read_subscriptions(struct str in, struct arena *arena, struct mbox_former *f)
{
	scoped_buf struct buf ours = { 0 }, theirs = { 0 };
	size_t lost = 0;

	(void)arena;
	(void)f;
	mbox_dovecot_subscriptions(in, &ours, &lost);
	mbox_former_subscriptions(ORIGIN_DOVECOT, true, in, buf_str(&ours), &theirs);
}

static const struct {
	void (*write)(struct buf *out, unsigned n);
	void (*read)(struct str in, struct arena *arena, struct mbox_former *f);
} hostile[] = {
	{ write_uidlist, read_uidlist }, { write_courier, read_courier },	 { write_pop3, read_pop3 },
	{ write_names, read_keywords },	 { write_numbers, read_keyword_list },	 { write_names, read_subscriptions },
};

/* The best of some: of the processor's time, so that others on the machine do not count. */
static double seconds_for(int which, unsigned n)
{
	scoped_buf struct buf in = { 0 };
	double best = 1e9;

	hostile[which].write(&in, n);
	for (int i = 0; i < 5; i++) {
		scoped_arena struct arena arena = { 0 };
		struct mbox_former f = { 0 };
		clock_t begin = clock();
		hostile[which].read(buf_str(&in), &arena, &f);
		double took = (double)(clock() - begin) / CLOCKS_PER_SEC;
		best = took < best ? took : best;
	}
	return best;
}

START_TEST(growth)
{
	double one = seconds_for(_i, LINES), two = seconds_for(_i, 2 * LINES);

	ck_assert_msg(two < 3.5 * one + 0.01, "%g s, and %g s for twice as much", one, two);
}
END_TEST

TEST_MAIN("mbox former", tcase_add_loop_test(tc, dovecot_uidlist, 0, COUNT(uidlists));
	  tcase_add_loop_test(tc, courier_uiddb, 0, COUNT(uiddbs));
	  tcase_add_loop_test(tc, courier_pop3, 0, COUNT(pop3_lists));
	  tcase_add_loop_test(tc, dovecot_keywords, 0, COUNT(keywords));
	  tcase_add_loop_test(tc, courier_keywords, 0, COUNT(lists));
	  tcase_add_test(tc, more_keywords_than_letters);
	  tcase_add_loop_test(tc, courier_keyword_files, 0, COUNT(keyword_files));
	  tcase_add_loop_test(tc, subscribed, 0, COUNT(subscriptions));
	  tcase_add_loop_test(tc, subscriptions_back, 0, COUNT(ways_back));
	  tcase_add_loop_test(tc, names_file, 0, COUNT(names)); tcase_add_loop_test(tc, lists_back, 0, COUNT(uids_back));
	  tcase_add_test(tc, keywords_back); tcase_add_test(tc, two_of_one_name); tcase_add_loop_test(tc, growth, 0, COUNT(hostile)))
