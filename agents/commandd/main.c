/* commandd - runs the commands of aliases and .forward files, each as its user. See commandd.8. */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "forward/privs.h"
#include "io/fd.h"
#include "job.h"
#include "proc/spawn.h"

enum { PEER_MS = 30000, GRACE_MS = 30000, USER_MAX = 320, TARGET_MAX = 1024 };
#define COMMAND_MEMORY (4ull << 30) /* address space: languages with a heap of their own reserve much */

/* A delivery, from qmgr's question to the answer. */
struct command {
	struct command *next, **prev;
	struct run *run;
	struct channel *from; /* NULL: qmgr is gone */
	uint32_t serial;
	struct buf frame; /* the delivery's fields, encoded */
	int content;
	struct deliver m; /* of frame */
	struct call call; /* to authd or lookupd */
	pid_t pid;
	int answer; /* our end of its channel */
	struct watch watch;
	struct timer limit;
};

struct commandd {
	struct command *commands;
	size_t n;
	struct privs privs;
};

static const struct commandd_conf *conf(const struct run *run)
{
	return run->conf;
}

/* The process is ended with its group: it leads one as long as it lives, and it is not waited for before this. */
static void finish(struct command *c)
{
	struct commandd *d = c->run->state;

	if (c->pid > 0)
		kill(-c->pid, SIGKILL);
	call_cancel(&c->call);
	watch_stop(&c->watch);
	timer_stop(&c->limit);
	fd_close(&c->answer);
	fd_close(&c->content);
	buf_free(&c->frame);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	d->n--;
	if (c->run->draining && d->n == 0)
		run_drained(c->run);
	free(c);
}

static void answer(struct command *c, const struct delivered *d)
{
	if (c->from)
		channel_answer(c->from, c->serial, &delivered_schema, d);
	finish(c);
}

static void fail(struct command *c, uint8_t result, const char *status, const char *text)
{
	answer(c, &(struct delivered){ .result = result, .status = str_from(status), .text = str_from(text) });
}

static void answer_ready(void *arg, int what)
{
	struct command *c = arg;
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	struct delivered d;
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;

	(void)what;
	bool ok = frame_receive(c->answer, &frame, &head, &payload, fds, &n_fds) > 0 &&
		  head.type == delivered_schema.type && ipc_decode(&delivered_schema, payload, fds, n_fds, &d) &&
		  d.result >= DELIVERY_DONE && d.result <= DELIVERY_EXPANDED;
	frame_close_fds(fds, n_fds);
	if (ok)
		answer(c, &d);
	else
		fail(c, DELIVERY_UNKNOWN, "4.3.0", "the process of the command has died");
}

static void too_slow(void *arg)
{
	fail(arg, DELIVERY_UNKNOWN, "4.3.0", "the process of the command took too long");
}

static void start(struct command *c, uint32_t uid, uint32_t gid, struct str home, bool alias)
{
	struct spawn_user user = { c->m.user, uid, gid, home, false };
	struct spawn_rules rules = { .first_valid_uid = alias ? 1 : conf(c->run)->first_valid_uid,
				     .own_group = true,
				     .memory_bytes = COMMAND_MEMORY };
	struct job_order order = { .m = &c->m, .conf = conf(c->run), .home = home, .uid = uid, .alias = alias };
	struct err err = { 0 };
	int fds[2];

	if (channel_pair(fds) < 0) {
		fail(c, DELIVERY_DEFERRED, "4.3.0", "no process for the command");
		return;
	}
	order.parent = fds[1];
	c->answer = fds[0];
	c->pid = spawn_outside(c->run, &user, &rules, job_run, &order, (int[]){ fds[1], c->content }, 2, &err);
	close(fds[1]);
	if (c->pid < 0) {
		log_line(&c->run->log, LOG_ERROR, "error: %.*s: %s", LOG_ARG(c->m.user), err.text);
		fail(c, DELIVERY_DEFERRED, "4.3.0", "no process for the command");
		return;
	}
	watch_set(&c->watch, c->run->loop, c->answer, WATCH_READ, answer_ready, c);
	timer_set(&c->limit, c->run->loop, conf(c->run)->command_time_limit + GRACE_MS, too_slow, c);
}

/* ---- may it be run? ---- */

static void on_mailbox(void *arg, enum call_result result, void *message)
{
	struct command *c = arg;
	const struct mailbox *m = message;

	if (result != CALL_OK || m->result == LOGIN_LATER)
		fail(c, DELIVERY_DEFERRED, "4.3.0", "the user database does not answer");
	else if (m->result != LOGIN_OK)
		fail(c, DELIVERY_FAILED, "5.1.1", "unknown user");
	else if (m->virtual_user || m->account.n == 0)
		fail(c, DELIVERY_FAILED, "5.7.0", "a user without an account runs no commands");
	else
		start(c, m->uid, m->gid, m->account, false);
}

static void expand_again(struct command *c)
{
	scoped_buf struct buf raw = { 0 };
	struct delivered d = { .result = DELIVERY_EXPANDED, .status = STR("2.0.0") };

	strs_add(&raw, &d.targets, c->m.recipient);
	answer(c, &d);
}

