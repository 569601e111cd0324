#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "house/config.h"
#include "ipc/messages.h"

static char folder[] = "/tmp/tayori-config.XXXXXX";

struct told {
	char text[4000];
};

static void tell(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	struct told *t = arg;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%s:%zu:%c:%s\n", file, line, fatal ? 'E' : 'W', text);
}

static void put(const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static bool read_config(const char *main_cf, const char *master_cf, struct config *c, struct told *t)
{
	struct conf_report report = { tell, t };

	if (strchr(folder, 'X') && strstr(folder, "XXXXXX"))
		ck_assert_ptr_nonnull(mkdtemp(folder));
	put("main.cf", main_cf);
	put("master.cf", master_cf);
	t->text[0] = '\0';
	return config_read(folder, &report, c);
}

#define SMTP "smtp inet n - y - 1 smtpd\n"

/* Mistakes, and what must be told of each: all that stand in one configuration at once. */
static const struct {
	const char *main_cf, *master_cf;
	bool ok;
	const char *told[4];
} rows[] = {
	{ "smtpd_timeout = never\nmessage_size_limit = 1\nx\n", SMTP, false,
	  { "main.cf:1:E:smtpd_timeout", "main.cf:2:E:message_size_limit", "main.cf:3:E:" } },
	{ "smtpd_client_restrictions = reject_unknown_cleint_hostname\nsmtpd_data_restrictions = permit\nmynetworks = 10.0.0.1/8\n", SMTP,
	  false,
	  { "main.cf:1:E:smtpd_client_restrictions: 'reject_unknown_cleint_hostname' is no restriction that is known here; did "
	    "you mean reject_unknown_client_hostname?",
	    "main.cf:3:E:mynetworks: '10.0.0.1/8' is no network: bits behind its length are set" } },
	{ "", "smtp inet n - y - 1 smtpd\n  -o smtpd_helo_restrictions=permit,check_helo_access\n", false,
	  { "master.cf:1:E:smtpd_helo_restrictions: check_helo_access: a table must follow" } },
	{ "mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n", SMTP, true,
	  { "master.cf:1:W:service smtp is for mail to our own recipients and does not relay for mynetworks" } },
	{ "mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks\n",
	  "submission inet n - y - 1 smtpd\n  -o smtpd_service=submission\n", true, { NULL } },
	{ "mynetworks = 127.0.0.0/8 [::1]/128\nsmtpd_relay_restrictions = permit_mynetworks\n", SMTP, true, { NULL } },
	{ "myhostnmae = x\n", SMTP, true, { "main.cf:1:W:myhostnmae: no such parameter; did you mean myhostname?" } },
	{ "zzzzzzzzzzzzzz = x\n", SMTP, true, { "main.cf:1:W:zzzzzzzzzzzzzz: no such parameter\n" } },
	{ "mine = example.org\nmyhostname = mail.$mine\n", SMTP, true, { NULL } },
	{ "myhostname = a.test\nmyhostname = b.test\n", SMTP, true, { "main.cf:1:W:myhostname is given again in line 2" } },
	{ "myhostname = $nosuch\n", SMTP, false, { "main.cf:1:E:myhostname: $nosuch: no such parameter" } },
	{ "myhostname = $mydomain\nmydomain = $myhostname\n", SMTP, false, { "without end" } },
	{ "", "", false, { "master.cf:0:E:no service listens" } },
	{ "", SMTP SMTP, false, { "master.cf:2:E:service smtp stands here twice (line 1)" } },
	{ "", SMTP "x inet n\n", false, { "master.cf:2:E:a service needs eight columns" } },
	{ "", SMTP "pickup unix n - y 60 1 pickup\n", true, { "master.cf:2:W:pickup: no such daemon here" } },
	{ "", SMTP "  -o smtpd_timeout=1y\n  -o smtpd_timeuot=5s\n", false,
	  { "master.cf:1:E:smtpd_timeout", "master.cf:1:W:-o smtpd_timeuot: no such parameter; did you mean smtpd_timeout?" } },
};

START_TEST(mistakes)
{
	struct config c;
	struct told t;

	bool ok = read_config(rows[_i].main_cf, rows[_i].master_cf, &c, &t);
	ck_assert_msg(ok == rows[_i].ok, "%s", t.text);
	for (size_t i = 0; i < COUNT(rows[_i].told) && rows[_i].told[i]; i++)
		ck_assert_msg(strstr(t.text, rows[_i].told[i]), "wanted '%s' in:\n%s", rows[_i].told[i], t.text);
	if (!rows[_i].told[0])
		ck_assert_str_eq(t.text, "");
	config_free(&c);
}
END_TEST

static const struct config_service *find(const struct config *c, const char *daemon, uint32_t authority)
{
	for (const struct config_service *s = c->services; s; s = s->next)
		if (strcmp(s->daemon->name, daemon) == 0 && s->authority == authority)
			return s;
	return NULL;
}

START_TEST(services)
{
	struct config c;
	struct told t;

	ck_assert_msg(read_config("", SMTP "lmtp unix n - y - 1 smtpd\n -o smtpd_service=lmtp\n"
					   "submission inet n - y - 1 smtpd\n -o smtpd_service=submission\n -o service_user=tayori-submit\n"
					   "submissions inet n - y - 1 smtpd\n -o smtpd_service=submission\n -o service_user=tayori-submit\n"
					   "pop3 inet n - y - 1 pop3d\n",
				  &c, &t),
		      "%s", t.text);
	/* the world's services share a process, the users' another; authority comes from smtpd_service alone */
	const struct config_service *mx = find(&c, "smtpd", AUTHORITY_MX), *sub = find(&c, "smtpd", AUTHORITY_SUBMISSION);
	ck_assert(mx && mx->members && !mx->members->next);
	ck_assert(sub && sub->members && !sub->members->next);
	ck_assert_str_is(sub->user, STR("tayori-submit"));
	ck_assert_str_is(mx->user, STR("tayori-smtpd"));
	/* whoever is asked is there, and before who asks; accountd only when it is wanted */
	ck_assert(find(&c, "qmgr", 0) && find(&c, "lookupd", 0) && find(&c, "authd", 0) && find(&c, "keyd", 0) &&
		  find(&c, "local", 0) && find(&c, "commandd", 0) && find(&c, "pop3session", 0) && find(&c, "logd", 0));
	ck_assert_ptr_null(find(&c, "accountd", 0));
	ck_assert_str_eq(c.services->daemon->name, "logd");
	config_free(&c);
	ck_assert(read_config("auth_system_users = yes\n", SMTP, &c, &t));
	ck_assert(find(&c, "accountd", 0) != NULL);
	config_free(&c);
}
END_TEST

/* lookupd is told of every table that a restriction names, with those of -o. */
START_TEST(access_tables)
{
	struct config c;
	struct told t;
	struct str got = { 0 };

	ck_assert_msg(read_config("smtpd_helo_restrictions = check_helo_access pcre:/a/helo, permit\nsmtpd_access_tables = lmdb:/own\n",
				  SMTP "submission inet n - y - 1 smtpd\n -o smtpd_service=submission\n"
				       " -o smtpd_helo_restrictions=\n -o smtpd_sender_restrictions=cidr:/b\n",
				  &c, &t),
		      "%s", t.text);
	const struct config_service *lookupd = find(&c, "lookupd", 0);
	for (size_t i = 0; i < *lookupd->daemon->n_params; i++)
		if (strcmp(lookupd->daemon->params[i].name, "smtpd_access_tables") == 0)
			got = lookupd->values[i];
	ck_assert_str_is(got, STR("lmdb:/own, pcre:/a/helo, cidr:/b"));
	config_free(&c);
}
END_TEST

START_TEST(missing_files)
{
	struct told t = { "" };
	struct conf_report report = { tell, &t };
	struct config c;

	ck_assert(!config_read("/nonexistent", &report, &c));
	ck_assert(strstr(t.text, "/nonexistent/main.cf:0:E:cannot be read"));
	ck_assert(strstr(t.text, "/nonexistent/master.cf:0:E:cannot be read"));
	config_free(&c);
}
END_TEST

START_TEST(no_name_twice)
{
	/* shared parameters are one declaration: the same text wherever they stand */
	for (size_t i = 0; i < house_daemons_n; i++)
		for (size_t k = 0; k < *house_daemons[i].n_params; k++) {
			const struct conf_param *p = &house_daemons[i].params[k], *first = house_param(str_from(p->name));
			ck_assert_msg(strcmp(p->meaning, first->meaning) == 0 && strcmp(p->preset, first->preset) == 0 && p->type == first->type,
				      "%s is declared in two ways", p->name);
			ck_assert_msg(p->meaning[0] && p->meaning[strlen(p->meaning) - 1] == '.', "%s has no sentence", p->name);
		}
}
END_TEST

static void sweep(void)
{
	char path[64];
	static const char *const files[] = { "main.cf", "master.cf" };

	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

TEST_MAIN("config", {
	tcase_add_checked_fixture(tc, NULL, sweep);
	tcase_add_loop_test(tc, mistakes, 0, COUNT(rows));
	tcase_add_test(tc, services);
	tcase_add_test(tc, access_tables);
	tcase_add_test(tc, missing_files);
	tcase_add_test(tc, no_name_twice);
})
