/* lookupd - address classes, aliases and routes, from tables. See lookupd.8. */
#include <stdlib.h>

#include "base/time.h"
#include "lookupd.h"

enum { END_MS = 20 }; /* the answer to reload leaves first */

static const struct lookupd_conf *conf_of(const struct run *run)
{
	return run->conf;
}

static bool names_table(const struct lookupd_conf *conf, struct str table)
{
	const struct str lists[] = { conf->local_recipient_maps, conf->mydestination,
				     conf->alias_maps,		 conf->virtual_mailbox_maps,
				     conf->relay_recipient_maps, conf->smtpd_sender_login_maps,
				     conf->smtpd_access_tables };
	struct str item;

	for (size_t i = 0; i < COUNT(lists); i++)
		for (struct str rest = lists[i]; conf_list_next(&rest, &item);)
			if (str_ends(item, table))
				return true;
	return false;
}

static bool wants_accounts(const struct lookupd_conf *conf)
{
	return names_table(conf, STR("unix:passwd.byname")) || names_table(conf, STR("unix:group.byname"));
}

static struct dict *read_unix(struct lookupd *l, struct str table, struct err *err)
{
	return names_table(conf_of(l->run), table) ? dict_open(table, -1, NULL, STR(""), err) : NULL;
}

/* The account database is behind the fence. */
static bool prepare(struct run *run, struct err *err)
{
	struct lookupd *l = calloc(1, sizeof(*l));

	ASSERT(l);
	l->run = run;
	run->state = l;
	l->accounts = read_unix(l, STR("unix:passwd.byname"), err);
	l->groups = read_unix(l, STR("unix:group.byname"), err);
	return true;
}

static struct dict *open_table(void *arg, struct str spec, struct err *err)
{
	struct lookupd *l = arg;
	scoped_arena struct arena tmp = { 0 };
	struct str path = spec;
	const char *name = NULL;

	str_cut(&path, ':');
	int folder = run_file(l->run, str_trim(path), &tmp, &name);
	return dict_open(spec, folder, name, conf_of(l->run)->auth_default_domain, err);
}

static void tell(void *arg, const char *text)
{
	struct lookupd *l = arg;

	log_line(&l->run->log, LOG_WARNING, "warning: %s", text);
}

static void open_policy(struct lookupd *l)
{
	struct policy_world world = {
		.open = open_table, .tell = tell, .arg = l, .accounts = l->accounts, .groups = l->groups
	};

	policy_open(&l->policy, conf_of(l->run), &world, clock_mono_ms());
}

struct policy *lookupd_policy(struct channel *ch)
{
	struct lookupd *l = ((struct run *)ch->arg)->state;

	policy_refresh(&l->policy, clock_mono_ms());
	return &l->policy;
}

static bool begin(struct run *run, struct err *err)
{
	(void)err;
	open_policy(run->state);
	return true;
}

static void end_now(void *arg)
{
	run_drained(arg);
}

/* Accounts can be read only before the fence: a fresh process does it, which master starts at once. */
static void reloaded(struct run *run, const void *old)
{
	struct lookupd *l = run->state;

	(void)old;
	policy_close(&l->policy);
	open_policy(l);
	if (!wants_accounts(conf_of(run)))
		return;
	log_line(&run->log, LOG_NOTICE, "a new process reads the accounts of this host anew");
	timer_set(&l->end, run->loop, END_MS, end_now, run);
}

static const struct daemon_client clients[] = {
	{ "smtpd", smtpd_handlers, COUNT(smtpd_handlers), NULL, NULL },
	{ "smtp", smtp_handlers, COUNT(smtp_handlers), NULL, NULL },
	{ "commandd", local_handlers, COUNT(local_handlers), NULL, NULL },
	{ "local", local_handlers, COUNT(local_handlers), NULL, NULL },
	{ "qmgr", qmgr_handlers, COUNT(qmgr_handlers), NULL, NULL },
};

static const struct daemon lookupd = {
	.name = "lookupd",
	.params = lookupd_params,
	.n_params = &lookupd_params_n,
	.conf_size = sizeof(struct lookupd_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.begin = begin,
	.reloaded = reloaded,
};

int main(int argc, char **argv)
{
	return daemon_run(&lookupd, argc, argv);
}
