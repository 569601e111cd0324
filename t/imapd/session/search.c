/* SEARCH's keys as trees, and message sets. */
#include "unit.h"

#include <time.h>

#include "imapd/session/rows.h"
#include "imapd/session/search.h"
#include "mail/text.h"

static void print(const struct search_key *k, struct buf *out)
{
	static const char *const names[] = {
		"and", "or", "not", "num", "uid", "flag", "kw", "recent", "modseq", ">", "<", "before", "on", "since",
		"sbefore", "son", "ssince", "field", "body", "text",
	};

	buf_addf(out, "%s", names[k->kind]);
	if (k->flags)
		buf_addf(out, "=%u", k->flags);
	if (k->number)
		buf_addf(out, "=%llu", (unsigned long long)k->number);
	if (k->day)
		buf_addf(out, "=%lld", (long long)k->day);
	if (k->name.n)
		buf_addf(out, "=%.*s", STR_ARG(k->name));
	if (k->text.n)
		buf_addf(out, "~%.*s", STR_ARG(k->text));
	if (!k->child)
		return;
	buf_addc(out, '(');
	for (const struct search_key *c = k->child; c; c = c->next) {
		print(c, out);
		if (c->next)
			buf_addc(out, ' ');
	}
	buf_addc(out, ')');
}

static const struct {
	const char *in, *out; /* out NULL: it is refused */
} rows[] = {
	{ "", NULL },
	{ " ", NULL },
	{ "ALL", NULL },
	{ " ALL ", NULL },
	{ " ALL  SEEN", NULL },
	{ " NONE", NULL },
	{ " ALLX", NULL },
	{ " ()", NULL },
	{ " (ALL", NULL },
	{ " ALL)", NULL },
	{ " NOT", NULL },
	{ " OR ALL", NULL },
	{ " KEYWORD", NULL },
	{ " KEYWORD \"a\"", NULL },
	{ " LARGER -1", NULL },
	{ " LARGER 4294967296", NULL },
	{ " HEADER a", NULL },
	{ " UID x", NULL },
	{ " MODSEQ \"x\" 5", NULL },
	{ " MODSEQ \"x\" none 5", NULL },
	{ " RETURN ALL", NULL },
	{ " RETURN (", NULL },
	{ " RETURN (MIN) ", NULL },
	{ " CHARSET", NULL },
	{ " CHARSET UTF-8", NULL },
	{ " CHARSET none ALL", NULL },
	{ " ALL", "and(and)" },
	{ " seen unSeen", "and(flag=16 not(flag=16))" },
	{ " NEW OLD", "and(and(recent not(flag=16)) not(recent))" },
	{ " OR NOT DRAFT (DELETED FLAGGED)", "and(or(not(flag=1) and(flag=32 flag=2)))" },
	{ " 1:2 UID 3", "and(num uid)" },
	{ " KEYWORD a UNKEYWORD b", "and(kw=a not(kw=b))" },
	{ " LARGER 1 SMALLER 4294967295", "and(>=1 <=4294967295)" },
	{ " BEFORE 2-Jan-1970 ON \"3-jan-1970\" SINCE 2-Jan-1970", "and(before=1 on=2 since=1)" },
	{ " SENTBEFORE 2-Jan-1970 SENTON 2-Jan-1970 SENTSINCE 2-Jan-1970", "and(sbefore=1 son=1 ssince=1)" },
	{ " FROM A TO {1}\r\nB CC \"c\" BCC d", "and(field=From~a field=To~b field=Cc~c field=Bcc~d)" },
	{ " HEADER X-a \"\" BODY x TEXT y", "and(field=X-a body~x text~y)" },
	{ " MODSEQ 7 MODSEQ \"/flags/\\\\seen\" shared 8", "and(modseq=7 modseq=8)" },
	{ " RETURN (MIN) ALL", "and(and)" },
	{ " CHARSET us-ascii ALL", "and(and)" },
	{ " CHARSET iso-8859-1 SUBJECT \"\xc4\"", "and(field=Subject~a\xcc\x88)" },
};

START_TEST(search_cases)
{
	struct arena arena = { 0 };
	struct parse p = { .rest = str_from(rows[_i].in), .arena = &arena };
	struct search search = { 0 };
	struct buf out = { 0 };
	bool ok = search_parse(&p, &search);

	ck_assert_int_eq(ok, rows[_i].out != NULL);
	ck_assert(ok || p.wrong || search.bad_charset);
	if (ok) {
		print(search.root, &out);
		ck_assert_str_is(buf_str(&out), str_from(rows[_i].out));
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(search_limits)
{
	struct buf text = { 0 };

	for (int deep = 0; deep < 2; deep++)
		for (size_t n = 1; n < 5000; n += n < 100 ? 1 : 499) {
			struct arena arena = { 0 };
			struct search search = { 0 };
			buf_reset(&text);
			for (size_t i = 0; i < n; i++)
				buf_add(&text, deep ? STR(" NOT") : STR(" ALL"));
			buf_add(&text, deep ? STR(" ALL") : STR(""));
			struct parse p = { .rest = buf_str(&text), .arena = &arena };
			ck_assert_int_eq(search_parse(&p, &search), n + (size_t)deep <= (deep ? SEARCH_DEPTH_MAX : SEARCH_KEYS_MAX));
			arena_free(&arena);
		}
	buf_free(&text);
}
END_TEST

static const struct {
	const char *in, *out;
	uint32_t star;
} sets[] = {
	{ "1", "1", 9 },	   { "*", "9", 9 },	      { "3:1,2", "1:3", 9 },	{ "1,2,3", "1:3", 9 },
	{ "5:*", "5:9", 9 },	   { "12:*", "9:12", 9 },     { "7,3,5,3:4", "3:5,7", 9 }, { "1:4,2:3,9", "1:4,9", 9 },
	{ "4294967295,4294967294:*", "9:4294967295", 9 }, { "*:*", "1", 1 },
};

START_TEST(set_cases)
{
	struct arena arena = { 0 };
	struct parse p = { .rest = str_from(sets[_i].in), .arena = &arena };
	struct buf out = { 0 };
	struct set_writer w = { .out = &out };
	struct sequence set;

	ck_assert(parse_sequence(&p, &set));
	sequence_normalize(&set, sets[_i].star);
	for (size_t i = 0; i < set.n; i++)
		set_add_range(&w, set.ranges[i].from, set.ranges[i].to);
	set_end(&w);
	ck_assert_str_is(buf_str(&out), str_from(sets[_i].out));
	for (size_t i = 0; i < set.n; i++)
		ck_assert(sequence_has(&set, set.ranges[i].from) && sequence_has(&set, set.ranges[i].to) &&
			  !sequence_has(&set, set.ranges[i].from - 1));
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

TEST_MAIN("imap search", tcase_add_unchecked_fixture(tc, text_preload, NULL);
	  tcase_add_loop_test(tc, search_cases, 0, COUNT(rows)); tcase_add_test(tc, search_limits);
	  tcase_add_loop_test(tc, set_cases, 0, COUNT(sets)))
