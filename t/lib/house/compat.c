#include "house/compat.h"

#include "unit.h"

START_TEST(names)
{
	static const char *const theirs[] = { "biff",
					      "2bounce_notice_recipient",
					      "virtual_uid_maps",
					      "smtpd_relay_restrictions",
					      "dovecot_destination_recipient_limit",
					      "x-y_destination_rate_delay",
					      "dovecot_time_limit" };
	static const char *const nobodys[] = { "",
					       "bif",
					       "biff ",
					       "biff append_dot_mydomain",
					       "a_destination_x",
					       "_",
					       "destination_rate_delay",
					       "smtpd",
					       "x_limit" };
	char longest[5000];

	for (size_t i = 0; i < COUNT(theirs); i++)
		ck_assert_msg(compat_is_postfix(str_from(theirs[i])), "%s", theirs[i]);
	for (size_t i = 0; i < COUNT(nobodys); i++)
		ck_assert_msg(!compat_is_postfix(str_from(nobodys[i])), "%s", nobodys[i]);
	memset(longest, '_', sizeof(longest));
	ck_assert(!compat_is_postfix(str_of(longest, sizeof(longest))));
}
END_TEST

static const struct {
	const char *text, *want; /* NULL: unchanged */
} tables[] = {
	{ "", NULL },
	{ "hash", NULL },
	{ "hash:", NULL },
	{ "hash:name", NULL },
	{ "xhash:/a", NULL },
	{ "lmdb:/a", NULL },
	{ "proxy:", NULL },
	{ "proxy:/a", "/a" },
	{ "proxy:proxy:/a", NULL },
	{ "hash:/a", "texthash:/a" },
	{ "hash:/a,btree:/b dbm:$c", "texthash:/a,texthash:/b texthash:$c" },
	{ "check_sender_access hash:/a", "check_sender_access texthash:/a" },
	{ "{hash:/a}", "{texthash:/a}" },
	{ "lmdb:/hash:/a", NULL },
	{ "proxy:hash:/a proxy:lmdb:/b proxy:unix:passwd.byname", "texthash:/a lmdb:/b unix:passwd.byname" },
	{ "proxy:hash:a", "hash:a" },
};

START_TEST(types)
{
	struct buf value = { 0 };

	buf_add(&value, str_from(tables[_i].text));
	ck_assert_int_eq(compat_tables(&value), tables[_i].want != NULL);
	ck_assert_str_is(buf_str(&value), str_from(tables[_i].want ? tables[_i].want : tables[_i].text));
	buf_free(&value);
}
END_TEST

START_TEST(protocols)
{
	static const char *const kept[] = { "", "all", "ipv4", "ipv6", "ipv4 ipv4", "ipv5, ipv6" };
	struct buf value = { 0 };

	for (size_t i = 0; i < COUNT(kept); i++) {
		buf_reset(&value);
		buf_add(&value, str_from(kept[i]));
		ck_assert(!compat_protocols(&value));
		ck_assert_str_is(buf_str(&value), str_from(kept[i]));
	}
	buf_reset(&value);
	buf_add(&value, STR("ipv6, ipv4"));
	ck_assert(compat_protocols(&value));
	ck_assert_str_is(buf_str(&value), STR("all"));
	buf_free(&value);
}
END_TEST

START_TEST(first_line)
{
	struct buf line = { 0 };

	ck_assert(!compat_first_line(STR("/nonexistent/name"), &line));
	ck_assert(!compat_first_line(STR("/dev/null"), &line));
	ck_assert(!compat_first_line(STR("/tmp"), &line));
	ck_assert(compat_first_line(STR("/proc/sys/kernel/ostype"), &line));
	ck_assert_str_is(buf_str(&line), STR("Linux"));
	buf_free(&line);
}
END_TEST

TEST_MAIN("compat", tcase_add_test(tc, names); tcase_add_loop_test(tc, types, 0, COUNT(tables));
	  tcase_add_test(tc, protocols); tcase_add_test(tc, first_line))
