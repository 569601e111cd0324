/* pop3d - the front of POP3: TLS and logins; sessions run in processes of their users. See pop3d.8. */
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "conf.h"

static struct front_rules rules(const void *values)
{
	const struct pop3d_conf *conf = values;

	return (struct front_rules){
		.host = conf->myhostname,
		.login_timeout = conf->front_login_timeout,
		.session_limit = conf->front_session_limit,
		.auth_limit = conf->front_auth_limit,
		.per_address = conf->front_client_connection_count_limit,
		.tls = (unsigned)conf->front_tls,
		.tls_auth_only = conf->front_tls_auth_only,
		.tls_min_version = (enum tls_version)conf->tls_min_version,
	};
}

static void refused(struct front_conn *c)
{
	front_write(c, "-ERR [AUTH] authentication failed\r\n");
}

static void later(struct front_conn *c)
{
	front_write(c, "-ERR [SYS/TEMP] try again later\r\n");
}

static void goodbye(struct front_conn *c, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "-ERR [SYS/TEMP] %s\r\n", why);
	front_write(c, text);
}

static void sasl_failed(struct front_conn *c, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "-ERR %s\r\n", why);
	front_write(c, text);
}

static const struct front_protocol pop3 = {
	.name = "pop3",
	.spawner = "pop3session",
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
	return front_prepare(front, run, &pop3, err);
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

static const char *const servers[] = { "authd", "keyd", "pop3session", NULL };

static const struct daemon pop3d = {
	.name = "pop3d",
	.params = pop3d_params,
	.n_params = &pop3d_params_n,
	.conf_size = sizeof(struct pop3d_conf),
	.servers = servers,
	.prepare = prepare,
	.reloaded = reloaded,
	.accept = accept_client,
	.drain = drain,
};

int main(int argc, char **argv)
{
	return daemon_run(&pop3d, argc, argv);
}
