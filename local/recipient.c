#include "recipient.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "job.h"
#include "outside.h"
#include "proc/spawn.h"

enum { PEER_MS = 30000, USER_MAX = 320, TARGET_MAX = 1024 };

/*
 * What a process is for, the first letter of its key. Each user has one of the first two kinds, each target of an alias one for each delivery,
 * since each time lookupd must say that it may be.
 */
enum room {
	ROOM_MAILBOX = 'm', /* walled into the mail folder */
	ROOM_OUTSIDE = 'o', /* of an account: its .forward, and the files that it names */
	ROOM_ALIAS = 'a',   /* as default_privs: a file or a list of an alias */
};

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
	enum room room;
	struct str key; /* in the table; behind the struct */
	char *user;
	char *address, *target; /* of ROOM_ALIAS */
	pid_t pid; /* 0: no process */
	struct channel child;
	struct call call;	 /* to authd or lookupd */
	struct call delivery;	 /* to the child */
	struct waiting *waiting; /* the first one is in the child's hands when `delivery` is out */
	struct timer idle;
	bool asked; /* they are being asked */
	bool ended; /* the process has been waited for: its number may be another's */
};

static const struct local_conf *conf(const struct local *local)
{
	return local->run->conf;
}

static struct waiting *take_first(struct recipient *r)
{
	struct waiting *w = r->waiting;

	r->waiting = w->next;
	w->next = NULL;
	return w;
}

