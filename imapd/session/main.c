/* imapsession - opens sessions of imapd, wakes those that sleep. See imapd.8. */
#include <stdlib.h>
#include <sys/socket.h>

#include "conf.h"
#include "mail/text.h"
#include "proc/sessions.h"
#include "session.h"

/* Address space, not memory: the index is mapped, and a message may be taken in whole. */
enum { CHILD_MEMORY_GIB = 4 };

static struct spawn_rules rules(const void *values)
{
	const struct imapsession_conf *conf = values;

	return (struct spawn_rules){ .first_valid_uid = conf->first_valid_uid,
				     .base = conf->virtual_mailbox_base,
				     .memory_bytes = (uint64_t)CHILD_MEMORY_GIB << 30 };
}

static int64_t timeout_ms(const void *conf)
{
	return ((const struct imapsession_conf *)conf)->imap_session_timeout;
}

static int64_t most(const void *conf)
{
	return ((const struct imapsession_conf *)conf)->imap_process_limit;
}

static void body(const struct session_child *child)
{
	const struct session_start start = {
		.fd = child->fd,
		.parent = child->parent,
		.home = child->home,
		.tag = child->tag,
		.input = child->input,
		.state = child->state,
		.conf = child->conf,
	};

	session_run(&start);
}

static const struct sessions_protocol imap = { "imap", true, rules, timeout_ms, most, body };

/* Charsets are modules that iconv loads: sessions are behind a wall and could not. */
static bool prepare(struct run *run, struct err *err)
{
	struct sessions *s = calloc(1, sizeof(*s));

	(void)err;
	ASSERT(s);
	text_preload();
	sessions_prepare(s, run, &imap);
	return true;
}

static const struct daemon_client clients[] = {
	{ "authd", sessions_from_authd, COUNT(sessions_from_authd), NULL, NULL },
	{ "imapd", sessions_from_front, COUNT(sessions_from_front), NULL, sessions_front_left },
};

static const struct daemon imapsession = {
	.name = "imapsession",
	.params = imapsession_params,
	.n_params = &imapsession_params_n,
	.conf_size = sizeof(struct imapsession_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.child_ended = sessions_child_ended,
	.who = sessions_who,
	.kick = sessions_kick,
};

int main(int argc, char **argv)
{
	return daemon_run(&imapsession, argc, argv);
}
