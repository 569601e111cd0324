/* pop3session - opens sessions of pop3d: takes grants from authd and connections from fronts. See pop3d.8. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf.h"
#include "io/fd.h"
#include "proc/spawn.h"
#include "session.h"
#include "ticket.h"

struct pop3session {
	struct tickets tickets;
	size_t n_children;
};

struct opening {
	int fd;
	struct str input;
	int64_t timeout_ms;
};

/* In the user's process: the time limits are the socket's, so that waiting costs no further call. */
static int run_session(void *arg)
{
	const struct opening *o = arg;
	struct timeval limit = { o->timeout_ms / 1000, o->timeout_ms % 1000 * 1000 };
	int flags = fcntl(o->fd, F_GETFL);
	scoped_fd int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (home < 0 || fcntl(o->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return 1;
	setsockopt(o->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(o->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	session_run(o->fd, o->input, home);
	shutdown(o->fd, SHUT_WR);
	return 0;
}

static struct pop3session *state_of(struct channel *ch)
{
	return ((struct run *)ch->arg)->state;
}

static void on_grant(struct channel *ch, uint32_t serial, void *message)
{
	bool ok = ticket_keep(&state_of(ch)->tickets, message);

	channel_answer(ch, serial, &granted_schema, &(struct granted){ ok });
}

static bool open_session(struct run *run, const struct session_open *m, const struct grant_kept *g, struct err *err)
{
	struct pop3session *p = run->state;
	const struct pop3session_conf *conf = run->conf;
	struct spawn_user user = { str_from(g->user), g->uid, g->gid, str_from(g->home), g->virtual_user };
	struct spawn_rules rules = { conf->first_valid_uid, conf->virtual_mailbox_base, false };
	struct opening opening = { m->socket, m->input, conf->pop3_session_timeout };

	if (p->n_children >= (size_t)conf->pop3_process_limit)
		return err_set(err, "too many sessions");
	if (spawn_child(run, &user, &rules, run_session, &opening, &m->socket, 1, err) < 0)
		return false;
	p->n_children++;
	return true;
}

/* A folder would lead the session out of its root. */
static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void on_open(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = ch->arg;
	const struct session_open *m = message;
	struct err err = { 0 };
	struct grant_kept *g = ticket_take(&state_of(ch)->tickets, m->ticket);

	bool connected = is_socket(m->socket);
	if (!g || !connected)
		err_set(&err, g ? "no socket came with the ticket" : "no such ticket");
	bool ok = g && connected && open_session(run, m, g, &err);
	if (!ok)
		log_line(&run->log, LOG_WARNING, "warning: no session for %s from %.*s: %s", g ? g->user : "?",
			 LOG_ARG(m->client), err.text);
	channel_answer(ch, serial, &session_opened_schema, &(struct session_opened){ ok, str_from(err.text) });
	if (g)
		ticket_free(g);
}

static void child_ended(struct run *run, pid_t pid, int status)
{
	struct pop3session *p = run->state;

	(void)pid;
	if (p->n_children > 0)
		p->n_children--;
	if (WIFSIGNALED(status))
		log_line(&run->log, LOG_ERROR, "error: a session was killed by signal %d", WTERMSIG(status));
}

static bool prepare(struct run *run, struct err *err)
{
	struct pop3session *p = calloc(1, sizeof(*p));

	(void)err;
	ASSERT(p);
	p->tickets.loop = run->loop;
	run->state = p;
	return true;
}

static const struct ipc_handler from_authd[] = { { &grant_schema, on_grant } };
static const struct ipc_handler from_front[] = { { &session_open_schema, on_open } };
static const struct daemon_client clients[] = {
	{ "authd", from_authd, COUNT(from_authd), NULL, NULL },
	{ "pop3d", from_front, COUNT(from_front), NULL, NULL },
};

static const struct daemon pop3session = {
	.name = "pop3session",
	.params = pop3session_params,
	.n_params = &pop3session_params_n,
	.conf_size = sizeof(struct pop3session_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.child_ended = child_ended,
};

int main(int argc, char **argv)
{
	return daemon_run(&pop3session, argc, argv);
}
