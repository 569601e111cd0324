#include "recipient.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "job.h"
#include "proc/spawn.h"

enum { AUTHD_MS = 30000, USER_MAX = 320 };

/* A delivery as it came, and whose answer it is. */
struct waiting {
	struct waiting *next;
	struct channel *from; /* NULL: qmgr is gone */
	uint32_t serial;
	struct buf frame; /* the message's fields, encoded */
	int content;
};

struct recipient {
	struct local *local;
	char *user;
	pid_t pid; /* 0: no process */
	struct channel child;
	struct call call;	 /* to authd */
	struct call delivery;	 /* to the child */
	struct waiting *waiting; /* the first one is in the child's hands when `delivery` is out */
	struct timer idle;
	bool asked; /* authd is being asked */
	bool ended; /* the process has been waited for: its number may be another's */
};

static const struct local_conf *conf(const struct local *local)
{
	return local->run->conf;
}

static void drop_first(struct recipient *r)
{
	struct waiting *w = r->waiting;

	r->waiting = w->next;
	fd_close(&w->content);
	buf_free(&w->frame);
	free(w);
}

static void answer_first(struct recipient *r, const struct delivered *d)
{
	struct waiting *w = r->waiting;

	if (w->from)
		channel_answer(w->from, w->serial, &delivered_schema, d);
	drop_first(r);
}

static void answer_all(struct recipient *r, const char *status, const char *text)
{
	struct delivered d = { DELIVERY_DEFERRED, str_from(status), str_from(text) };

	while (r->waiting)
		answer_first(r, &d);
}

/* It has nothing in hand, or is not to be believed any more: it need not agree. */
static void end_child(struct recipient *r)
{
	if (r->pid > 0 && !r->ended)
		kill(r->pid, SIGKILL);
}

static void child_broken(struct channel *ch, const char *why)
{
	(void)why;
	end_child(ch->arg);
}

static void release(struct recipient *r)
{
	end_child(r);
	call_cancel(&r->call);
	call_cancel(&r->delivery);
	timer_stop(&r->idle);
	channel_stop(&r->child);
	table_remove(&r->local->recipients, str_from(r->user));
	free(r->user);
	free(r);
}

/* No more mail for this user for now. */
static void on_idle(void *arg)
{
	struct recipient *r = arg;

	r->local->n_children--;
	release(r);
}

static void next(struct recipient *r);

static void on_delivered(void *arg, enum call_result result, void *message)
{
	struct recipient *r = arg;
	struct delivered *d = message;

	if (result == CALL_OK && (d->result < DELIVERY_DONE || d->result > DELIVERY_FAILED))
		result = CALL_BROKEN;
	if (result == CALL_OK) {
		answer_first(r, d);
		next(r);
		return;
	}
	/* Dead or too slow: what it was doing may be done; qmgr asks again, and then it is looked for. */
	log_line(&r->local->run->log, LOG_WARNING, "warning: the delivery process of %s %s", r->user,
		 result == CALL_TIMEOUT ? "took too long" : "has died");
	answer_first(r, &(struct delivered){ DELIVERY_UNKNOWN, STR("4.3.0"), STR("the delivery process failed") });
	answer_all(r, "4.3.0", "the delivery process failed");
	r->local->n_children--;
	release(r);
}

static void next(struct recipient *r)
{
	struct deliver m;
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	if (!r->waiting) {
		timer_set(&r->idle, r->local->run->loop, conf(r->local)->local_child_idle_time, on_idle, r);
		return;
	}
	if (r->waiting->content >= 0)
		fds[n++] = r->waiting->content;
	timer_stop(&r->idle);
	if (!ipc_decode(&deliver_schema, buf_str(&r->waiting->frame), fds, n, &m))
		panic("a delivery that was in order is not");
	channel_call(&r->child, &deliver_schema, &m, &delivered_schema, conf(r->local)->local_delivery_time_limit,
		     &r->delivery, on_delivered, r);
	/* The descriptor stays the waiting delivery's; the channel has its own copy, the child its own. */
}

