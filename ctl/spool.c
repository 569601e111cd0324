#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"

int spool_open(struct ctl *ctl, enum queue_mode mode, struct spool *s)
{
	struct err err = { 0 };
	struct stat st;

	*s = (struct spool){ .ctl = ctl, .qmgr = -1 };
	if (!ctl_load(ctl))
		return EX_CONFIG;
	s->qmgr = ctl_connect(ctl, "public/queue", SOCK_SEQPACKET);
	if (s->qmgr >= 0)
		return 0;
	/* A stopped suite: whoever may enter the folder may work on it. root works as its owner. */
	const char *path = arena_str(&ctl->config.arena, ctl_value(ctl, "queue_directory")).p;
	if (stat(path, &st) < 0)
		return ctl_fail(ctl, errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "Tayori does not run, and %s: %m", path);
	if (geteuid() == 0 && (setegid(st.st_gid) < 0 || seteuid(st.st_uid) < 0))
		return ctl_fail(ctl, EX_OSERR, "becoming the owner of %s: %m", path);
	if (!queue_open(AT_FDCWD, path, mode, &s->queue, &err))
		return ctl_fail(ctl, EX_TEMPFAIL, "Tayori does not run, and its queue: %s", err.text);
	s->open = true;
	return 0;
}

void spool_close(struct spool *s)
{
	fd_close(&s->qmgr);
	if (s->open)
		queue_close(&s->queue);
	s->open = false;
}

static const char *const states[ENV_STATES] = { "queued", "deferred", "delivered", "failed", "returned", "replaced" };

/* A row from an envelope, as qmgr makes it. `raw` backs its strings. */
static void make_row(const struct queue_facts *facts, const struct env *env, struct buf *raw, struct queue_row *row)
{
	*row = (struct queue_row){ .queue_id = queue_id_str(&facts->id),
				   .state = facts->held ? STR("hold") : facts->attempts ? STR("deferred") : STR("active"),
				   .arrival_us = facts->arrival_us,
				   .next_try_us = facts->next_try_us,
				   .size = facts->size,
				   .sender = env->sender,
				   .attempts = facts->attempts };
	for (uint32_t i = 0; i < env->n; i++) {
		const struct env_recipient *r = &env->recipients[i];
		if (!env_open(r))
			continue;
		strs_add(raw, &row->recipients, r->address);
		strs_add(raw, &row->recipients, str_from(states[r->state]));
		strs_add(raw, &row->recipients, r->text);
	}
}

struct offline_list {
	void (*row)(void *arg, const struct queue_row *row);
	void *arg;
};

static void offline_row(void *arg, const struct queue_facts *facts, const struct env *env)
{
	struct offline_list *l = arg;
	scoped_buf struct buf raw = { 0 };
	struct queue_row row;

	make_row(facts, env, &raw, &row);
	l->row(l->arg, &row);
}

static void offline_damaged(void *arg, const struct queue_id *id, const char *why)
{
	(void)arg;
	fprintf(stderr, "%s: damaged: %s\n", id->text, why);
}

/* Notices and at last the answer; true while more comes. */
static int next_frame(struct spool *s, struct buf *frame, struct frame_head *head, struct str *payload, int fds[], size_t *n)
{
	struct pollfd p = { .fd = s->qmgr, .events = POLLIN };

	if (poll(&p, 1, CTL_WAIT_MS) <= 0 || frame_receive(s->qmgr, frame, head, payload, fds, n) <= 0)
		return ctl_fail(s->ctl, EX_TEMPFAIL, "qmgr does not answer");
	return 0;
}

static int list_page(struct spool *s, char after[64], bool *more, void (*row)(void *arg, const struct queue_row *row),
		     void *arg)
{
	struct queue_list q = { .after = str_from(after), .most = 100 };
	scoped_buf struct buf frame = { 0 };
	struct frame_head head = { 0 };
	struct queue_list_end end;
	struct queue_row r;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	if (frame_send(s->qmgr, &queue_list_schema, false, 1, &q) < 0)
		return ctl_fail(s->ctl, EX_TEMPFAIL, "qmgr does not answer: %m");
	for (;;) {
		int bad = next_frame(s, &frame, &head, &payload, fds, &n);
		frame_close_fds(fds, n);
		if (bad)
			return bad;
		if (head.type == queue_row_schema.type && ipc_decode(&queue_row_schema, payload, fds, 0, &r)) {
			row(arg, &r);
			continue;
		}
		if (head.type != queue_list_end_schema.type || !ipc_decode(&queue_list_end_schema, payload, fds, 0, &end))
			return ctl_fail(s->ctl, EX_PROTOCOL, "qmgr's answer is not understood");
		*more = end.last.n > 0;
		snprintf(after, 64, "%.*s", STR_ARG(end.last));
		return 0;
	}
}

int spool_list(struct spool *s, void (*row)(void *arg, const struct queue_row *row), void *arg)
{
	struct offline_list l = { row, arg };
	struct queue_walk walk = { &l, offline_row, offline_damaged };
	struct queue_report report;
	struct err err = { 0 };
	char after[64] = "";
	bool more = true;

	if (s->qmgr < 0)
		return queue_list(&s->queue, &walk, &report, &err) ? 0 : ctl_fail(s->ctl, EX_IOERR, "%s", err.text);
	while (more) {
		int bad = list_page(s, after, &more, row, arg);
		if (bad)
			return bad;
	}
	return 0;
}

