/*
 * Which job is next. Mailboxes and next hops take turns, and a message has only a window of recipients in the race, so that one with
 * many recipients and a mailbox with much mail delay the others little.
 *
 * A next hop has a window of deliveries at a time, which grows as long as somebody is there and shrinks when nobody is.
 * Whoever fails as often in a row as the window is wide is dead for a while: its mail waits without a try.
 */
#include <stdio.h>
#include <stdlib.h>

#include "decide.h"
#include "qmgr.h"

enum {
	WINDOW_LEAST = 4,
	LOADS_A_TURN = 32, /* entries read from disk before the loop goes round again */
};

static void (*const deliver[KINDS])(struct job *job) = { [KIND_LOCAL] = local_deliver, [KIND_REMOTE] = smtp_deliver };

static size_t limit(const struct qmgr *q, enum kind kind)
{
	return (size_t)(kind == KIND_LOCAL ? qmgr_conf(q)->qmgr_delivery_limit : qmgr_conf(q)->smtp_delivery_limit);
}

size_t schedule_window(const struct qmgr *q)
{
	size_t share = limit(q, KIND_LOCAL) / (q->n_works ? q->n_works : 1);

	return share > WINDOW_LEAST ? share : WINDOW_LEAST;
}

/* ---- destinations ---- */

static void make_key(const struct env_recipient *r, enum kind kind, struct buf *key)
{
	struct str name = kind == KIND_LOCAL ? r->user : r->nexthop;

	buf_add(key, kind == KIND_LOCAL ? STR("local") : r->transport);
	buf_addc(key, ':');
	for (size_t i = 0; i < name.n; i++)
		buf_addc(key, kind == KIND_LOCAL ? name.p[i] : ascii_lower(name.p[i]));
	/* all commands of aliases have one user */
	if (kind == KIND_LOCAL && decide_target(r).n > 1) {
		buf_addc(key, '\0');
		buf_add(key, r->nexthop);
	}
}

struct dest *schedule_dest(struct qmgr *q, const struct env_recipient *r)
{
	enum kind kind = decide_is_local(r->transport) ? KIND_LOCAL : KIND_REMOTE;
	scoped_buf struct buf key = { 0 };

	make_key(r, kind, &key);
	struct dest *d = table_get(&q->dests, buf_str(&key));
	if (d)
		return d;
	d = calloc(1, sizeof(*d) + key.n);
	ASSERT(d);
	memcpy(d + 1, key.p, key.n);
	*d = (struct dest){ .qmgr = q, .kind = kind, .key = str_of(d + 1, key.n) };
	d->window = (uint32_t)(kind == KIND_LOCAL ? qmgr_conf(q)->local_destination_concurrency_limit
						  : qmgr_conf(q)->initial_destination_concurrency);
	TAILQ_INIT(&d->waiting);
	table_set(&q->dests, d->key, d);
	return d;
}

const char *schedule_dead(const struct dest *d)
{
	return timer_is_set(&d->revival) ? d->why : NULL;
}

/* Puts it where it belongs after a change. */
static void place_dest(struct dest *d)
{
	struct qmgr *q = d->qmgr;
	bool may = !TAILQ_EMPTY(&d->waiting) && d->running < d->window;

	if (may && !d->ready)
		TAILQ_INSERT_TAIL(&q->ready[d->kind], d, in_ready);
	if (!may && d->ready)
		TAILQ_REMOVE(&q->ready[d->kind], d, in_ready);
	d->ready = may;
	if (TAILQ_EMPTY(&d->waiting) && d->running == 0 && !timer_is_set(&d->revival)) {
		table_remove(&q->dests, d->key);
		free(d);
	}
}

static void revive(void *arg)
{
	place_dest(arg);
}

static void leave_waiting(struct job *job)
{
	struct dest *d = job->dest;

	TAILQ_REMOVE(&d->waiting, job, in_dest);
	if (d->filling == job)
		d->filling = NULL;
	d->qmgr->waiting--;
}

