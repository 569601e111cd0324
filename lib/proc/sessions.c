#include "proc/sessions.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"

enum { FRONT_MS = 5000, LEAVE_MS = 3000, ALONE_MS = 600000, CLIENT_MAX = 64, UNREAD_MAX = 64 * 1024 };

/* A connection of a user: at work in a process, or asleep. */
struct session_entry {
	struct session_entry *next, **prev;
	struct sessions *sessions;
	struct channel *front; /* NULL: gone; the session goes on without it */
	uint64_t id;
	struct grant_kept *user;
	char client[CLIENT_MAX];
	bool tls, idle;
	int64_t since_ms;
	pid_t pid; /* 0: asleep */
	struct channel child;
	struct call call; /* to the front: may it sleep? */
	uint32_t serial;  /* of the child's question that waits for that */
	bool kicked;
	bool agreed;	  /* the front has its state: the process ends */
	struct timer leaves; /* whether it wants or not */
	bool stale;	  /* a folder changed after the process named it, before it slept */
	struct watch_pair pair;
};

/* A process that agreed to end and has not yet, though its session was woken and has another one. */
struct session_leaver {
	struct session_leaver *next, **prev;
	pid_t pid;
	struct timer late;
};

static struct sessions *sessions_of(struct channel *ch)
{
	return ((struct run *)ch->arg)->state;
}

struct entry_key {
	struct channel *front;
	uint64_t id;
};

static struct str key_of(const struct entry_key *k)
{
	return str_of(k, sizeof(*k));
}

static struct session_entry *find(struct sessions *s, struct channel *front, uint64_t id)
{
	struct entry_key k = { front, id };

	return table_get(&s->by_id, key_of(&k));
}

static void unlink_front(struct session_entry *e)
{
	struct entry_key k = { e->front, e->id };

	if (e->front)
		table_remove(&e->sessions->by_id, key_of(&k));
	e->front = NULL;
	call_cancel(&e->call);
}

static void entry_free(struct session_entry *e)
{
	unlink_front(e);
	timer_stop(&e->leaves);
	watcher_remove(&e->sessions->watcher, &e->pair);
	channel_stop(&e->child);
	ticket_free(e->user);
	*e->prev = e->next;
	if (e->next)
		e->next->prev = e->prev;
	free(e);
}

static struct session_entry *entry_new(struct sessions *s, struct channel *front, uint64_t id, struct grant_kept *user)
{
	struct session_entry *e = calloc(1, sizeof(*e));
	struct entry_key k = { front, id };

	ASSERT(e);
	*e = (struct session_entry){ .sessions = s, .front = front, .id = id, .user = user, .since_ms = clock_mono_ms() };
	channel_start(&e->child, s->run->loop, -1, NULL, NULL, 0, NULL, e);
	e->next = s->entries;
	e->prev = &s->entries;
	if (e->next)
		e->next->prev = &e->next;
	s->entries = e;
	table_set(&s->by_id, key_of(&k), e);
	return e;
}

/* ---- what the process of a session says ---- */

static struct session_entry *entry_of(struct channel *child)
{
	return child->arg;
}

static void folder_changed(struct watch_pair *pair)
{
	struct session_entry *e = (struct session_entry *)((char *)pair - offsetof(struct session_entry, pair));

	if (e->pid || !e->front)
		e->stale = true;
	else
		channel_notify(e->front, &session_stir_schema, &(struct session_stir){ e->id });
}

