/* local - deliver into mailboxes: the parent of the processes that do it, each as its recipient. See local.8. */
#include <stdlib.h>

#include "conf.h"
#include "recipient.h"
#include "tool.h"

static void take_privs(struct local *local)
{
	const struct local_conf *conf = local->run->conf;

	privs_find(&local->privs, conf->default_privs);
	if (!local->privs.name)
		log_line(&local->run->log, LOG_ERROR, "error: default_privs: %.*s is no account, or root's: files and lists of aliases are not used",
			 LOG_ARG(conf->default_privs));
}

static bool prepare(struct run *run, struct err *err)
{
	struct local *local = calloc(1, sizeof(*local));

	(void)err;
	ASSERT(local);
	local->run = run;
	run->state = local;
	take_privs(local);
	return true;
}

static void reloaded(struct run *run, const void *old)
{
	(void)old;
	take_privs(run->state);
}

static struct run *the_run(struct channel *ch)
{
	return ch->arg;
}

static void on_deliver(struct channel *ch, uint32_t serial, void *message)
{
	recipient_deliver(the_run(ch)->state, ch, serial, message);
}

static void qmgr_left(struct run *run, struct channel *ch)
{
	recipient_forget(run->state, ch);
}

static void child_ended(struct run *run, pid_t pid, int status)
{
	if (!tool_ended(run->state, pid, status))
		recipient_ended(run->state, pid);
}

static const char *const servers[] = { "authd", "lookupd", NULL };
static const struct ipc_handler from_qmgr[] = { { &deliver_schema, on_deliver } };
static const struct daemon_client clients[] = { { "qmgr", from_qmgr, COUNT(from_qmgr), NULL, qmgr_left } };

static const struct daemon local = {
	.name = "local",
	.params = local_params,
	.n_params = &local_params_n,
	.conf_size = sizeof(struct local_conf),
	.servers = servers,
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.reloaded = reloaded,
	.accept = tool_accept,
	.child_ended = child_ended,
};

int main(int argc, char **argv)
{
	return daemon_run(&local, argc, argv);
}