static void start_child(struct recipient *r, const struct mailbox *m)
{
	struct local *local = r->local;
	struct spawn_user user = { m->user, m->uid, m->gid, m->home, m->virtual_user };
	struct spawn_rules rules = { .first_valid_uid = conf(local)->first_valid_uid,
				     .base = conf(local)->virtual_mailbox_base,
				     .dies_with_parent = true };
	struct err err = { 0 };
	int fds[2];

	if (channel_pair(fds) < 0) {
		answer_all(r, "4.3.0", "no process for the delivery");
		release(r);
		return;
	}
	struct job_place place = { fds[1], conf(local)->myhostname.p };
	pid_t pid = spawn_child(local->run, &user, &rules, job_loop, &place, &fds[1], 1, &err);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		log_line(&local->run->log, LOG_ERROR, "error: %s: %s", r->user, err.text);
		answer_all(r, "4.3.0", "the mail folder cannot be used");
		release(r);
		return;
	}
	r->pid = pid;
	local->n_children++;
	channel_attach(&r->child, fds[0]);
	next(r);
}

static void on_mailbox(void *arg, enum call_result result, void *message)
{
	struct recipient *r = arg;
	const struct mailbox *m = message;
	struct delivered unknown = { DELIVERY_FAILED, STR("5.1.1"), STR("unknown user") };

	r->asked = false;
	if (result == CALL_OK && m->result == LOGIN_OK) {
		start_child(r, m);
		return;
	}
	if (result == CALL_OK && m->result == LOGIN_REFUSED)
		while (r->waiting)
			answer_first(r, &unknown);
	else
		answer_all(r, "4.3.0", "the user database does not answer");
	release(r);
}

static struct recipient *find_or_add(struct local *local, struct str user)
{
	struct recipient *r = table_get(&local->recipients, user);

	if (r)
		return r;
	r = calloc(1, sizeof(*r));
	ASSERT(r);
	r->local = local;
	r->user = strndup(user.p, user.n);
	channel_start(&r->child, local->run->loop, -1, NULL, NULL, 0, child_broken, r);
	table_set(&local->recipients, user, r);
	return r;
}

static void enqueue(struct recipient *r, struct channel *ch, uint32_t serial, struct deliver *m)
{
	struct waiting *w = calloc(1, sizeof(*w)), **end = &r->waiting;
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	ASSERT(w);
	*w = (struct waiting){ .from = ch, .serial = serial, .content = -1 };
	if (!ipc_encode(&deliver_schema, m, &w->frame, fds, &n))
		panic("a delivery that was decoded cannot be encoded");
	w->content = fd_take(&m->content);
	while (*end)
		end = &(*end)->next;
	*end = w;
}

/* A folder would lead its child out of its root. */
static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void recipient_deliver(struct local *local, struct channel *ch, uint32_t serial, struct deliver *m)
{
	struct delivered busy = { DELIVERY_DEFERRED, STR("4.3.2"), STR("too many deliveries at a time") };

	if (m->user.n == 0 || m->user.n > USER_MAX || str_find(m->user, '\0') >= 0 || !is_file(m->content)) {
		channel_break(ch, "a delivery without a user or content");
		return;
	}
	struct recipient *r = find_or_add(local, m->user);
	if (!r->pid && !r->asked && local->n_children >= (size_t)conf(local)->local_process_limit) {
		channel_answer(ch, serial, &delivered_schema, &busy);
		release(r);
		return;
	}
	enqueue(r, ch, serial, m);
	if (r->pid && !call_is_out(&r->delivery)) {
		next(r);
	} else if (!r->pid && !r->asked) {
		struct mailbox_find q = { .user = str_from(r->user) };
		r->asked = true;
		channel_call(run_server(local->run, "authd"), &mailbox_find_schema, &q, &mailbox_schema, AUTHD_MS, &r->call,
			     on_mailbox, r);
	}
}

void recipient_ended(struct local *local, pid_t pid)
{
	size_t at = 0;
	void *v;

	/* Its channel breaks too, and that fails what it had in hand; here only a number is forgotten. */
	while (table_next(&local->recipients, &at, NULL, &v)) {
		struct recipient *r = v;
		if (r->pid != pid)
			continue;
		r->ended = true;
		if (!call_is_out(&r->delivery)) {
			local->n_children--;
			answer_all(r, "4.3.0", "the delivery process failed");
			release(r);
		} else if (r->child.fd < 0) {
			channel_stop(&r->child); /* a question that was never sent: nobody will answer it */
		}
		return;
	}
}

void recipient_forget(struct local *local, const struct channel *ch)
{
	size_t at = 0;
	void *v;

	while (table_next(&local->recipients, &at, NULL, &v))
		for (struct waiting *w = ((struct recipient *)v)->waiting; w; w = w->next)
			if (w->from == ch)
				w->from = NULL;
}
