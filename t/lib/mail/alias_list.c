/* Items of alias values and .forward files: what is none first, then every spelling. */
#include "mail/alias_list.h"

#include "unit.h"

static const struct {
	bool file;
	const char *in, *want; /* a letter for the kind before each item, "; " behind it */
} cases[] = {
	{ false, "", "" },
	{ false, " , ,\n,", "" },
	{ false, "\"", "b\"; " },
	{ false, "\"|cat, a", "b\"|cat, a; " },
	{ false, "a, \"|x\nb", "aa; b\"|x; ab; " },
	{ false, "|", "b|; " },
	{ false, "\"|\"", "b\"|\"; " },
	{ false, "\\", "b\\; " },
	{ false, ":include:", "b:include:; " },
	{ false, ":include:lists/x", "b:include:lists/x; " },
	{ false,
	  "a\x01"
	  "b",
	  "ba?b; " },
	{ false, "\"\"", "a\"\"; " },
	{ false, "a,#b", "aa; a#b; " },
	{ false, "#b", "a#b; " },
	{ true, "#b\n#c", "" },
	{ true, "# x, y\na ,#b\n c\r\n#d", "aa; a#b; ac; " },

	{ false, "a@b", "aa@b; " },
	{ false, "a@b,c d,, e\tf ", "aa@b; ac d; ae\tf; " },
	{ false, "\"a, b\"@c, d", "a\"a, b\"@c; ad; " },
	{ false, "Anna B. <a@b>, <c@d>, e@f (E, F)", "aa@b; ac@d; ae@f (E; aF); " },
	{ false, "e@f (E F), (x)", "ae@f; a(x); " },
	{ false, "\\anna, \\ ben", "manna; mben; " },
	{ false, "|cat -n", "c|cat -n; " },
	{ false, "\"|cat -n, x\", y", "c|cat -n, x; ay; " },
	{ false, "|\"cat -n, x\"", "c|cat -n, x; " },
	{ false, "| \"cat \\\"q\\\"\"", "c|cat \"q\"; " },
	{ false, "\"| cat \\\\ x\"", "c|cat \\ x; " },
	{ false, "|cat \"a b\" c", "c|cat \"a b\" c; " },
	{ false, "/var/x, \"/var/y z, q\"", "f/var/x; f/var/y z, q; " },
	{ false, ":INCLUDE: /a/b, \":include:/c d\"", "i:include:/a/b; i:include:/c d; " },
	{ true, "\\anna\n\"|vacation anna\"\n/home/x/mbox\n", "manna; c|vacation anna; f/home/x/mbox; " },
};

START_TEST(items)
{
	scoped_alias_list struct alias_list list = { .rest = str_from(cases[_i].in), .file = cases[_i].file };
	static const char letters[] = "amcfib";
	scoped_buf struct buf got = { 0 };
	struct alias_item item;

	while (alias_list_next(&list, &item))
		buf_addf(&got, "%c%.*s; ", letters[item.kind], STR_ARG(item.text));
	ck_assert_str_eq(buf_cstr(&got), cases[_i].want);
}
END_TEST

/* The longest item is taken, a longer one is bad and the next one good. */
START_TEST(long_items)
{
	scoped_buf struct buf text = { 0 };
	struct alias_item item;

	for (int i = 0; i < ALIAS_ITEM_MAX; i++)
		buf_addc(&text, 'x');
	buf_addc(&text, ',');
	for (int i = 0; i < ALIAS_ITEM_MAX + 1; i++)
		buf_addc(&text, 'x');
	buf_add(&text, STR(",c"));
	scoped_alias_list struct alias_list list = { .rest = buf_str(&text) };
	ck_assert(alias_list_next(&list, &item) && item.kind == ALIAS_ADDRESS && item.text.n == ALIAS_ITEM_MAX);
	ck_assert(alias_list_next(&list, &item) && item.kind == ALIAS_BAD && item.text.n < 100);
	ck_assert(alias_list_next(&list, &item) && item.kind == ALIAS_ADDRESS && item.text.n == 1);
	ck_assert(!alias_list_next(&list, &item));
}
END_TEST

TEST_MAIN("alias_list", {
	tcase_add_loop_test(tc, items, 0, COUNT(cases));
	tcase_add_test(tc, long_items);
})
