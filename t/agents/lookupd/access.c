/* Which keys of an access table are tried, and in which order: the value that comes tells. */
#include <fcntl.h>
#include <unistd.h>

#include "agents/lookupd/access.h"
#include "classes.h"
#include "io/fd.h"
#include "unit.h"

/* Every key that may be tried has itself as its value; `table` says which of them are there. */
static const struct {
	const char *table;
	enum access_key kind;
	const char *name, *address, *value;
} cases[] = {
	{ "inline:{}", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", NULL },
	{ "inline:{ {test=x}, {2=x} }", ACCESS_KEY_CLIENT, "", "", NULL },
	{ "inline:{ {b.test=parent}, {a.b.test=name} }", ACCESS_KEY_CLIENT, "A.b.TEST", "192.0.2.9", "name" },
	{ "inline:{ {b.test=parent}, {test=top} }", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "parent" },
	{ "inline:{ {.b.test=dotted}, {test=top} }", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "dotted" },
	{ "inline:{ {.a.b.test=below}, {192.0.2=net} }", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "net" },
	{ "inline:{ {test=top}, {192.0.2.9=address} }", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "top" },
	{ "inline:{ {192.0.2.9=address}, {192.0.2=net} }", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "address" },
	{ "inline:{ {192.0=net}, {192=wide} }", ACCESS_KEY_CLIENT, "unknown", "192.0.2.9", "net" },
	{ "inline:{ {192=wide}, {unknown=no} }", ACCESS_KEY_CLIENT, "unknown", "192.0.2.9", "no" },
	{ "inline:{ {192.0.2.=x} }", ACCESS_KEY_CLIENT, "unknown", "192.0.2.9", NULL },
	{ "inline:{ {2001:db8=net} }", ACCESS_KEY_CLIENT, "unknown", "2001:db8::1", "net" },
	{ "inline:{ {2001:db8:1=net} }", ACCESS_KEY_CLIENT, "unknown", "2001:db8:1:2:3:4:5:6", "net" },
	{ "inline:{ {::1=address} }", ACCESS_KEY_CLIENT, "localhost", "::1", "address" },
	{ "fail:x", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "(error)" },
	{ "lmdb:/none", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "(error)" },
	{ "inline:{ {b.test=parent}, {192.0.2.9=address} }", ACCESS_KEY_NAME, "a.b.test", "", "parent" },
	{ "inline:{ {[192.0.2.9]=literal}, {2=x} }", ACCESS_KEY_NAME, "[192.0.2.9]", "", "literal" },
	{ "inline:{ {2.9]=x} }", ACCESS_KEY_NAME, "[192.0.2.9]", "", NULL },
	{ "inline:{ {<>=null}, {@=x} }", ACCESS_KEY_ADDRESS, "", "", "null" },
	{ "inline:{ {u+e@a.b.test=full}, {u@a.b.test=plain} }", ACCESS_KEY_ADDRESS, "", "u+e@a.b.test", "full" },
	{ "inline:{ {u@a.b.test=plain}, {a.b.test=domain} }", ACCESS_KEY_ADDRESS, "", "U+e@A.b.test", "plain" },
	{ "inline:{ {a.b.test=domain}, {u+e@=user} }", ACCESS_KEY_ADDRESS, "", "u+e@a.b.test", "domain" },
	{ "inline:{ {test=top}, {u+e@=user} }", ACCESS_KEY_ADDRESS, "", "u+e@a.b.test", "top" },
	{ "inline:{ {.test=top} }", ACCESS_KEY_ADDRESS, "", "u+e@a.b.test", "top" },
	{ "inline:{ {u+e@=user}, {u@=short} }", ACCESS_KEY_ADDRESS, "", "u+e@a.b.test", "user" },
	{ "inline:{ {u@=short} }", ACCESS_KEY_ADDRESS, "", "u+e@a.b.test", "short" },
	{ "inline:{ {u@example.com=origin} }", ACCESS_KEY_ADDRESS, "", "u", "origin" },
	{ "inline:{ {a b=odd} }", ACCESS_KEY_ADDRESS, "", "a b", "odd" },
	{ "inline:{ {u=x}, {@a.b.test=x} }", ACCESS_KEY_ADDRESS, "", "u@a.b.test", NULL },
	{ "static:all", ACCESS_KEY_ADDRESS, "", "u@a.b.test", "all" },
};

static void check(struct world *w, const char *table, enum access_key kind, const char *name, const char *address,
		  const char *want)
{
	const struct maps *m = access_table(&w->policy, str_from(table));
	scoped_buf struct buf value = { 0 };

	ck_assert_ptr_nonnull(m);
	enum dict_result r = access_find(&w->policy, m, kind, str_from(name), str_from(address), &value);
	const char *got = r == DICT_ERROR ? "(error)" : r == DICT_MISSING ? "(none)" : buf_cstr(&value);
	ck_assert_str_eq(got, want ? want : "(none)");
}

START_TEST(key_cases)
{
	struct lookupd_conf conf = world_conf();
	struct world w;

	conf.smtpd_access_tables = str_from(cases[_i].table);
	world_begin(&w, &conf);
	check(&w, cases[_i].table, cases[_i].kind, cases[_i].name, cases[_i].address, cases[_i].value);
	world_end(&w);
}
END_TEST

/* Only what restrictions name: tables of other parameters, and parts or forms of names, are none of them. */
START_TEST(named_tables)
{
	static const char *const none[] = { "", "static", "static:b", "inline:{ {hank=x} }", "static:a, static:c",
					    "unix:passwd.byname", "texthash:/etc/shadow" };
	struct lookupd_conf conf = world_conf();
	struct world w;

	conf.smtpd_access_tables = STR("static:a, proxy:static:c");
	world_begin(&w, &conf);
	check(&w, "static:a", ACCESS_KEY_NAME, "x", "", "a");
	check(&w, "static:c", ACCESS_KEY_NAME, "x", "", "c");
	for (size_t i = 0; i < COUNT(none); i++)
		ck_assert_ptr_null(access_table(&w.policy, str_from(none[i])));
	world_end(&w);
}
END_TEST

static int folder = -1;

static struct dict *open_file(void *arg, struct str spec, struct err *err)
{
	(void)arg;
	return dict_open(spec, folder, "rows", STR(""), err);
}

/* A table of patterns hears of whole keys only, wherever it stands. */
START_TEST(patterns)
{
	static const char rows[] = "/^b\\.test$/ parent\n/^u@$/ local\n/^@/ domain\n/^192\\.0\\.2$/ net\n/^(.*[+].*@.*)$/ <$1>\n"
				   "/^u@/ plain\n/^192\\.0\\.2\\.9$/ address\n";
	char name[] = "/tmp/tayori-access.XXXXXX";
	struct lookupd_conf conf = { .myorigin = STR("x.test"), .recipient_delimiter = STR("+") };
	struct policy_world pw = { .open = open_file };
	struct world w = { 0 };
	scoped_buf struct buf value = { 0 };
	scoped_arena struct arena arena = { 0 };
	struct address a;

	ck_assert_ptr_nonnull(mkdtemp(name));
	folder = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	scoped_fd int fd = openat(folder, "rows", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(fd_write_all(fd, str_from(rows)), 0);
	conf.smtpd_access_tables = conf.virtual_alias_maps = STR("pcre:/t/rows");
	policy_open(&w.policy, &conf, &pw, 0);
	check(&w, "pcre:/t/rows", ACCESS_KEY_NAME, "a.b.test", "", NULL);
	check(&w, "pcre:/t/rows", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.9", "address");
	check(&w, "pcre:/t/rows", ACCESS_KEY_CLIENT, "a.b.test", "192.0.2.8", NULL);
	check(&w, "pcre:/t/rows", ACCESS_KEY_ADDRESS, "", "u+e@b.test", "<u+e@b.test>");
	check(&w, "pcre:/t/rows", ACCESS_KEY_ADDRESS, "", "v@b.test", NULL);
	ck_assert(address_take(&w.policy, STR("v@b.test"), &arena, &a));
	ck_assert_int_eq(address_find(&w.policy, &w.policy.virtual_alias, &a, FORM_ALL, &value, NULL), DICT_MISSING);
	policy_close(&w.policy);
	ck_assert_int_eq(unlinkat(folder, "rows", 0), 0);
	fd_close(&folder);
	ck_assert_int_eq(rmdir(name), 0);
}
END_TEST

TEST_MAIN("access", {
	tcase_add_loop_test(tc, key_cases, 0, COUNT(cases));
	tcase_add_test(tc, named_tables);
	tcase_add_test(tc, patterns);
})