static void on_verdict(void *arg, enum call_result result, void *message)
{
	struct command *c = arg;
	const struct verdict *v = message;
	const struct privs *p = &((struct commandd *)c->run->state)->privs;

	if (result == CALL_OK && v->code == 250)
		start(c, p->uid, p->gid, STR("/"), true);
	else if (result == CALL_OK && v->code == 550)
		expand_again(c); /* the alias is another one by now */
	else
		fail(c, DELIVERY_DEFERRED, "4.3.0", "the alias tables do not answer");
}

static void check(struct command *c)
{
	const struct commandd *d = c->run->state;
	struct alias_check alias = { .address = c->m.recipient, .target = c->m.target };
	struct mailbox_find user = { .user = c->m.user };

	if (privs_is(&d->privs, c->m.user))
		channel_call(run_server(c->run, "lookupd"), &alias_check_schema, &alias, &verdict_schema, PEER_MS,
			     &c->call, on_verdict, c);
	else
		channel_call(run_server(c->run, "authd"), &mailbox_find_schema, &user, &mailbox_schema, PEER_MS,
			     &c->call, on_mailbox, c);
}

/* ---- qmgr ---- */

static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool in_order(const struct deliver *m)
{
	return m->user.n > 0 && m->user.n <= USER_MAX && str_find(m->user, '\0') < 0 && m->target.n > 1 &&
	       m->target.p[0] == '|' && m->target.n <= TARGET_MAX && str_find(m->target, '\0') < 0 &&
	       is_file(m->content);
}

/* The slices of the question die with its handler: it is kept as a frame. */
static bool keep(struct command *c, struct deliver *m)
{
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	if (!ipc_encode(&deliver_schema, m, &c->frame, fds, &n))
		return false;
	c->content = fd_take(&m->content);
	fds[0] = c->content;
	return ipc_decode(&deliver_schema, buf_str(&c->frame), fds, n, &c->m);
}

static void on_deliver(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = ch->arg;
	struct commandd *d = run->state;
	struct command *c;

	if (!in_order(message)) {
		channel_break(ch, "a delivery without a user, a command or content");
		return;
	}
	if (d->n >= (size_t)conf(run)->command_process_limit) {
		channel_answer(ch, serial, &delivered_schema,
			       &(struct delivered){ .result = DELIVERY_DEFERRED,
						    .status = STR("4.3.2"),
						    .text = STR("too many commands at a time") });
		return;
	}
	c = calloc(1, sizeof(*c));
	ASSERT(c);
	*c = (struct command){ .next = d->commands,
			       .prev = &d->commands,
			       .run = run,
			       .from = ch,
			       .serial = serial,
			       .content = -1,
			       .answer = -1 };
	if (c->next)
		c->next->prev = &c->next;
	d->commands = c;
	d->n++;
	if (!keep(c, message))
		panic("a delivery that was decoded cannot be encoded");
	check(c);
}

static void qmgr_left(struct run *run, struct channel *ch)
{
	struct commandd *d = run->state;

	for (struct command *c = d->commands; c; c = c->next)
		if (c->from == ch)
			c->from = NULL;
}

/* Its channel breaks too, and that ends the matter; only the number is another's from now on. */
static void child_ended(struct run *run, pid_t pid, int status)
{
	struct commandd *d = run->state;

	(void)status;
	for (struct command *c = d->commands; c; c = c->next)
		if (c->pid == pid)
			c->pid = 0;
}

static void take_privs(struct run *run)
{
	struct commandd *d = run->state;
	struct str name = conf(run)->default_privs;

	privs_find(&d->privs, name);
	if (!d->privs.name)
		log_line(&run->log, LOG_ERROR,
			 "error: default_privs: %.*s is no account, or root's: no commands of aliases are run",
			 LOG_ARG(name));
}

static bool prepare(struct run *run, struct err *err)
{
	(void)err;
	run->state = calloc(1, sizeof(struct commandd));
	ASSERT(run->state);
	take_privs(run);
	return true;
}

static void reloaded(struct run *run, const void *old)
{
	(void)old;
	take_privs(run);
}

static void drain(struct run *run)
{
	if (((struct commandd *)run->state)->n == 0)
		run_drained(run);
}

static const char *const servers[] = { "authd", "lookupd", NULL };
static const struct ipc_handler from_qmgr[] = { { &deliver_schema, on_deliver } };
static const struct daemon_client clients[] = { { "qmgr", from_qmgr, COUNT(from_qmgr), NULL, qmgr_left } };

static const struct daemon commandd = {
	.name = "commandd",
	.params = commandd_params,
	.n_params = &commandd_params_n,
	.conf_size = sizeof(struct commandd_conf),
	.servers = servers,
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
	.reloaded = reloaded,
	.powers = OUTSIDE_POWERS,
	.drain = drain,
	.child_ended = child_ended,
};

int main(int argc, char **argv)
{
	return daemon_run(&commandd, argc, argv);
}
