/* smtpd - receive mail over SMTP and LMTP, from the world, from users and from this host. See smtpd.8. */
#include <stdlib.h>

#include "conf.h"
#include "proc/daemon.h"
#include "qmgr.h"
#include "restrict.h"
#include "session.h"

static bool prepare(struct run *run, struct err *err)
{
	struct smtpd *smtpd = calloc(1, sizeof(*smtpd));

	const struct smtpd_conf *conf = run->conf;

	ASSERT(smtpd);
	smtpd->run = run;
	run->state = smtpd;
	return restrict_load(smtpd, err) &&
	       keys_begin(&smtpd->keys, run, "smtp", (enum tls_version)conf->tls_min_version, err);
}

static bool begin(struct run *run, struct err *err)
{
	(void)err;
	qmgr_fill_stock(run->state);
	return true;
}

static void accept_client(struct run *run, int fd, unsigned service)
{
	session_start(run->state, fd, service);
}

static void reloaded(struct run *run, const void *old)
{
	struct smtpd *smtpd = run->state;
	const struct smtpd_conf *conf = run->conf;
	struct err err = { 0 };

	(void)old;
	keys_reload(&smtpd->keys, (enum tls_version)conf->tls_min_version);
	if (!restrict_load(smtpd, &err))
		log_line(&run->log, LOG_ERROR, "error: %s", err.text);
}

static void drain(struct run *run)
{
	session_finish_all(run->state);
}

static const char *const servers[] = { "qmgr", "lookupd", "authd", "keyd", "resolverd", NULL };

static const struct daemon smtpd = {
	.name = "smtpd",
	.params = smtpd_params,
	.n_params = &smtpd_params_n,
	.conf_size = sizeof(struct smtpd_conf),
	.servers = servers,
	.prepare = prepare,
	.begin = begin,
	.reloaded = reloaded,
	.accept = accept_client,
	.drain = drain,
};

int main(int argc, char **argv)
{
	return daemon_run(&smtpd, argc, argv);
}
