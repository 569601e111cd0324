/* imapd - the front of IMAP: TLS, logins and sleeping sessions; those at work run in processes of their users. See imapd.8. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "conf.h"

static struct front_rules rules(const void *values)
{
	const struct imapd_conf *conf = values;

	return (struct front_rules){
		.host = conf->myhostname,
		.login_timeout = conf->front_login_timeout,
		.session_limit = conf->front_session_limit,
		.auth_limit = conf->front_auth_limit,
		.per_address = conf->front_client_connection_count_limit,
		.sleep_timeout = conf->imap_session_timeout,
		.idle_notify = conf->imap_idle_notify_interval,
		.tls = (unsigned)conf->front_tls,
		.tls_auth_only = conf->front_tls_auth_only,
		.tls_min_version = (enum tls_version)conf->tls_min_version,
	};
}

static void refused(struct front_conn *c)
{
	commands_answer(c, "NO [AUTHENTICATIONFAILED] authentication failed");
}

static void later(struct front_conn *c)
{
	commands_answer(c, "NO [UNAVAILABLE] try again later");
}

static void goodbye(struct front_conn *c, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "* BYE %s\r\n", why);
	front_write(c, text);
}

static void sasl_failed(struct front_conn *c, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "BAD %s", why);
	commands_answer(c, text);
}

static const struct front_protocol imap = {
	.name = "imap",
	.spawner = "imapsession",
	.literals = true,
	.sleeps = true,
	.still_here = "* OK still here\r\n",
	.rules = rules,
	.greet = commands_greet,
	.line = commands_line,
	.refused = refused,
	.later = later,
	.goodbye = goodbye,
	.sasl_failed = sasl_failed,
};

static bool prepare(struct run *run, struct err *err)
{
	struct front *front = calloc(1, sizeof(*front));

	ASSERT(front);
	run->state = front;
	return front_prepare(front, run, &imap, err);
}

static void accept_client(struct run *run, int fd, unsigned service)
{
	front_accept(run->state, fd, service);
}

static void reloaded(struct run *run, const void *old)
{
	(void)old;
	front_reloaded(run->state);
}

static void drain(struct run *run)
{
	front_drain(run->state);
}

static const char *const servers[] = { "authd", "keyd", "imapsession", NULL };

static const struct daemon imapd = {
	.name = "imapd",
	.params = imapd_params,
	.n_params = &imapd_params_n,
	.conf_size = sizeof(struct imapd_conf),
	.servers = servers,
	.from_servers = front_from_spawner,
	.n_from_servers = COUNT(front_from_spawner),
	.prepare = prepare,
	.reloaded = reloaded,
	.accept = accept_client,
	.drain = drain,
};

int main(int argc, char **argv)
{
	return daemon_run(&imapd, argc, argv);
}
