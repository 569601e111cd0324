#include "unit.h"

#include <time.h>

#include "mail/address_list.h"
#include "mail/date.h"
#include "mail/imap.h"
#include "mail/mutf7.h"
#include "mail/text.h"

/* Hostile input, twice as long, must cost about twice as much in every parser of lib/mail. */

static void run_message(struct str in)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf out = { 0 };
	struct mime_part *root = mime_parse(in, &arena);

	imap_structure(in, root, true, &out);
	ck_assert_uint_le(out.n, IMAP_TEXT_MAX);
	buf_reset(&out);
	imap_envelope(in, &out);
	ck_assert_uint_le(out.n, IMAP_TEXT_MAX);
}

static void run_search(struct str in)
{
	scoped_arena struct arena arena = { 0 };

	text_search(in, mime_parse(in, &arena), true, STR("absent"));
	text_search_field(in, STR("Subject"), STR("absent"));
}

static void run_addresses(struct str in)
{
	scoped_arena struct arena arena = { 0 };
	struct address_iter it = { .rest = in, .arena = &arena };
	struct address a;

	while (address_next(&it, &a))
		;
}

static void run_date(struct str in)
{
	int64_t seconds;
	int zone;

	date_parse(in, &seconds, &zone);
}

static void run_header_text(struct str in)
{
	scoped_buf struct buf out = { 0 };

	text_header(in, &out);
}

static void run_fold(struct str in)
{
	scoped_buf struct buf out = { 0 };

	text_fold(in, &out);
}

static void run_base64(struct str in)
{
	scoped_buf struct buf out = { 0 };

	mime_decode(STR("base64"), in, &out);
}

static void run_quoted(struct str in)
{
	scoped_buf struct buf out = { 0 };

	mime_decode(STR("quoted-printable"), in, &out);
}

static void run_name(struct str in)
{
	scoped_buf struct buf out = { 0 };

	mutf7_decode(in, &out);
	mutf7_encode(in, &out);
}

#define TYPE "Content-Type: text/plain; charset="
#define MULTI "Content-Type: multipart/mixed; boundary=b\n\n"

static const struct {
	void (*run)(struct str in);
	const char *before, *unit; /* the unit is repeated */
} cases[] = {
	{ run_message, "", MULTI "--b\n" },
	{ run_message, MULTI, "--b\n" },
	{ run_message, MULTI, "--b\n\n--b--\n" },
	{ run_message, MULTI, "--c\n" },
	{ run_message, MULTI, "--" },
	{ run_message, MULTI, "--b\n" MULTI },
	{ run_message, MULTI "--b\n", "A:b\n" },
	{ run_message, MULTI, "--b\nA: b\n" },
	{ run_message, "", "Content-Type: message/rfc822\n\n" },
	{ run_message, MULTI, "--b\nContent-Type: message/rfc822\n\nTo: a\n\n" },
	{ run_message, "", "A: b\n" },
	{ run_message, "A: b\n", " \n" },
	{ run_message, "", "A" },
	{ run_message, "", "To: a@b\n" },
	{ run_message, "To: ", "a@b," },
	{ run_message, "To: ", ":;" },
	{ run_message, "Subject: ", "\xe4\n\t" },
	{ run_message, "Content-Type: text/plain", ";a=b" },
	{ run_message, "Content-Type: text/plain", ";a" },
	{ run_message, "Content-Type: text/plain", ";a=\"" },
	{ run_message, "Content-Type: text/plain", ";a=(" },
	{ run_message, "Content-Type: text/plain;a=\"", "\\\"" },
	{ run_message, "", "Content-Type: a/b;c=\"\\d\"\n" },
	{ run_message, "Content-Language: ", "a," },
	{ run_message, "Content-Type: multipart/mixed; boundary=", "b" },
	{ run_search, "", "a " },
	{ run_search, "", "Subject: =?utf-8?q?a?=\n" },
	{ run_search, MULTI, "--b\nA: b\n\n\n" },
	{ run_search, TYPE "utf-8\n\n", "\xe3\x81\x82" },
	{ run_search, TYPE "utf-8\n\n", "\xe3" },
	{ run_search, TYPE "utf-8\n\n", "\xcc\x81" },
	{ run_search, TYPE "gb18030\n\n", "\xff" },
	{ run_search, TYPE "gb18030\n\n", "\x81" },
	{ run_search, TYPE "shift_jis\n\n", "\x81" },
	{ run_search, TYPE "big5-hkscs\n\n", "\x88\x62" },
	{ run_search, TYPE "iso-2022-jp\n\n", "\x1b$B\x1b(B" },
	{ run_search, TYPE "utf-7\n\n", "+AOQ-" },
	{ run_search, TYPE "utf-7\n\n", "+" },
	{ run_search, TYPE "utf-16\n\n", "\xd8" },
	{ run_search, TYPE "utf-8\nContent-Transfer-Encoding: quoted-printable\n\n", "= " },
	{ run_search, TYPE "utf-8\nContent-Transfer-Encoding: base64\n\n", "=" },
	{ run_addresses, "", "a@b," },
	{ run_addresses, "", "g:a@b;" },
	{ run_addresses, "", ":" },
	{ run_addresses, "", "a@b:" },
	{ run_addresses, "", "(" },
	{ run_addresses, "", "(a)" },
	{ run_addresses, "", "()\\" },
	{ run_addresses, "", "\"" },
	{ run_addresses, "\"", ",\\\"" },
	{ run_addresses, "\"", "\\\"" },
	{ run_addresses, "", "\"a\"," },
	{ run_addresses, "", "<" },
	{ run_addresses, "", "<\"," },
	{ run_addresses, "", "<@a:" },
	{ run_addresses, "", "<@a,<" },
	{ run_addresses, "", "@[" },
	{ run_addresses, "@", "[a" },
	{ run_addresses, "", "@[a" },
	{ run_addresses, "", " ," },
	{ run_addresses, "a", " " },
	{ run_date, "", "(" },
	{ run_date, "", "(a) " },
	{ run_date, "", "a" },
	{ run_date, "", "1" },
	{ run_header_text, "", "=?" },
	{ run_header_text, "", "=?a?q?" },
	{ run_header_text, "", "=?a?q?x " },
	{ run_header_text, "", "=?utf-8?q?a?= " },
	{ run_header_text, "", "=?utf-8?q?a?= =?gb2312?b?YQ?= " },
	{ run_header_text, "=?utf-8?q?", "=E3" },
	{ run_header_text, "", "\xe4" },
	{ run_header_text, "", "\n " },
	{ run_fold, "", "\xcc\x81" },
	{ run_fold, "", "\xcc\xa3\xcc\x81" },
	{ run_fold, "", "a\xcc\x81" },
	{ run_fold, "", "\xef\xb7\xba" },
	{ run_fold, "", "\xe3\x80\x80" },
	{ run_fold, "", "\xff" },
	{ run_base64, "", "=" },
	{ run_base64, "", "!" },
	{ run_quoted, "", "=" },
	{ run_quoted, "", " " },
	{ run_quoted, "", " =" },
	{ run_quoted, "", "= \r" },
	{ run_quoted, "", "=\n" },
	{ run_name, "", "&AOQ-a" },
	{ run_name, "&", "AOQ" },
	{ run_name, "", "\xc3\xa4" },
};

