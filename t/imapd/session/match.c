/* LIST's patterns. */
#include "unit.h"

#include <time.h>

#include "base/buf.h"
#include "imapd/session/match.h"

static const struct {
	const char *pattern, *name;
	bool blind, want;
} rows[] = {
	{ "", "a", false, false },
	{ "a", "", false, false },
	{ "a", "b", false, false },
	{ "a", "ab", false, false },
	{ "ab", "a", false, false },
	{ "%", "a.b", false, false },
	{ "a%", "a.b", false, false },
	{ "%.%", "a", false, false },
	{ "%.%", "a.b.c", false, false },
	{ "*c", "a.b", false, false },
	{ "inbox", "INBOX", false, false },
	{ "", "", false, true },
	{ "a", "a", false, true },
	{ "*", "", false, true },
	{ "%", "", false, true },
	{ "*", "a.b.c", false, true },
	{ "%", "abc", false, true },
	{ "a.%", "a.b", false, true },
	{ "%.%", "a.b", false, true },
	{ "a.*", "a.b.c", false, true },
	{ "*c", "a.b.c", false, true },
	{ "%*", "a.b.c", false, true },
	{ "*%", "a.b.c", false, true },
	{ "*b%", "a.b", false, true },
	{ "*b%", "a.b.c", false, false },
	{ "a*b*c", "a.b.c.b.c", false, true },
	{ "%b%c", "abxbyc", false, true },
	{ "*.%d", "a.b.cd", false, true },
	{ "inbox", "INBOX", true, true },
	{ "InB%", "INBOX", true, true },
};

START_TEST(match_cases)
{
	ck_assert_int_eq(match_name(str_from(rows[_i].pattern), str_from(rows[_i].name), rows[_i].blind),
			 rows[_i].want);
}
END_TEST

/* A pattern of many wildcards over a name that almost fits: the steps are n times m, and no more. */
START_TEST(match_hostile)
{
	struct buf pattern = { 0 }, name = { 0 };

	while (pattern.n < MATCH_PATTERN_MAX - 3)
		buf_add(&pattern, STR("*%a"));
	buf_addc(&pattern, 'b');
	while (name.n < MATCH_NAME_MAX)
		buf_addc(&name, 'a');
	clock_t begin = clock();
	for (int i = 0; i < 20; i++)
		ck_assert(!match_name(buf_str(&pattern), buf_str(&name), false));
	ck_assert(clock() - begin < 5 * CLOCKS_PER_SEC);
	buf_addc(&name, 'a');
	ck_assert(!match_name(STR("*"), buf_str(&name), false));
	buf_free(&pattern);
	buf_free(&name);
}
END_TEST

TEST_MAIN("imap match", tcase_add_loop_test(tc, match_cases, 0, COUNT(rows)); tcase_add_test(tc, match_hostile))
