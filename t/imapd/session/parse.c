/* IMAP's grammar: what each form takes, and where it stops. */
#include "unit.h"

#include "base/buf.h"
#include "imapd/session/fetch.h"
#include "imapd/session/parse.h"

enum form { ATOM, STRING, ASTRING, PATTERN, NSTRING, LIST };

static const struct {
	enum form form;
	const char *in, *out, *rest; /* out NULL: it is refused */
} strings[] = {
	{ ATOM, "", NULL, "" },
	{ ATOM, "(a", NULL, "" },
	{ ATOM, "\xc3\xa4", NULL, "" },
	{ ATOM, "\x7f", NULL, "" },
	{ ATOM, "]a", NULL, "" },
	{ ATOM, "abc def", "abc", " def" },
	{ ATOM, "a+b]c", "a+b", "]c" },
	{ ATOM, "a%", "a", "%" },
	{ STRING, "abc", NULL, "" },
	{ STRING, "\"abc", NULL, "" },
	{ STRING, "\"a\\", NULL, "" },
	{ STRING, "\"a\\b\"", NULL, "" },
	{ STRING, "\"a\r\nb\"", NULL, "" },
	{ STRING, "{3}\r\nab", NULL, "" },
	{ STRING, "{3}abc", NULL, "" },
	{ STRING, "{3\r\nabc", NULL, "" },
	{ STRING, "{}\r\n", NULL, "" },
	{ STRING, "{-1}\r\na", NULL, "" },
	{ STRING, "{4294967296}\r\na", NULL, "" },
	{ STRING, "~{3}\r\nabc", NULL, "" },
	{ STRING, "\"\"x", "", "x" },
	{ STRING, "\"a b\" c", "a b", " c" },
	{ STRING, "\"\\\"\\\\\"", "\"\\", "" },
	{ STRING, "\"\xe3\x81\x82\"", "\xe3\x81\x82", "" },
	{ STRING, "{3}\r\na\"b c", "a\"b", " c" },
	{ STRING, "{3+}\r\nabc", "abc", "" },
	{ STRING, "{0}\r\n", "", "" },
	{ ASTRING, "", NULL, "" },
	{ ASTRING, "*", NULL, "" },
	{ ASTRING, "a]b c", "a]b", " c" },
	{ ASTRING, "\"a b\"", "a b", "" },
	{ PATTERN, "a%*]b c", "a%*]b", " c" },
	{ PATTERN, "(", NULL, "" },
	{ NSTRING, "nilly", NULL, "" },
	{ NSTRING, "x", NULL, "" },
	{ NSTRING, "NIL)", "-", ")" },
	{ NSTRING, "\"NIL\"", "NIL", "" },
	{ LIST, "a", NULL, "" },
	{ LIST, "()", NULL, "" },
	{ LIST, "(a", NULL, "" },
	{ LIST, "(a  b)", NULL, "" },
	{ LIST, "(a \"b c\" {1}\r\nd) e", "a,b c,d", " e" },
};

static bool take(enum form form, struct parse *p, struct buf *out)
{
	struct str s = { 0 }, *list;
	bool nil = false;
	size_t n;

	switch (form) {
	case ATOM:
		if (!parse_atom(p, &s))
			return false;
		break;
	case STRING:
		if (!parse_string(p, &s))
			return false;
		break;
	case ASTRING:
		if (!parse_astring(p, &s))
			return false;
		break;
	case PATTERN:
		if (!parse_pattern(p, &s))
			return false;
		break;
	case NSTRING:
		if (!parse_nstring(p, &s, &nil))
			return false;
		s = nil ? STR("-") : s;
		break;
	case LIST:
		if (!parse_astrings(p, &list, &n))
			return false;
		for (size_t i = 0; i < n; i++) {
			buf_add(out, i ? STR(",") : STR(""));
			buf_add(out, list[i]);
		}
		return true;
	}
	buf_add(out, s);
	return true;
}

