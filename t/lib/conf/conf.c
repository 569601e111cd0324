#include "unit.h"

#include "conf/conf.h"
#include "conf/file.h"

#define DEMO_CONF(CONF)                                                                                                \
	CONF(demo_on, bool, "yes", "", "", "A switch.")                                                                \
	CONF(demo_timeout, time, "5m", "10s", "1h", "A time.")                                                         \
	CONF(demo_size, size, "50M", "64K", "2G", "A size.")                                                           \
	CONF(demo_level, choice, "may", "none|may|encrypt", "", "A choice.")                                           \
	CONF(demo_maps, tables, "", "", "", "Tables.")                                                                 \
	CONF(demo_name, text, "x", "1", "", "A text.")
CONF_DECLARE(demo, DEMO_CONF)
CONF_DEFINE(demo, DEMO_CONF)

static const struct {
	size_t param;
	const char *text;
	bool ok;
	int64_t value;
} values[] = {
	{ 0, "maybe", false, 0 },  { 0, "", false, 0 },	     { 0, "NO", true, 0 },
	{ 1, "", false, 0 },	   { 1, "5x", false, 0 },    { 1, "-5", false, 0 },
	{ 1, "9s", false, 0 },	   { 1, "2h", false, 0 },    { 1, "99999999999999999999w", false, 0 },
	{ 1, "30", true, 30000 },  { 1, "1h", true, 3600000 }, { 2, "1K", false, 0 },
	{ 2, "1M", true, 1 << 20 }, { 3, "maybe", false, 0 }, { 3, "Encrypt", true, 2 },
	{ 4, "/etc/x", false, 0 }, { 5, "", false, 0 },
};

START_TEST(value_cases)
{
	scoped_arena struct arena a = { 0 };
	struct err err = { 0 };
	_Alignas(max_align_t) char field[32] = { 0 };
	const struct conf_param *p = &demo_params[values[_i].param];

	ck_assert_int_eq(conf_value(p, str_from(values[_i].text), &a, field, &err), values[_i].ok);
	if (!values[_i].ok)
		ck_assert(err.text[0]);
	else if (p->type == CONF_bool)
		ck_assert_int_eq(field[0], values[_i].value);
	else
		ck_assert_int_eq(*(int64_t *)(void *)field, values[_i].value);
}
END_TEST

START_TEST(fill_by_layout)
{
	scoped_arena struct arena a = { 0 };
	struct demo_conf c;
	struct err err = { 0 };
	struct str v[COUNT(demo_params)];

	for (size_t i = 0; i < COUNT(v); i++)
		v[i] = str_from(demo_params[i].preset);
	ck_assert(conf_fill(demo_params, COUNT(v), v, &a, &c, &err));
	ck_assert(c.demo_on && c.demo_timeout == 300000 && c.demo_size == 50 << 20 && c.demo_level == 1);
	ck_assert_str_is(c.demo_name, STR("x"));
	v[2] = STR("tiny");
	ck_assert(!conf_fill(demo_params, COUNT(v), v, &a, &c, &err));
	ck_assert(strstr(err.text, "demo_size"));
}
END_TEST

struct told {
	int n;
	size_t lines[10];
};

static void tell(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	struct told *t = arg;

	(void)fatal, (void)file, (void)text;
	if (t->n < 10)
		t->lines[t->n++] = line;
}

START_TEST(main_cf)
{
	scoped_arena struct arena a = { 0 };
	struct told told = { 0 };
	struct conf_report report = { tell, &told };
	struct conf_assignment *list;
	struct str text = STR("# comment\n\na = 1\nbad line\nb =\n  two\n# between\n\tthree\n=5\nc=x=y\r\n");

	ck_assert(!conf_read_main(text, "main.cf", &a, &report, &list));
	ck_assert_int_eq(told.n, 2);
	ck_assert_uint_eq(told.lines[0], 4);
	ck_assert_uint_eq(told.lines[1], 9);
	ck_assert_str_is(list->value, STR("1"));
	ck_assert_str_is(list->next->value, STR("two three"));
	ck_assert_uint_eq(list->next->line, 5);
	ck_assert_str_is(list->next->next->value, STR("x=y"));
	ck_assert(!list->next->next->next);
}
END_TEST