/* It leaves the table only by place_dest, which comes last. */
static void die(struct dest *d, const char *why)
{
	struct qmgr *q = d->qmgr;
	struct job *job;

	log_line(&q->run->log, LOG_NOTICE, "%.*s does not answer: its mail waits: %s", LOG_ARG(d->key), why);
	snprintf(d->why, sizeof(d->why), "delivery temporarily suspended: %s", why);
	d->failures = 0;
	d->window = 1;
	/* a little less than its mail waits, which else would come too early and wait twice as long */
	timer_set(&d->revival, q->run->loop, qmgr_conf(q)->minimal_backoff_time * 9 / 10, revive, d);
	while ((job = TAILQ_FIRST(&d->waiting))) {
		leave_waiting(job);
		work_job_refused(job, d->why);
	}
}

static void learn(struct dest *d, bool reached, const char *why)
{
	uint32_t most = (uint32_t)qmgr_conf(d->qmgr)->default_destination_concurrency_limit;

	if (reached) {
		d->failures = 0;
		if (++d->credit >= d->window && d->window < most) {
			d->window++;
			d->credit = 0;
		}
		return;
	}
	d->credit = 0;
	if (++d->failures >= d->window)
		die(d, why);
	else if (d->window > 1)
		d->window--;
}

/* ---- jobs ---- */

void schedule_job(struct job *job, struct dest *d)
{
	job->dest = d;
	TAILQ_INSERT_TAIL(&d->waiting, job, in_dest);
	d->qmgr->waiting++;
	if (d->kind == KIND_REMOTE)
		d->filling = job;
	place_dest(d);
	schedule_soon(d->qmgr);
}

void schedule_drop(struct job *job)
{
	leave_waiting(job);
	place_dest(job->dest);
}

void schedule_job_over(struct job *job, const bool *reached, const char *why)
{
	struct dest *d = job->dest;
	struct qmgr *q = d->qmgr;

	q->running[d->kind]--;
	d->running--;
	if (reached && d->kind == KIND_REMOTE && !timer_is_set(&d->revival))
		learn(d, *reached, why);
	place_dest(d);
	schedule_soon(q);
}

static void start_next(struct qmgr *q, enum kind kind)
{
	struct dest *d = TAILQ_FIRST(&q->ready[kind]);
	struct job *job = TAILQ_FIRST(&d->waiting);

	leave_waiting(job);
	TAILQ_REMOVE(&q->ready[kind], d, in_ready);
	d->ready = false;
	d->running++;
	q->running[kind]++;
	job->running = true;
	place_dest(d);
	deliver[kind](job);
}

/* Whether there is room for more. */
static bool start_all(struct qmgr *q)
{
	bool room = false;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		while (q->running[kind] < limit(q, kind) && !TAILQ_EMPTY(&q->ready[kind]))
			start_next(q, kind);
		room = room || q->running[kind] < limit(q, kind);
	}
	/* what waits for its destination's turn is work enough for now */
	return room && q->waiting < limit(q, KIND_REMOTE);
}

static void turn(void *arg)
{
	struct qmgr *q = arg;
	struct entry *e;
	int loads = 0;

	if (q->run->draining)
		return;
	/* An entry is loaded only when those that are loaded leave a deliverer idle: the others cost no memory. */
	while (start_all(q) && (e = entries_due(&q->entries)) && q->n_works < (size_t)qmgr_conf(q)->qmgr_active_limit &&
	       loads++ < LOADS_A_TURN)
		work_load(q, e);
	int64_t ms = entries_next_ms(&q->entries);
	if (ms > 0 || loads > LOADS_A_TURN)
		timer_set(&q->turn, q->run->loop, ms, turn, q);
}

void schedule_soon(struct qmgr *q)
{
	timer_set(&q->turn, q->run->loop, 0, turn, q);
}