/* ---- changes on a stopped queue ---- */

struct offline_act {
	struct spool *s;
	const char *verb;
	struct str which;
	uint32_t count;
	int status;
};

static bool wanted(const struct offline_act *a, const struct queue_facts *facts, const struct env *env)
{
	struct str site = a->which;

	if (str_eq(a->which, STR("ALL")) || str_eq(a->which, queue_id_str(&facts->id)))
		return true;
	if (!str_eat_word(&site, STR("site:")))
		return false;
	for (uint32_t i = 0; i < env->n; i++)
		if (env_open(&env->recipients[i]) && str_ieq(env->recipients[i].nexthop, site))
			return true;
	return false;
}

static void act_on(void *arg, const struct queue_facts *facts, const struct env *env)
{
	struct offline_act *a = arg;
	struct queue *q = &a->s->queue;
	scoped_buf struct buf records = { 0 };

	if (!wanted(a, facts, env))
		return;
	bool hold = strcmp(a->verb, "hold") == 0, held = facts->held, flush = strcmp(a->verb, "flush") == 0;
	if (strcmp(a->verb, "delete") == 0) {
		if (queue_remove(q, &facts->id) < 0)
			a->status = ctl_fail(a->s->ctl, EX_IOERR, "%s: %m", facts->id.text);
		else
			a->count++;
		return;
	}
	if (hold || strcmp(a->verb, "release") == 0) {
		if (held == hold)
			return;
		held = hold;
		env_put_hold(&facts->id, hold, &records);
	} else {
		/* flush and requeue: due at once when the suite starts, where names are looked up anew; as in qmgr, what is
		   held stays so but for a requeue */
		if (flush && held)
			return;
		if (held)
			env_put_hold(&facts->id, false, &records);
		held = false;
		env_put_schedule(&facts->id, clock_wall_us(), facts->attempts, &records);
	}
	if (queue_progress(q, &facts->id, buf_str(&records)) < 0)
		a->status = ctl_fail(a->s->ctl, EX_IOERR, "%s: %m", facts->id.text);
	else
		a->count++;
	queue_mark(q, &facts->id, facts->attempts > 0, held);
}

int spool_act(struct spool *s, const char *verb, const char *which, uint32_t *count)
{
	struct queue_act m = { .verb = str_from(verb), .which = str_from(which) };
	scoped_buf struct buf frame = { 0 };
	struct queue_acted done;
	struct err err = { 0 };

	*count = 0;
	if (s->qmgr < 0) {
		struct offline_act a = { .s = s, .verb = verb, .which = str_from(which) };
		struct queue_walk walk = { &a, act_on, offline_damaged };
		struct queue_report report;
		if (strcmp(verb, "expire") == 0)
			return ctl_fail(s->ctl, EX_TEMPFAIL, "expire needs the running suite: senders must be told");
		if (!queue_sweep(&s->queue, &walk, &report, &err))
			return ctl_fail(s->ctl, EX_IOERR, "%s", err.text);
		*count = a.count;
		return a.status;
	}
	if (!frame_call(s->qmgr, &queue_act_schema, &m, &queue_acted_schema, CTL_WAIT_MS, &frame, &done))
		return ctl_fail(s->ctl, EX_TEMPFAIL, "qmgr does not answer");
	*count = done.count;
	if (!done.ok)
		return ctl_fail(s->ctl, EX_NOPERM, "%.*s", STR_ARG(done.text));
	return 0;
}

int spool_read(struct spool *s, const char *id, struct buf *envelope, int *content)
{
	scoped_buf struct buf frame = { 0 };
	scoped_arena struct arena tmp = { 0 };
	struct queue_content c;
	struct queue_id qid;
	struct err err = { 0 };
	struct env env;

	*content = -1;
	if (!queue_id_parse(str_from(id), &qid))
		return ctl_fail(s->ctl, EX_DATAERR, "%s is no queue id", id);
	if (s->qmgr < 0) {
		if (!queue_load(&s->queue, &qid, &tmp, &env, &err))
			return ctl_fail(s->ctl, EX_NOINPUT, "%s: %s", id, err.text);
		env_print(&env, envelope);
		*content = queue_open_content(&s->queue, &qid);
		return *content < 0 ? ctl_fail(s->ctl, EX_NOINPUT, "%s: %m", id) : 0;
	}
	struct queue_read m = { .queue_id = str_from(id) };
	if (!frame_call(s->qmgr, &queue_read_schema, &m, &queue_content_schema, CTL_WAIT_MS, &frame, &c))
		return ctl_fail(s->ctl, EX_TEMPFAIL, "qmgr does not answer");
	*content = fd_take(&c.content);
	if (!c.ok)
		return ctl_fail(s->ctl, EX_NOINPUT, "%s: %.*s", id, STR_ARG(c.text));
	buf_add(envelope, c.text);
	return 0;
}