START_TEST(master_cf)
{
	scoped_arena struct arena a = { 0 };
	struct told told = { 0 };
	struct conf_report report = { tell, &told };
	struct conf_service *s;
	struct str text = STR("smtp inet n - y - 1 smtpd\n"
			      "short inet n\n"
			      "odd fifo n - y - 1 smtpd\n"
			      "subm inet n - y - 1 smtpd\n  -o a=b\n  -o { c = d e }\n"
			      "bad unix n - y - 1 smtpd -v\n");

	ck_assert(!conf_read_master(text, "master.cf", &a, &report, &s));
	ck_assert_int_eq(told.n, 3);
	ck_assert_str_is(s->command, STR("smtpd"));
	s = s->next;
	ck_assert_str_is(s->name, STR("subm"));
	ck_assert_str_is(s->options->value, STR("b"));
	ck_assert_str_is(s->options->next->name, STR("c"));
	ck_assert_str_is(s->options->next->value, STR("d e"));
	ck_assert(!s->next);
}
END_TEST

static bool find(void *arg, struct str name, struct str *value)
{
	(void)arg;
	*value = STR("");
	if (str_eq(name, STR("host")))
		*value = STR("mail.$domain");
	else if (str_eq(name, STR("domain")))
		*value = STR("example.org");
	else if (str_eq(name, STR("loop")))
		*value = STR("x$loop");
	else
		return str_eq(name, STR("empty"));
	return true;
}

static const struct {
	const char *in, *out; /* out NULL: an error */
} expansions[] = {
	{ "$", NULL },		  { "${host", NULL },	       { "$nosuch", NULL },
	{ "$loop", NULL },	  { "${host!x}", NULL },       { "plain", "plain" },
	{ "$host:25", "mail.example.org:25" },		       { "${host}x$(domain)", "mail.example.orgxexample.org" },
	{ "$$5", "$5" },	  { "${empty?no}${empty:yes}", "yes" },
	{ "${domain?<$domain>}", "<example.org>" },	       { "${nosuch:none}", "none" },
};

START_TEST(expansion_cases)
{
	scoped_buf struct buf out = { 0 };
	struct err err = { 0 };
	bool ok = conf_expand(str_from(expansions[_i].in), find, NULL, &out, &err);

	ck_assert_msg(ok == (expansions[_i].out != NULL), "%s: %s", expansions[_i].in, err.text);
	if (ok)
		ck_assert_str_is(buf_str(&out), str_from(expansions[_i].out));
}
END_TEST

START_TEST(lists)
{
	struct str rest = STR(" a,b  {c, d} ,,e"), item;
	const char *want[] = { "a", "b", "{c, d}", "e" };

	for (size_t i = 0; i < COUNT(want); i++) {
		ck_assert(conf_list_next(&rest, &item));
		ck_assert_str_is(item, str_from(want[i]));
	}
	ck_assert(!conf_list_next(&rest, &item));
}
END_TEST

START_TEST(distances)
{
	ck_assert_uint_eq(conf_distance(STR("myhostnmae"), STR("myhostname")), 1);
	ck_assert_uint_eq(conf_distance(STR("abc"), STR("")), 3);
	ck_assert_uint_eq(conf_distance(STR("smtp_timeout"), STR("smtpd_timeout")), 1);
}
END_TEST

TEST_MAIN("conf", {
	tcase_add_loop_test(tc, value_cases, 0, COUNT(values));
	tcase_add_test(tc, fill_by_layout);
	tcase_add_test(tc, main_cf);
	tcase_add_test(tc, master_cf);
	tcase_add_loop_test(tc, expansion_cases, 0, COUNT(expansions));
	tcase_add_test(tc, lists);
	tcase_add_test(tc, distances);
})
