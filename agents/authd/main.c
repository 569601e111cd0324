/* authd - checks passwords, says who a user is, gives out tickets for sessions. See authd.8. */
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "login.h"

enum { QUESTIONS_AT_A_TIME = 32 /* of one service */ };

/* The mail user's numbers must be known before the fence: the account database is behind it. */
static bool prepare(struct run *run, struct err *err)
{
	const struct authd_conf *conf = run->conf;
	struct authd *a = calloc(1, sizeof(*a));
	scoped_arena struct arena tmp = { 0 };

	ASSERT(a);
	a->run = run;
	run->state = a;
	a->mail_uid = geteuid();
	a->mail_gid = getegid();
	if (!run->privileged)
		return true;
	const struct passwd *pw = getpwnam(arena_str(&tmp, conf->virtual_mailbox_user).p);
	if (!pw)
		return err_set(err, "virtual_mailbox_user %.*s does not exist: create the users with etc/users",
			       STR_ARG(conf->virtual_mailbox_user));
	a->mail_uid = pw->pw_uid;
	a->mail_gid = pw->pw_gid;
	return true;
}

static bool begin(struct run *run, struct err *err)
{
	(void)err;
	login_begin(run->state);
	return true;
}

static struct authd *authd_of(struct channel *ch)
{
	return ((struct run *)ch->arg)->state;
}

static void on_login(struct channel *ch, uint32_t serial, void *message)
{
	login_ask(authd_of(ch), ch, serial, message);
}

static void on_find(struct channel *ch, uint32_t serial, void *message)
{
	login_find(authd_of(ch), ch, serial, message);
}

/* One service that asks without end must not keep the logins of the others waiting. */
static void joined(struct run *run, struct channel *ch)
{
	(void)run;
	ch->most_unanswered = QUESTIONS_AT_A_TIME;
}

static void left(struct run *run, struct channel *ch)
{
	login_forget(run->state, ch);
}

static const struct ipc_handler from_service[] = { { &login_schema, on_login } };
static const struct ipc_handler from_local[] = { { &mailbox_find_schema, on_find } };
static const struct daemon_client clients[] = {
	{ "smtpd", from_service, COUNT(from_service), joined, left },
	{ "pop3d", from_service, COUNT(from_service), joined, left },
	{ "imapd", from_service, COUNT(from_service), joined, left },
	{ "commandd", from_local, COUNT(from_local), joined, left },
	{ "local", from_local, COUNT(from_local), joined, left },
};
static const char *const servers[] = { "pop3session", "imapsession", "accountd", NULL };

static const struct daemon authd = {
	.name = "authd",
	.params = authd_params,
	.n_params = &authd_params_n,
	.conf_size = sizeof(struct authd_conf),
	.servers = servers,
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.begin = begin,
};

int main(int argc, char **argv)
{
	return daemon_run(&authd, argc, argv);
}
