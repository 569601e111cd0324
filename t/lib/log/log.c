#include "unit.h"

#include "log/log.h"

static const struct {
	const char *in, *out;
} lines[] = {
	{ "a\nb\rc\0", "a?b?c" },
	{ "\x1b[31mred", "?[31mred" },
	{ "\x7f", "?" },
	{ "\xff\xfe", "??" },
	{ "\xc2\x85", "??" },
	{ "\xc2\xa0", "\xc2\xa0" },
	{ "\xed\xa0\x80", "???" },
	{ "plain", "plain" },
	{ "\xe4\xbe\xbf", "\xe4\xbe\xbf" },
	{ "cut \xe4\xbe", "cut ??" },
	{ "\xe2\x80\xa8\xe2\x81\xa6", "??????" },
	{ "\xe2\x80\xa6", "\xe2\x80\xa6" },
};

START_TEST(clean)
{
	char text[64];
	size_t n = strlen(lines[_i].in);

	memcpy(text, lines[_i].in, n);
	log_clean(text, n);
	ck_assert_str_is(str_of(text, n), str_from(lines[_i].out));
}
END_TEST

TEST_MAIN("log", { tcase_add_loop_test(tc, clean, 0, COUNT(lines)); })
