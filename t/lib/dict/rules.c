/* Tables of which the first row that fits counts: bad lines first, then order, if and endif, groups, limits. */
#include <fcntl.h>
#include <unistd.h>

#include "dict/dict.h"
#include "io/fd.h"
#include "unit.h"

static char folder[64];
static int dir = -1;

static void setup(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tayori-rules.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void teardown(void)
{
	unlinkat(dir, "t", 0);
	fd_close(&dir);
	ck_assert_int_eq(rmdir(folder), 0);
}

static struct dict *open_text(const char *type, struct str text, struct err *err)
{
	scoped_fd int fd = openat(dir, "t", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char spec[40];

	ck_assert(fd >= 0 && fd_write_all(fd, text) == 0);
	snprintf(spec, sizeof(spec), "%s:/t/t", type);
	return dict_open(str_from(spec), dir, "t", STR(""), err);
}

static void check(const char *type, const char *text, const char *key, const char *want, const char *warning)
{
	scoped_buf struct buf value = { 0 };
	struct err err = { 0 };
	struct dict *d = open_text(type, str_from(text), &err);
	const char *got = "(missing)";

	ck_assert_msg(d != NULL, "%s: %s", text, err.text);
	ck_assert(dict_is_pattern(d));
	switch (dict_get(d, str_from(key), &value, &err)) {
	case DICT_FOUND: got = buf_cstr(&value); break;
	case DICT_MISSING: break;
	case DICT_ERROR: got = err.text; break;
	}
	ck_assert_msg(strcmp(got, want) == 0, "%s: '%s' gives '%s', not '%s'", text, key, got, want);
	ck_assert_str_eq(dict_warning(d), warning);
	dict_close(d);
}

struct row {
	const char *text, *key, *value, *warning;
};

static const struct row pcre[] = {
	/* what is no row */
	{ "abc x\n", "abc", "(missing)", "line 1: does not begin with /pattern/" },
	{ "\\a\\ x\n", "a", "(missing)", "line 1: does not begin with /pattern/" },
	{ "!\n", "a", "(missing)", "line 1: does not begin with /pattern/" },
	{ "/\n", "a", "(missing)", "line 1: its pattern has no end" },
	{ "/a\\/ x\n", "a", "(missing)", "line 1: its pattern has no end" },
	{ "/a\\\n", "a", "(missing)", "line 1: its pattern has no end" },
	{ "/a/\n", "a", "(missing)", "line 1: has no value behind its pattern" },
	{ "/a/i\n", "a", "(missing)", "line 1: has no value behind its pattern" },
	{ "/a/q x\n", "a", "(missing)", "line 1: has an unknown flag behind its pattern" },
	{ "/a(/ x\n", "a(", "(missing)", "line 1: its pattern is no regular expression" },
	{ "/(*UTF)a/ x\n", "a", "(missing)", "line 1: its pattern is no regular expression" },
	{ "/a/ $1\n", "a", "(missing)", "line 1: its value names a group that its pattern does not have" },
	{ "/(a)/ $2\n", "a", "(missing)", "line 1: its value names a group that its pattern does not have" },
	{ "!/(b)/ $1\n", "a", "(missing)",
	  "line 1: a pattern with ! fits where it is not found, so it has no groups for its value" },
	{ "/(a)/ $x\n", "a", "(missing)",
	  "line 1: a $ in its value has no number of a group behind it; write $$ for a dollar" },
	{ "/(a)/ ${1\n", "a", "(missing)",
	  "line 1: a $ in its value has no number of a group behind it; write $$ for a dollar" },
	{ "/(a)/ $0\n", "a", "(missing)",
	  "line 1: a $ in its value has no number of a group behind it; write $$ for a dollar" },
	{ "/(a)/ $\n", "a", "(missing)",
	  "line 1: a $ in its value has no number of a group behind it; write $$ for a dollar" },
	{ " /a/ x\n", "a", "(missing)", "line 1: begins with a blank but continues no line" },
	{ "endif\n/a/ x\n", "a", "x", "line 1: endif without if" },
	{ "if /a/\n/a/ x\n", "a", "x", "line 1: if without endif" },
	{ "if /(/\n/a/ x\nendif\n/a/ y\n", "a", "y", "line 1: its pattern is no regular expression" },
	{ "if !/(/\n/a/ x\nendif\n/a/ y\n", "a", "y", "line 1: its pattern is no regular expression" },
	{ "if\n/a/ x\nendif\n", "a", "(missing)", "line 1: does not begin with /pattern/" },
	{ "/a(/ x\n/b(/ x\n/a/ y\n", "a", "y", "line 1: its pattern is no regular expression (and 1 more)" },
	/* what is */
	{ "", "a", "(missing)", "" },
	{ "# /a/ x\n\n", "a", "(missing)", "" },
	{ "/a/ x\n", "", "(missing)", "" },
	{ "/^$/ x\n", "", "x", "" },
	{ "/a/ x\n", "bab", "x", "" },
	{ "/a/ x\n", "BAB", "x", "" },
	{ "/a/i x\n", "BAB", "(missing)", "" },
	{ "/a/ii x\n", "BAB", "x", "" },
	{ "/a/ x\n/b/ y\n", "ba", "x", "" },
	{ "/^a$/ x\n/b/ y\n", "ba", "y", "" },
	{ "/a/ one\n  two,\n# c\n\tthree\n/b/ y\n", "a", "one  two,\tthree", "" },
	{ "|a/b| x\n", "a/b", "x", "" },
	{ "/a\\/b/ x\n", "a/b", "x", "" },
	{ "!/a/ x\n", "b", "x", "" },
	{ "!/a/ x\n", "a", "(missing)", "" },
	{ "! ! /a/ x\n", "a", "x", "" },
	{ "/a b/x x\n", "ab", "x", "" },
	{ "/^b/ x\n/^b/m y\n", "a\nb", "y", "" },
	{ "/a.b/s x\n/a.b/ y\n", "a\nb", "y", "" },
	{ "/a$/E x\n/a$/ y\n", "a\n", "y", "" },
	{ "/b/A x\n/b/ y\n", "ab", "y", "" },
	{ "/(a+)/U $1\n", "aaa", "a", "" },
	{ "/(.*)@(.*)/X $2!${1}$(1)$$\n", "Ab@c", "c!AbAb$", "" },
	{ "/(x)?a/ <$1>\n", "a", "<>", "" },
	{ "/(?<n>a)/ $1\n", "a", "a", "" },
	{ "/\xff/ x\n", "\xff", "x", "" },
	{ "/\\d{3}/ x\n", "123", "x", "" },
	/* if */
	{ "if /a/\n/b/ x\nendif\n/b/ y\n", "b", "y", "" },
	{ "if /a/\n/b/ x\nendif\n/b/ y\n", "ab", "x", "" },
	{ "IF !/a/\n/b/ x\nENDIF\n/b/ y\n", "b", "x", "" },
	{ "if/a/\nif /b/\n/c/ x\nendif\n/d/ y\nendif\n/./ z\n", "ad", "y", "" },
	{ "if/a/\nif /b/\n/c/ x\nendif\n/d/ y\nendif\n/./ z\n", "abc", "x", "" },
	{ "if/a/\nif /b/\n/c/ x\nendif\n/d/ y\nendif\n/./ z\n", "abd", "y", "" },
	{ "if/a/\nif /b/\n/c/ x\nendif\n/d/ y\nendif\n/./ z\n", "bcd", "z", "" },
	{ "if /a/\nendif\n/b/ y\n", "ab", "y", "" },
	{ "/iffy/ x\n", "iffy", "x", "" },
};

START_TEST(pcre_rows)
{
	check("pcre", pcre[_i].text, pcre[_i].key, pcre[_i].value, pcre[_i].warning);
}
END_TEST

static const struct row regexp[] = {
	{ "/a/x x\n", "a", "(missing)", "line 1: basic expressions (flag x) are not known" },
	{ "/a/s x\n", "a", "(missing)", "line 1: has an unknown flag behind its pattern" },
	{ "/[a/ x\n", "a", "(missing)", "line 1: its pattern is no regular expression" },
	{ "/[/ x\n", "[", "(missing)", "line 1: its pattern is no regular expression" },
	{ "/a\\/ x\n", "a", "(missing)", "line 1: its pattern has no end" },
	{ "/[[:none:]]/ x\n", "a", "(missing)", "line 1: its pattern is no regular expression" },
	{ "/a|b/ x\n", "B", "x", "" },
	{ "/a|b/i x\n", "B", "(missing)", "" },
	{ "/^[[:alpha:]]+$/ x\n", "abc", "x", "" },
	{ "/^[[:alpha:]]+$/ x\n", "ab1", "(missing)", "" },
	{ "/^[\\d]$/ x\n", "\\", "x", "" },
	{ "/^[\\d]$/ x\n", "1", "(missing)", "" },
	{ "/^[]a]$/ x\n", "]", "x", "" },
	{ "/^[^]a]$/ x\n", "]", "(missing)", "" },
	{ "/\\<cat\\>/ x\n", "a cat", "x", "" },
	{ "/\\<cat\\>/ x\n", "concat", "(missing)", "" },
	{ "/^b/ x\n/^b/m y\n", "a\nb", "y", "" },
	{ "/a.b/m x\n/a.b/ y\n", "a\nb", "y", "" },
	{ "/(.)(.)/ $2$1\n", "ab", "ba", "" },
};

START_TEST(regexp_rows)
{
	check("regexp", regexp[_i].text, regexp[_i].key, regexp[_i].value, regexp[_i].warning);
}
END_TEST

static const struct row cidr[] = {
	{ "example.com x\n", "192.0.2.1", "(missing)", "line 1: is no address and no network" },
	{ "192.0.2 x\n", "192.0.2.0", "(missing)", "line 1: is no address and no network" },
	{ "192.0.2.0/33 x\n", "192.0.2.0", "(missing)", "line 1: has no length of 0 to 32 behind its /" },
	{ "192.0.2.0/ x\n", "192.0.2.0", "(missing)", "line 1: has no length of 0 to 32 behind its /" },
	{ "::/129 x\n", "::", "(missing)", "line 1: has no length of 0 to 128 behind its /" },
	{ "192.0.2.1/24 x\n192.0.2.0/24 y\n", "192.0.2.1", "y",
	  "line 1: is no network: bits behind its length are set" },
	{ "2001:db8::1/32 x\n", "2001:db8::1", "(missing)", "line 1: is no network: bits behind its length are set" },
	{ "192.0.2.1\n", "192.0.2.1", "(missing)", "line 1: has no value behind its pattern" },
	{ "0.0.0.0/0 x\n", "example.com", "(missing)", "" },
	{ "!192.0.2.1 x\n", "example.com", "(missing)", "" },
	{ "!192.0.2.1 x\n", "", "(missing)", "" },
	{ "192.0.2.1 x\n", "192.0.2.1", "x", "" },
	{ "192.0.2.1 x\n", "192.0.2.2", "(missing)", "" },
	{ "192.0.2.128/25 x\n192.0.2.0/24 y\n", "192.0.2.200", "x", "" },
	{ "192.0.2.128/25 x\n192.0.2.0/24 y\n", "192.0.2.127", "y", "" },
	{ "0.0.0.0/0 x\n", "::1", "(missing)", "" },
	{ "::/0 x\n", "192.0.2.1", "(missing)", "" },
	{ "2001:db8::/32 x\n", "2001:DB8:1::2", "x", "" },
	{ "[2001:db8::]/32 x\n", "[2001:db8::2]", "x", "" },
	{ "[2001:db8::/33] x\n", "2001:db8:8000::", "(missing)", "" },
	{ "!192.0.2.0/24 x\n", "192.0.3.1", "x", "" },
	{ "if 192.0.2.0/24\n192.0.2.1 x\nendif\n0.0.0.0/0 $1\n", "192.0.2.1", "x", "" },
	{ "if 192.0.2.0/24\n192.0.2.1 x\nendif\n0.0.0.0/0 $1\n", "192.0.2.2", "$1", "" },
	{ "if !192.0.2.0/24\n192.0.2.1 x\nendif\n", "192.0.2.1", "(missing)", "" },
};

START_TEST(cidr_rows)
{
	check("cidr", cidr[_i].text, cidr[_i].key, cidr[_i].value, cidr[_i].warning);
}
END_TEST

/* ---- limits ---- */

/* A pattern that would need longer than the world lasts; the next one is not asked in its place. */
START_TEST(endless_pattern)
{
	char key[65];

	memset(key, 'a', sizeof(key) - 2);
	key[63] = '!';
	key[64] = '\0';
	check("pcre", "/x/ 1\n/^(a+)+$/ x\n/./ y\n", key, "line 2: its pattern takes too many steps for this key", "");
	check("regexp", "/^(a|aa)+$/ x\n", key, "line 1: its pattern takes too many steps for this key", "");
}
END_TEST

START_TEST(long_value)
{
	scoped_buf struct buf text = { 0 }, key = { 0 }, value = { 0 };
	struct err err = { 0 };

	buf_add(&text, STR("/(.*)/ "));
	for (int i = 0; i < 20000; i++)
		buf_add(&text, STR("$1"));
	buf_addc(&text, '\n');
	struct dict *d = open_text("pcre", buf_str(&text), &err);
	ck_assert_msg(d != NULL, "%s", err.text);
	ck_assert_int_eq(dict_get(d, STR("abc"), &value, &err), DICT_FOUND);
	ck_assert_uint_eq(value.n, 60000);
	ck_assert_int_eq(dict_get(d, STR("abcd"), &value, &err), DICT_ERROR);
	ck_assert_str_eq(err.text, "line 1: the value for this key is too long");
	dict_close(d);
}
END_TEST

static void fill(struct buf *text, const char *line, size_t n)
{
	buf_reset(text);
	while (n-- > 0)
		buf_add(text, str_from(line));
}

START_TEST(counts)
{
	scoped_buf struct buf text = { 0 };
	struct err err = { 0 };

	fill(&text, "if /a/\n", 50);
	struct dict *d = open_text("pcre", buf_str(&text), &err);
	ck_assert_str_eq(dict_warning(d), "line 50: if without endif (and 49 more)");
	dict_close(d);
	fill(&text, "if /a/\n", 51);
	ck_assert_ptr_null(open_text("pcre", buf_str(&text), &err));
	ck_assert_str_eq(err.text, "pcre:/t/t: line 51: more than 50 ifs in ifs");
	fill(&text, "/a/ x\n", 10001);
	ck_assert_ptr_null(open_text("pcre", buf_str(&text), &err));
	ck_assert_str_eq(err.text, "pcre:/t/t: line 10001: more than 10000 rules");
	ck_assert_ptr_null(open_text("cidr", STR("192.0.2.1 x"), &err));
	ck_assert_str_eq(err.text, "cidr:/t/t: its last line does not end: half-written?");
}
END_TEST

static bool add_row(void *arg, struct str key, struct str value)
{
	return buf_addf(arg, "%.*s=%.*s;", STR_ARG(key), STR_ARG(value));
}

START_TEST(listed)
{
	scoped_buf struct buf rows = { 0 };
	struct err err = { 0 };
	struct dict *d = open_text("pcre", STR("if /x/\n/a b/i 1 2\nendif\n!/c/ 3\n"), &err);

	ck_assert_msg(d != NULL && dict_each(d, add_row, &rows, &err), "%s", err.text);
	ck_assert_str_eq(buf_cstr(&rows), "/a b/i=1 2;!/c/=3;");
	dict_close(d);
}
END_TEST

TEST_MAIN("rules", {
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, pcre_rows, 0, COUNT(pcre));
	tcase_add_loop_test(tc, regexp_rows, 0, COUNT(regexp));
	tcase_add_loop_test(tc, cidr_rows, 0, COUNT(cidr));
	tcase_add_test(tc, endless_pattern);
	tcase_add_test(tc, long_value);
	tcase_add_test(tc, counts);
	tcase_add_test(tc, listed);
})