static bool is_folder(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static void on_watch(struct channel *ch, uint32_t serial, void *message)
{
	struct session_entry *e = entry_of(ch);
	const struct session_watch *m = message;
	const int folders[WATCH_PAIR] = { m->new_mail, m->cur };
	bool ok = is_folder(folders[0]) && is_folder(folders[1]);

	e->stale = false;
	e->pair.changed = folder_changed;
	ok = ok && watcher_add(&e->sessions->watcher, &e->pair, folders);
	channel_answer(ch, serial, &session_watched_schema, &(struct session_watched){ ok });
}

static void stays(void *arg)
{
	struct session_entry *e = arg;

	if (!e->pid)
		return;
	log_line(&e->sessions->run->log, LOG_WARNING, "warning: the session of %s does not end", e->user->user);
	kill(e->pid, SIGKILL);
}

static void refuse_sleep(struct session_entry *e)
{
	channel_answer(&e->child, e->serial, &session_slept_schema, &(struct session_slept){ false });
}

static void on_front_verdict(void *arg, enum call_result result, void *message)
{
	struct session_entry *e = arg;
	const struct session_slept *m = message;

	e->agreed = result == CALL_OK && m->ok;
	if (result == CALL_TIMEOUT) { /* whoever has the state now, it is not sure who speaks for the client */
		channel_break(&e->child, "the front does not say who goes on");
		return;
	}
	if (e->agreed)
		timer_set(&e->leaves, e->sessions->run->loop, LEAVE_MS, stays, e);
	channel_answer(&e->child, e->serial, &session_slept_schema, &(struct session_slept){ e->agreed });
}

static void on_sleep(struct channel *ch, uint32_t serial, void *message)
{
	struct session_entry *e = entry_of(ch);
	struct session_sleep m = *(const struct session_sleep *)message;

	if (call_is_out(&e->call) || e->agreed) {
		channel_break(ch, "it sleeps twice");
		return;
	}
	e->serial = serial;
	e->idle = m.idle;
	m.id = e->id;
	if (!e->front || e->stale)
		refuse_sleep(e);
	else
		channel_call(e->front, &session_sleep_schema, &m, &session_slept_schema, FRONT_MS, &e->call,
			     on_front_verdict, e);
}

static const struct ipc_handler from_child[] = {
	{ &session_watch_schema, on_watch },
	{ &session_sleep_schema, on_sleep },
};

/* Its end is told by the kernel, and comes right behind this; what it says against the rules ends it. */
static void child_broken(struct channel *ch, const char *why)
{
	struct session_entry *e = entry_of(ch);

	if (!e->pid)
		return;
	if (strcmp(why, "the peer is gone") == 0) {
		timer_set(&e->leaves, e->sessions->run->loop, LEAVE_MS, stays, e);
		return;
	}
	log_line(&e->sessions->run->log, LOG_WARNING, "warning: the session of %s: %s", e->user->user, why);
	kill(e->pid, SIGKILL);
}

/* ---- processes ---- */

struct opening {
	const struct sessions_protocol *protocol;
	struct session_child child;
	int64_t timeout_ms;
};

/* In the user's process: the time limits are the socket's, so that waiting costs no further call. */
static int run_child(void *arg)
{
	struct opening *o = arg;
	int fd = o->child.fd, flags = fcntl(fd, F_GETFL);
	struct timeval limit = { o->timeout_ms / 1000, o->timeout_ms % 1000 * 1000 };
	scoped_fd int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (home < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	o->child.home = home;
	o->protocol->body(&o->child);
	return 0;
}

static bool start_process(struct session_entry *e, struct session_child child, struct err *err)
{
	struct sessions *s = e->sessions;
	const struct grant_kept *g = e->user;
	const void *conf = s->run->conf;
	struct spawn_user user = { str_from(g->user), g->uid, g->gid, str_from(g->home), g->virtual_user };
	struct spawn_rules rules = s->protocol->rules(conf);
	int pair[2];

	if (s->n_processes >= (size_t)s->protocol->most(conf))
		return err_set(err, "too many sessions");
	if (channel_pair(pair) < 0)
		return err_errno(err, "a channel to the session");
	child.parent = pair[1];
	child.conf = conf;
	struct opening o = { s->protocol, child, s->protocol->timeout_ms(conf) };
	const int keep[] = { child.fd, child.parent };
	pid_t pid = spawn_child(s->run, &user, &rules, run_child, &o, keep, COUNT(keep), err);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return false;
	}
	e->pid = pid;
	e->agreed = e->stale = e->idle = false;
	s->n_processes++;
	channel_stop(&e->child);
	channel_start(&e->child, s->run->loop, pair[0], NULL, from_child, COUNT(from_child), child_broken, e);
	e->child.most_unanswered = 2;
	e->child.out_limit = UNREAD_MAX; /* one that reads no answers shall not fill our memory */
	return true;
}

/* Asleep as agreed: what remains is its owner's name. Else it was its end. */
static void process_ended(struct session_entry *e)
{
	struct sessions *s = e->sessions;

	s->n_processes--;
	e->pid = 0;
	timer_stop(&e->leaves);
	channel_stop(&e->child);
	if (e->agreed && e->front && !e->kicked) {
		e->agreed = false;
		if (e->stale)
			channel_notify(e->front, &session_stir_schema, &(struct session_stir){ e->id });
		return;
	}
	if (e->front && s->protocol->sleeps)
		channel_notify(e->front, &session_over_schema, &(struct session_over){ e->id });
	entry_free(e);
}

static void linger(void *arg)
{
	struct session_leaver *l = arg;

	kill(l->pid, SIGKILL);
}

/* Nobody waits for its last instant. */
static void let_leave(struct session_entry *e)
{
	struct sessions *s = e->sessions;
	struct session_leaver *l = calloc(1, sizeof(*l));

	ASSERT(l);
	*l = (struct session_leaver){ .next = s->leavers, .prev = &s->leavers, .pid = e->pid };
	if (l->next)
		l->next->prev = &l->next;
	s->leavers = l;
	timer_set(&l->late, s->run->loop, LEAVE_MS, linger, l);
	timer_stop(&e->leaves);
	e->pid = 0;
}

static bool has_left(struct sessions *s, pid_t pid)
{
	struct session_leaver *l = s->leavers;

	while (l && l->pid != pid)
		l = l->next;
	if (!l)
		return false;
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	timer_stop(&l->late);
	free(l);
	s->n_processes--;
	return true;
}

void sessions_child_ended(struct run *run, pid_t pid, int status)
{
	struct sessions *s = run->state;
	struct session_entry *e = s->entries;

	if (has_left(s, pid))
		return;
	while (e && e->pid != pid)
		e = e->next;
	if (WIFSIGNALED(status) && !(e && e->kicked))
		log_line(&run->log, LOG_ERROR, "error: a session of %s was killed by signal %d", e ? e->user->user : "?",
			 WTERMSIG(status));
	if (e)
		process_ended(e);
}

/* ---- what authd and the fronts ask ---- */

static void on_grant(struct channel *ch, uint32_t serial, void *message)
{
	bool ok = ticket_keep(&sessions_of(ch)->tickets, message);

	channel_answer(ch, serial, &granted_schema, &(struct granted){ ok });
}

/* A folder would lead the session out of its root. */
static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void answer_open(struct channel *ch, uint32_t serial, bool ok, const struct err *err)
{
	channel_answer(ch, serial, &session_opened_schema, &(struct session_opened){ ok, str_from(ok ? "" : err->text) });
}

static void on_open(struct channel *ch, uint32_t serial, void *message)
{
	struct sessions *s = sessions_of(ch);
	const struct session_open *m = message;
	struct err err = { 0 };
	struct grant_kept *g = ticket_take(&s->tickets, m->ticket);
	bool fits = g && is_socket(m->socket) && !find(s, ch, m->id);
	struct session_entry *e = fits ? entry_new(s, ch, m->id, g) : NULL;
	struct session_child child = { .fd = m->socket, .tag = m->tag, .input = m->input };

	if (!e) {
		err_set(&err, !g ? "no such ticket" : "no socket came with the ticket, or its number is another's");
	} else {
		snprintf(e->client, sizeof(e->client), "%.*s", STR_ARG(m->client));
		e->tls = m->tls;
	}
	bool ok = e && start_process(e, child, &err);
	if (!ok)
		log_line(&s->run->log, LOG_WARNING, "warning: no session for %s from %.*s: %s", g ? g->user : "?",
			 LOG_ARG(m->client), err.text);
	answer_open(ch, serial, ok, &err);
	if (e && !ok)
		entry_free(e);
	else if (g && !e)
		ticket_free(g);
}

static void on_wake(struct channel *ch, uint32_t serial, void *message)
{
	struct sessions *s = sessions_of(ch);
	const struct session_wake *m = message;
	struct session_entry *e = find(s, ch, m->id);
	struct session_child child = { .fd = m->socket, .input = m->input, .state = m->state };
	struct err err = { 0 };

	if (e && e->agreed && e->pid)
		let_leave(e);
	if (!e || e->pid || !is_socket(m->socket)) {
		answer_open(ch, serial, false, &(struct err){ .text = "no such session sleeps" });
		return;
	}
	watcher_remove(&s->watcher, &e->pair);
	bool ok = start_process(e, child, &err);
	if (!ok)
		log_line(&s->run->log, LOG_WARNING, "warning: the session of %s cannot go on: %s", e->user->user, err.text);
	answer_open(ch, serial, ok, &err);
	if (!ok)
		entry_free(e);
}

/* Under TLS its client has gone too: what it has begun it may finish. */
static void lose_front(struct session_entry *e)
{
	unlink_front(e);
	if (e->tls && !timer_is_set(&e->leaves))
		timer_set(&e->leaves, e->sessions->run->loop, ALONE_MS, stays, e);
}

static void on_gone(struct channel *ch, uint32_t serial, void *message)
{
	const struct session_gone *m = message;
	struct session_entry *e = find(sessions_of(ch), ch, m->id);

	(void)serial;
	if (e && !e->pid)
		entry_free(e);
	else if (e)
		lose_front(e);
}

const struct ipc_handler sessions_from_authd[1] = { { &grant_schema, on_grant } };
const struct ipc_handler sessions_from_front[3] = {
	{ &session_open_schema, on_open },
	{ &session_wake_schema, on_wake },
	{ &session_gone_schema, on_gone },
};

/* Those at work go on; those asleep have lost their connection. */
void sessions_front_left(struct run *run, struct channel *ch)
{
	struct sessions *s = run->state;
	struct session_entry *next;

	for (struct session_entry *e = s->entries; e; e = next) {
		next = e->next;
		if (e->front != ch)
			continue;
		if (e->pid)
			lose_front(e);
		else
			entry_free(e);
	}
}

void sessions_prepare(struct sessions *s, struct run *run, const struct sessions_protocol *p)
{
	s->run = run;
	s->protocol = p;
	s->tickets.loop = run->loop;
	run->state = s;
	watcher_start(&s->watcher, run->loop);
}

/* ---- for tayori(1) ---- */

static void add_clean(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_addc(out, *text > ' ' && *text < 0x7f ? *text : '?');
	buf_addc(out, '\t');
}

uint32_t sessions_who(struct run *run, int file)
{
	struct sessions *s = run->state;
	scoped_buf struct buf rows = { 0 };
	uint32_t n = 0;

	for (const struct session_entry *e = s->entries; e; e = e->next, n++) {
		add_clean(&rows, e->user->user);
		add_clean(&rows, s->protocol->name);
		add_clean(&rows, e->client);
		buf_addf(&rows, "%s\t%s\t%d\t%lld\n", e->tls ? "TLS" : "plain", e->pid ? "active" : e->idle ? "idle" : "asleep",
			 (int)e->pid, (long long)(clock_mono_ms() - e->since_ms) / 1000);
	}
	return fd_write_all(file, buf_str(&rows)) == 0 ? n : 0;
}

uint32_t sessions_kick(struct run *run, struct str user)
{
	struct sessions *s = run->state;
	struct session_entry *next;
	uint32_t n = 0;

	for (struct session_entry *e = s->entries; e; e = next) {
		next = e->next;
		if (!str_eq(str_from(e->user->user), user))
			continue;
		n++;
		e->kicked = true;
		if (e->pid) {
			kill(e->pid, SIGKILL); /* its end is told when it is reaped */
			continue;
		}
		if (e->front)
			channel_notify(e->front, &session_over_schema, &(struct session_over){ e->id });
		entry_free(e);
	}
	return n;
}