START_TEST(string_cases)
{
	struct arena arena = { 0 };
	struct parse p = { .rest = str_from(strings[_i].in), .arena = &arena };
	struct buf out = { 0 };
	bool ok = take(strings[_i].form, &p, &out);

	ck_assert_int_eq(ok, strings[_i].out != NULL);
	ck_assert_int_eq(ok, p.wrong == NULL);
	if (ok) {
		ck_assert_str_is(buf_str(&out), str_from(strings[_i].out));
		ck_assert_str_is(p.rest, str_from(strings[_i].rest));
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

static const struct {
	const char *in, *out; /* out NULL: it is refused */
} sequences[] = {
	{ "", NULL },	     { "0", NULL },
	{ "a", NULL },	     { "1:", NULL },
	{ ":1", NULL },	     { "1,", NULL },
	{ ",1", NULL },	     { "1:0", NULL },
	{ "4294967296", NULL }, { "-1", NULL },
	{ "1::2", NULL },    { "1", "1:1" },
	{ "*", "0:0" },	     { "1:*", "1:0" },
	{ "*:1", "0:1" },    { "5:3", "5:3" },
	{ "1,2:4,*", "1:1,2:4,0:0" }, { "4294967295", "4294967295:4294967295" },
};

START_TEST(sequence_cases)
{
	struct arena arena = { 0 };
	struct parse p = { .rest = str_from(sequences[_i].in), .arena = &arena };
	struct sequence set;
	struct buf out = { 0 };
	bool ok = parse_sequence(&p, &set);

	ck_assert_int_eq(ok, sequences[_i].out != NULL);
	for (size_t i = 0; ok && i < set.n; i++)
		buf_addf(&out, "%s%u:%u", i ? "," : "", set.ranges[i].from, set.ranges[i].to);
	if (ok)
		ck_assert_str_is(buf_str(&out), str_from(sequences[_i].out));
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(sequence_limit)
{
	struct buf text = { 0 };

	for (int n = PARSE_RANGES_MAX; n <= PARSE_RANGES_MAX + 1; n++) {
		struct arena arena = { 0 };
		struct sequence set;
		buf_reset(&text);
		for (int i = 0; i < n; i++)
			buf_add(&text, i ? STR(",7") : STR("7"));
		struct parse p = { .rest = buf_str(&text), .arena = &arena };
		ck_assert_int_eq(parse_sequence(&p, &set), n == PARSE_RANGES_MAX);
		arena_free(&arena);
	}
	buf_free(&text);
}
END_TEST

static const struct {
	const char *in;
	bool time; /* with a time, or a date alone */
	int64_t out; /* -1: it is refused */
} dates[] = {
	{ "", false, -1 },
	{ "32-Jan-2026", false, -1 },
	{ "29-Feb-2026", false, -1 },
	{ "1-Foo-2026", false, -1 },
	{ "1-Jan-26", false, -1 },
	{ "1-Jan-0000", false, -1 },
	{ "\"1-Jan-2026", false, -1 },
	{ "1 Jan 2026", false, -1 },
	{ "1-Jan-1970", false, 0 },
	{ "02-jAN-1970", false, 1 },
	{ "\"1-Mar-2024\"", false, 19783 },
	{ "01-Jan-1970 00:00:00 +0000", true, -1 },
	{ "\"01-Jan-1970\"", true, -1 },
	{ "\"01-Jan-1970 24:00:00 +0000\"", true, -1 },
	{ "\"01-Jan-1970 00:60:00 +0000\"", true, -1 },
	{ "\"01-Jan-1970 00:00:00 0000\"", true, -1 },
	{ "\"01-Jan-1970 00:00:00 +00\"", true, -1 },
	{ "\"01-Jan-1970 00:00:00 +0060\"", true, -1 },
	{ "\"01-Jan-1970 00:00:00 +0000", true, -1 },
	{ "\" 1-Jan-1970 00:00:07 +0000\"", true, 7 },
	{ "\"17-Jul-1996 02:44:25 -0700\"", true, 837596665 },
	{ "\"01-Jan-1970 09:00:00 +0900\"", true, 0 },
};

START_TEST(date_cases)
{
	struct parse p = { .rest = str_from(dates[_i].in) };
	int64_t got = -1;
	bool ok = dates[_i].time ? parse_date_time(&p, &got) : parse_date(&p, &got);

	ck_assert_int_eq(ok, dates[_i].out >= 0);
	if (ok)
		ck_assert_int_eq(got, dates[_i].out);
}
END_TEST

static const struct {
	const char *in;
	unsigned items;
	const char *sections; /* NULL: it is refused */
} fetches[] = {
	{ "", 0, NULL },
	{ " ", 0, NULL },
	{ " ()", 0, NULL },
	{ " (FLAGS", 0, NULL },
	{ " FLAGS)", 0, NULL },
	{ " (FLAGS  UID)", 0, NULL },
	{ " (ALL)", 0, NULL },
	{ " (FLAGS ALL)", 0, NULL },
	{ " FLAGS UID", 0, NULL },
	{ " FOO", 0, NULL },
	{ " FLAGSX", 0, NULL },
	{ " BODY.PEEK", 0, NULL },
	{ " BODY[", 0, NULL },
	{ " BODY[FOO]", 0, NULL },
	{ " BODY[MIME]", 0, NULL },
	{ " BODY[0]", 0, NULL },
	{ " BODY[1.]", 0, NULL },
	{ " BODY[.1]", 0, NULL },
	{ " BODY[1..2]", 0, NULL },
	{ " BODY[1.0]", 0, NULL },
	{ " BODY[HEADER.FIELDS]", 0, NULL },
	{ " BODY[HEADER.FIELDS ()]", 0, NULL },
	{ " BODY[HEADER.FIELDS (a]", 0, NULL },
	{ " BODY[]<", 0, NULL },
	{ " BODY[]<1>", 0, NULL },
	{ " BODY[]<0.0>", 0, NULL },
	{ " BODY[]<.1>", 0, NULL },
	{ " BINARY[1]", 0, NULL },
	{ " FLAGS (CHANGEDSINCE)", 0, NULL },
	{ " FLAGS (CHANGEDSINCE x)", 0, NULL },
	{ " FLAGS (VANISHED)", 0, NULL },
	{ " FLAGS (FOO 1)", 0, NULL },
	{ " FLAGS (CHANGEDSINCE 1) x", 0, NULL },
	{ " fast", ITEM_FLAGS | ITEM_DATE | ITEM_SIZE, "" },
	{ " ALL", ITEM_FLAGS | ITEM_DATE | ITEM_SIZE | ITEM_ENVELOPE, "" },
	{ " full", ITEM_FLAGS | ITEM_DATE | ITEM_SIZE | ITEM_ENVELOPE | ITEM_BODY, "" },
	{ " (uid rfc822.size Flags bodystructure)", ITEM_UID | ITEM_SIZE | ITEM_FLAGS | ITEM_STRUCTURE, "" },
	{ " BODY", ITEM_BODY, "" },
	{ " (BODY BODY[])", ITEM_BODY, "BODY[]" },
	{ " BODY[]<5.10>", 0, "BODY[]<5.10>" },
	{ " body.peek[header.fields (from \"To\" {2}\r\ncc)]", 0, "BODY[HEADER.FIELDS (from To cc)]peek" },
	{ " BODY[HEADER.FIELDS.NOT (\"a b\")]", 0, "BODY[HEADER.FIELDS.NOT (\"a b\")]" },
	{ " (BODY[1.2.MIME] BODY[3.HEADER] BODY[4] BODY[TEXT])", 0, "BODY[1.2.MIME]BODY[3.HEADER]BODY[4]BODY[TEXT]" },
	{ " (RFC822 RFC822.HEADER RFC822.TEXT)", 0, "RFC822RFC822.HEADERpeekRFC822.TEXT" },
	{ " FLAGS (CHANGEDSINCE 12345)", ITEM_FLAGS | ITEM_MODSEQ, "" },
	{ " FLAGS (CHANGEDSINCE 5 VANISHED)", ITEM_FLAGS | ITEM_MODSEQ, "" },
};

START_TEST(fetch_cases)
{
	struct arena arena = { 0 };
	struct parse p = { .rest = str_from(fetches[_i].in), .arena = &arena };
	struct fetch f = { 0 };
	struct buf out = { 0 };
	bool ok = fetch_parse(&p, &f);

	ck_assert_int_eq(ok, fetches[_i].sections != NULL);
	ck_assert_int_eq(ok, p.wrong == NULL);
	if (ok) {
		for (size_t i = 0; i < f.n; i++) {
			const struct section *s = &f.sections[i];
			buf_add(&out, s->name);
			if (s->partial.has)
				buf_addf(&out, "<%u.%u>", s->partial.from, s->partial.n);
			buf_add(&out, s->peek ? STR("peek") : STR(""));
		}
		ck_assert_uint_eq(f.items, fetches[_i].items);
		ck_assert_str_is(buf_str(&out), str_from(fetches[_i].sections));
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

TEST_MAIN("imap parse", tcase_add_loop_test(tc, string_cases, 0, COUNT(strings));
	  tcase_add_loop_test(tc, sequence_cases, 0, COUNT(sequences)); tcase_add_test(tc, sequence_limit);
	  tcase_add_loop_test(tc, date_cases, 0, COUNT(dates)); tcase_add_loop_test(tc, fetch_cases, 0, COUNT(fetches)))
