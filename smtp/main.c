/* smtp - deliver to other hosts over SMTP and LMTP. See smtp.8. */
#include <stdlib.h>

#include "smtp/smtp.h"

static bool prepare(struct run *run, struct err *err)
{
	const struct smtp_conf *conf = run->conf;
	scoped_arena struct arena tmp = { 0 };
	struct smtp *smtp = calloc(1, sizeof(*smtp));
	const char *file = conf->smtp_tls_CAfile.n > 0 ? arena_str(&tmp, conf->smtp_tls_CAfile).p : NULL;

	ASSERT(smtp);
	smtp->run = run;
	run->state = smtp;
	smtp->own = exchange_own(&smtp->n_own); /* a domain whose best host is this one would be sent in circles */
	smtp->tls = tls_client_new(file, (enum tls_version)conf->tls_min_version, err);
	run_forget_folders(run);
	return smtp->tls != NULL;
}

static void on_transfer(struct channel *ch, uint32_t serial, void *message)
{
	job_start(((struct run *)ch->arg)->state, ch, serial, message);
}

static void qmgr_left(struct run *run, struct channel *ch)
{
	job_forget(run->state, ch);
}

static void drain(struct run *run)
{
	struct smtp *smtp = run->state;

	remote_close_idle(smtp);
	if (!smtp->jobs)
		run_drained(run);
}

static const char *const servers[] = { "lookupd", "resolverd", "dialer", NULL };
static const struct ipc_handler from_qmgr[] = { { &transfer_schema, on_transfer } };
static const struct daemon_client clients[] = { { "qmgr", from_qmgr, COUNT(from_qmgr), NULL, qmgr_left } };

static const struct daemon smtp_daemon = {
	.name = "smtp",
	.params = smtp_params,
	.n_params = &smtp_params_n,
	.conf_size = sizeof(struct smtp_conf),
	.servers = servers,
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.drain = drain,
};

int main(int argc, char **argv)
{
	return daemon_run(&smtp_daemon, argc, argv);
}
