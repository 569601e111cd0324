/* pop3session - opens sessions of pop3d: takes grants from authd and connections from fronts. See pop3d.8. */
#include <stdlib.h>
#include <sys/socket.h>

#include "conf.h"
#include "proc/sessions.h"
#include "session.h"

static struct spawn_rules rules(const void *values)
{
	const struct pop3session_conf *conf = values;

	return (struct spawn_rules){ .first_valid_uid = conf->first_valid_uid, .base = conf->virtual_mailbox_base };
}

static int64_t timeout_ms(const void *conf)
{
	return ((const struct pop3session_conf *)conf)->pop3_session_timeout;
}

static int64_t most(const void *conf)
{
	return ((const struct pop3session_conf *)conf)->pop3_process_limit;
}

static void body(const struct session_child *child)
{
	session_run(child->fd, child->input, child->home);
	shutdown(child->fd, SHUT_WR);
}

static const struct sessions_protocol pop3 = { "pop3", false, rules, timeout_ms, most, body };

static bool prepare(struct run *run, struct err *err)
{
	struct sessions *s = calloc(1, sizeof(*s));

	(void)err;
	ASSERT(s);
	sessions_prepare(s, run, &pop3);
	return true;
}

static const struct daemon_client clients[] = {
	{ "authd", sessions_from_authd, COUNT(sessions_from_authd), NULL, NULL },
	{ "pop3d", sessions_from_front, COUNT(sessions_from_front), NULL, sessions_front_left },
};

static const struct daemon pop3session = {
	.name = "pop3session",
	.params = pop3session_params,
	.n_params = &pop3session_params_n,
	.conf_size = sizeof(struct pop3session_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.child_ended = sessions_child_ended,
	.who = sessions_who,
	.kick = sessions_kick,
};

int main(int argc, char **argv)
{
	return daemon_run(&pop3session, argc, argv);
}