static void drop_first(struct recipient *r)
{
	struct waiting *w = take_first(r);

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
	struct delivered d = { .result = DELIVERY_DEFERRED, .status = str_from(status), .text = str_from(text) };

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
	table_remove(&r->local->recipients, r->key);
	free(r->user);
	free(r->address);
	free(r->target);
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
static void go_on(struct recipient *r);
static struct recipient *find_or_add(struct local *local, enum room room, const struct deliver *m);

static void append(struct recipient *r, struct waiting *w)
{
	struct waiting **end = &r->waiting;

	while (*end)
		end = &(*end)->next;
	*end = w;
}

/* There is no .forward: the first one goes into the mailbox. */
static void hand_over(struct recipient *r)
{
	struct recipient *to = find_or_add(r->local, ROOM_MAILBOX, &(struct deliver){ .user = str_from(r->user) });

	append(to, take_first(r));
	go_on(to);
}

/* One of ROOM_ALIAS has done its work; the next needs lookupd's word again. */
static void start_anew(struct recipient *r)
{
	end_child(r);
	channel_stop(&r->child);
	r->local->n_children--;
	r->pid = 0;
	r->ended = false;
	if (r->waiting)
		go_on(r);
	else
		release(r);
}

static void on_delivered(void *arg, enum call_result result, void *message)
{
	struct recipient *r = arg;
	struct delivered *d = message;
	uint8_t most = r->room == ROOM_OUTSIDE ? DELIVERY_NO_LIST : r->room == ROOM_ALIAS ? DELIVERY_EXPANDED : DELIVERY_FAILED;

	if (result == CALL_OK && (d->result < DELIVERY_DONE || d->result > most))
		result = CALL_BROKEN;
	if (result == CALL_OK) {
		if (r->room != ROOM_MAILBOX && d->text.n > 0 && d->result >= DELIVERY_EXPANDED)
			log_line(&r->local->run->log, LOG_WARNING, "warning: %s: %.*s", r->user, LOG_ARG(d->text));
		if (d->result == DELIVERY_NO_LIST)
			hand_over(r);
		else
			answer_first(r, d);
		if (r->room == ROOM_ALIAS)
			start_anew(r);
		else
			next(r);
		return;
	}
	/* Dead or too slow: what it was doing may be done; qmgr asks again, and then it is looked for. */
	log_line(&r->local->run->log, LOG_WARNING, "warning: the delivery process of %s %s", r->user,
		 result == CALL_TIMEOUT ? "took too long" : "has died");
	answer_first(r, &(struct delivered){ .result = DELIVERY_UNKNOWN, .status = STR("4.3.0"), .text = STR("the delivery process failed") });
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

static void take_child(struct recipient *r, pid_t pid, int fds[2], const struct err *err)
{
	struct local *local = r->local;

	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		log_line(&local->run->log, LOG_ERROR, "error: %s: %s", r->user, err->text);
		answer_all(r, "4.3.0", "the mail folder cannot be used");
		release(r);
		return;
	}
	r->pid = pid;
	local->n_children++;
	channel_attach(&r->child, fds[0]);
	next(r);
}

static bool make_channel(struct recipient *r, int fds[2])
{
	if (channel_pair(fds) == 0)
		return true;
	answer_all(r, "4.3.0", "no process for the delivery");
	release(r);
	return false;
}

static void start_mailbox(struct recipient *r, const struct mailbox *m)
{
	struct local *local = r->local;
	struct spawn_user user = { m->user, m->uid, m->gid, m->home, m->virtual_user };
	struct spawn_rules rules = { .first_valid_uid = conf(local)->first_valid_uid,
				     .base = conf(local)->virtual_mailbox_base,
				     .dies_with_parent = true };
	struct err err = { 0 };
	int fds[2];

	if (!make_channel(r, fds))
		return;
	struct job_place place = { fds[1], conf(local)->myhostname.p };
	take_child(r, spawn_child(local->run, &user, &rules, job_loop, &place, &fds[1], 1, &err), fds, &err);
}

static void start_outside(struct recipient *r, uint32_t uid, uint32_t gid, struct str home)
{
	struct local *local = r->local;
	bool alias = r->room == ROOM_ALIAS;
	struct spawn_user user = { str_from(r->user), uid, gid, home, false };
	struct spawn_rules rules = { .first_valid_uid = alias ? 1 : conf(local)->first_valid_uid, .dies_with_parent = true };
	struct err err = { 0 };
	int fds[2];

	if (!make_channel(r, fds))
		return;
	struct outside_place place = { fds[1], conf(local), home, uid, alias };
	take_child(r, spawn_outside(local->run, &user, &rules, outside_loop, &place, &fds[1], 1, &err), fds, &err);
}

/* Users without an account have no .forward. */
static void without_account(struct recipient *r)
{
	while (r->waiting && !r->target)
		hand_over(r);
	answer_all(r, "4.3.0", "a user without an account has no files");
	release(r);
}

static void on_mailbox(void *arg, enum call_result result, void *message)
{
	struct recipient *r = arg;
	const struct mailbox *m = message;
	struct delivered unknown = { .result = DELIVERY_FAILED, .status = STR("5.1.1"), .text = STR("unknown user") };

	r->asked = false;
	if (result == CALL_OK && m->result == LOGIN_OK) {
		if (r->room == ROOM_MAILBOX)
			start_mailbox(r, m);
		else if (m->virtual_user || m->account.n == 0)
			without_account(r);
		else
			start_outside(r, m->uid, m->gid, m->account);
		return;
	}
	if (result == CALL_OK && m->result == LOGIN_REFUSED)
		while (r->waiting)
			answer_first(r, &unknown);
	else
		answer_all(r, "4.3.0", "the user database does not answer");
	release(r);
}

/* The alias is another one by now: its address is expanded anew. */
static void expand_again(struct recipient *r)
{
	scoped_buf struct buf raw = { 0 };
	struct delivered d = { .result = DELIVERY_EXPANDED, .status = STR("2.0.0") };

	strs_add(&raw, &d.targets, str_from(r->address));
	while (r->waiting)
		answer_first(r, &d);
	release(r);
}

static void on_verdict(void *arg, enum call_result result, void *message)
{
	struct recipient *r = arg;
	const struct verdict *v = message;

	r->asked = false;
	if (result == CALL_OK && v->code == 250) {
		start_outside(r, r->local->privs.uid, r->local->privs.gid, STR("/"));
	} else if (result == CALL_OK && v->code == 550) {
		expand_again(r);
	} else {
		answer_all(r, "4.3.0", "the alias tables do not answer");
		release(r);
	}
}

static void make_key(enum room room, const struct deliver *m, struct buf *key)
{
	buf_addc(key, (char)room);
	buf_add(key, m->user);
	if (room == ROOM_MAILBOX || m->target.n < 2)
		return;
	buf_addc(key, '\0');
	buf_add(key, m->target);
	buf_addc(key, '\0');
	buf_add(key, m->recipient);
}

static struct recipient *find_or_add(struct local *local, enum room room, const struct deliver *m)
{
	scoped_buf struct buf key = { 0 };

	make_key(room, m, &key);
	struct recipient *r = table_get(&local->recipients, buf_str(&key));
	if (r)
		return r;
	r = calloc(1, sizeof(*r) + key.n);
	ASSERT(r);
	memcpy(r + 1, key.p, key.n);
	r->key = str_of(r + 1, key.n);
	r->local = local;
	r->room = room;
	r->user = strndup(m->user.p, m->user.n);
	if (m->target.n > 1) {
		r->target = strndup(m->target.p, m->target.n);
		r->address = strndup(m->recipient.p ? m->recipient.p : "", m->recipient.n);
	}
	channel_start(&r->child, local->run->loop, -1, NULL, NULL, 0, child_broken, r);
	table_set(&local->recipients, r->key, r);
	return r;
}

static struct waiting *keep(struct channel *ch, uint32_t serial, struct deliver *m)
{
	struct waiting *w = calloc(1, sizeof(*w));
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	ASSERT(w);
	*w = (struct waiting){ .from = ch, .serial = serial, .content = -1 };
	if (!ipc_encode(&deliver_schema, m, &w->frame, fds, &n))
		panic("a delivery that was decoded cannot be encoded");
	w->content = fd_take(&m->content);
	return w;
}

static void ask(struct recipient *r)
{
	struct mailbox_find user = { .user = str_from(r->user) };
	struct alias_check alias = { .address = str_from(r->address), .target = str_from(r->target) };

	r->asked = true;
	if (r->room == ROOM_ALIAS)
		channel_call(run_server(r->local->run, "lookupd"), &alias_check_schema, &alias, &verdict_schema, PEER_MS,
			     &r->call, on_verdict, r);
	else
		channel_call(run_server(r->local->run, "authd"), &mailbox_find_schema, &user, &mailbox_schema, PEER_MS,
			     &r->call, on_mailbox, r);
}

/* Something waits. */
static void go_on(struct recipient *r)
{
	if (r->pid && !call_is_out(&r->delivery))
		next(r);
	else if (!r->pid && !r->asked)
		ask(r);
}

/* A folder would lead its child out of its root. */
static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool in_order(const struct deliver *m)
{
	bool target = m->target.n == 0 || str_eq(m->target, STR("\\")) || str_starts(m->target, STR("/")) ||
		      str_starts(m->target, STR(":include:/"));

	return m->user.n > 0 && m->user.n <= USER_MAX && str_find(m->user, '\0') < 0 && target && m->target.n <= TARGET_MAX &&
	       str_find(m->target, '\0') < 0 && str_find(m->recipient, '\0') < 0 && is_file(m->content);
}

/* Names with a domain are never accounts of this host. */
static enum room room_for(const struct local *local, const struct deliver *m)
{
	if (m->target.n > 1 && privs_is(&local->privs, m->user))
		return ROOM_ALIAS;
	if (m->target.n > 1)
		return ROOM_OUTSIDE;
	return m->target.n == 1 || str_find(m->user, '@') >= 0 ? ROOM_MAILBOX : ROOM_OUTSIDE;
}

void recipient_deliver(struct local *local, struct channel *ch, uint32_t serial, struct deliver *m)
{
	struct delivered busy = { .result = DELIVERY_DEFERRED, .status = STR("4.3.2"), .text = STR("too many deliveries at a time") };

	if (!in_order(m)) {
		channel_break(ch, "a delivery without a user or content, or of a command");
		return;
	}
	struct recipient *r = find_or_add(local, room_for(local, m), m);
	if (!r->pid && !r->asked && local->n_children >= (size_t)conf(local)->local_process_limit) {
		channel_answer(ch, serial, &delivered_schema, &busy);
		release(r);
		return;
	}
	append(r, keep(ch, serial, m));
	go_on(r);
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
