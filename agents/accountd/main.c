/* accountd - answers authd about accounts of this host; each question in a process that ends with it. See accountd.8. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "account.h"
#include "conf.h"
#include "io/fd.h"
#include "proc/daemon.h"

enum { TEXT_MAX = 1024 };

/* A question: the child answers it as a frame, which is checked here and handed on. */
struct question {
	struct question *next, **prev;
	struct run *run;
	struct channel *from; /* NULL: authd is gone */
	uint32_t serial;
	pid_t pid;
	bool login;
	int answer; /* the parent's end */
	struct watch watch;
	struct timer limit;
	char user[TEXT_MAX], password[TEXT_MAX + 1];
	const char *pam_service;
};

struct accountd {
	struct question *questions;
	size_t n;
};

static int child(void *arg)
{
	struct question *q = arg;
	scoped_buf struct buf home = { 0 };

	if (q->login) {
		struct system_login_answer a = { account_check(q->user, q->password, q->pam_service) };
		return frame_send(q->answer, &system_login_answer_schema, true, 1, &a) < 0;
	}
	struct mailbox m;
	account_find(q->user, &home, &m);
	return frame_send(q->answer, &mailbox_schema, true, 1, &m) < 0;
}

static void finish(struct question *q)
{
	struct accountd *a = q->run->state;

	watch_stop(&q->watch);
	timer_stop(&q->limit);
	fd_close(&q->answer);
	*q->prev = q->next;
	if (q->next)
		q->next->prev = q->prev;
	a->n--;
	free(q);
}

static void answer_later(struct channel *ch, uint32_t serial, bool login)
{
	if (!ch)
		return;
	if (login)
		channel_answer(ch, serial, &system_login_answer_schema, &(struct system_login_answer){ LOGIN_LATER });
	else
		channel_answer(ch, serial, &mailbox_schema, &(struct mailbox){ .result = LOGIN_LATER });
}

static void answer_ready(void *arg, int what)
{
	struct question *q = arg;
	const struct ipc_schema *schema = q->login ? &system_login_answer_schema : &mailbox_schema;
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX];
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;

	(void)what;
	bool ok = frame_receive(q->answer, &frame, &head, &payload, fds, &n_fds) > 0 && head.type == schema->type &&
		  ipc_decode(schema, payload, fds, n_fds, message);
	frame_close_fds(fds, n_fds);
	if (ok && q->from)
		channel_answer(q->from, q->serial, schema, message);
	else
		answer_later(q->from, q->serial, q->login);
	finish(q);
}

static void too_slow(void *arg)
{
	struct question *q = arg;

	kill(q->pid, SIGKILL);
	answer_later(q->from, q->serial, q->login);
	finish(q);
}

static bool copy_text(char *to, struct str from)
{
	if (from.n >= TEXT_MAX || from.n == 0 || str_find(from, '\0') >= 0)
		return false;
	snprintf(to, TEXT_MAX, "%.*s", STR_ARG(from));
	return true;
}

static bool start(struct question *q)
{
	const struct accountd_conf *conf = q->run->conf;
	int fds[2];

	if (channel_pair(fds) < 0)
		return false;
	q->pam_service = conf->auth_pam_service.p;
	q->answer = fds[1];
	q->pid = run_fork(q->run, child, q, &fds[1], 1);
	explicit_bzero(q->password, sizeof(q->password));
	close(fds[1]);
	q->answer = fds[0];
	if (q->pid < 0)
		return false;
	watch_set(&q->watch, q->run->loop, q->answer, WATCH_READ, answer_ready, q);
	timer_set(&q->limit, q->run->loop, conf->accountd_time_limit, too_slow, q);
	return true;
}

static void take(struct channel *ch, uint32_t serial, struct str user, const struct str *password)
{
	struct run *run = ch->arg;
	struct accountd *a = run->state;
	const struct accountd_conf *conf = run->conf;
	struct question *q = calloc(1, sizeof(*q));

	ASSERT(q);
	*q = (struct question){ .next = a->questions, .prev = &a->questions, .run = run, .from = ch, .serial = serial,
				.login = password != NULL, .answer = -1 };
	if (q->next)
		q->next->prev = &q->next;
	a->questions = q;
	bool room = a->n++ < (size_t)conf->accountd_process_limit;
	if (!room || !copy_text(q->user, user) || (password && !copy_text(q->password, *password)) || !start(q)) {
		answer_later(ch, serial, q->login);
		finish(q);
	}
}

static void on_login(struct channel *ch, uint32_t serial, void *message)
{
	const struct system_login *m = message;

	take(ch, serial, m->user, &m->password);
}

static void on_find(struct channel *ch, uint32_t serial, void *message)
{
	const struct mailbox_find *m = message;

	take(ch, serial, m->user, NULL);
}

static void left(struct run *run, struct channel *ch)
{
	struct accountd *a = run->state;

	for (struct question *q = a->questions; q; q = q->next)
		if (q->from == ch)
			q->from = NULL;
}

static bool prepare(struct run *run, struct err *err)
{
	(void)err;
	run->state = calloc(1, sizeof(struct accountd));
	return run->state != NULL;
}

static const struct ipc_handler from_authd[] = { { &system_login_schema, on_login }, { &mailbox_find_schema, on_find } };
static const struct daemon_client clients[] = { { "authd", from_authd, COUNT(from_authd), NULL, left } };

static const struct daemon accountd = {
	.name = "accountd",
	.params = accountd_params,
	.n_params = &accountd_params_n,
	.conf_size = sizeof(struct accountd_conf),
	.clients = clients,
	.n_clients = COUNT(clients),
	.prepare = prepare,
};

int main(int argc, char **argv)
{
	return daemon_run(&accountd, argc, argv);
}