static int64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The best of three, for others use the machine too. */
static int64_t measure(void (*run)(struct str in), struct str in)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 3; i++) {
		int64_t begin = cpu_us();
		run(in);
		int64_t took = cpu_us() - begin;
		best = took < best ? took : best;
	}
	return best;
}

static void check_growth(void (*run)(struct str in), struct str before, struct str unit, const char *what)
{
	enum { LEAST_US = 4000, OCTETS_MAX = 4 << 20, TRIES = 4 };
	scoped_buf struct buf in = { 0 };
	size_t n = 1 << 13;
	int64_t one, two;

	buf_add(&in, before);
	do {
		n *= 2;
		while (in.n < n)
			buf_add(&in, unit);
		one = measure(run, buf_str(&in));
	} while (one < LEAST_US && n < OCTETS_MAX);
	size_t once = in.n;
	while (in.n < 2 * once)
		buf_add(&in, unit);
	for (int i = 0; i < TRIES; i++) {
		two = measure(run, buf_str(&in));
		if (two < LEAST_US || two < one * 3)
			return;
		one = measure(run, str_head(buf_str(&in), once));
	}
	ck_abort_msg("%s: %zu octets in %ld us, twice as many in %ld us", what, once, (long)one, (long)two);
}

START_TEST(growth)
{
	char what[64];

	text_preload();
	snprintf(what, sizeof(what), "case %d '%.20s'", _i, cases[_i].unit);
	check_growth(cases[_i].run, str_from(cases[_i].before), str_from(cases[_i].unit), what);
}
END_TEST

/*
 * A hundred multiparts within each other, whose boundaries differ in their last octets only, and lines that are
 * nearly one.
 */
START_TEST(growth_boundaries)
{
	scoped_buf struct buf before = { 0 }, line = { 0 };

	for (int i = 0; i < MIME_DEPTH_MAX; i++)
		buf_addf(&before, "Content-Type: multipart/mixed; boundary=%060d%02d\n\n--%060d%02d\n", 0, i, 0, i);
	buf_addf(&line, "--%060dxx\n", 0);
	check_growth(run_message, buf_str(&before), buf_str(&line), "boundaries");
}
END_TEST

TEST_MAIN("growth", tcase_add_loop_test(tc, growth, 0, COUNT(cases)); tcase_add_test(tc, growth_boundaries);)
