/*
 * Which job is next. Mailboxes take turns, and a message has only a window of recipients in the race, so that one with
 * many recipients and a mailbox with much mail delay the others little.
 */
#include <stdlib.h>

#include "qmgr.h"

enum {
	WINDOW_LEAST = 4,
	LOADS_A_TURN = 32, /* entries read from disk before the loop goes round again */
};

size_t schedule_window(const struct qmgr *q)
{
	size_t share = (size_t)qmgr_conf(q)->qmgr_delivery_limit / (q->n_works ? q->n_works : 1);

	return share > WINDOW_LEAST ? share : WINDOW_LEAST;
}

static struct dest *find_dest(struct qmgr *q, struct str user)
{
	struct dest *d = table_get(&q->dests, user);

	if (d)
		return d;
	d = calloc(1, sizeof(*d) + user.n);
	ASSERT(d);
	if (user.n)
		memcpy(d + 1, user.p, user.n);
	d->user = str_of(d + 1, user.n);
	TAILQ_INIT(&d->waiting);
	table_set(&q->dests, user, d);
	return d;
}

/* Puts it where it belongs after a change. */
static void place_dest(struct qmgr *q, struct dest *d)
{
	bool may =
		!TAILQ_EMPTY(&d->waiting) && d->running < (uint64_t)qmgr_conf(q)->local_destination_concurrency_limit;

	if (may && !d->ready)
		TAILQ_INSERT_TAIL(&q->ready, d, in_ready);
	if (!may && d->ready)
		TAILQ_REMOVE(&q->ready, d, in_ready);
	d->ready = may;
	if (TAILQ_EMPTY(&d->waiting) && d->running == 0) {
		table_remove(&q->dests, d->user);
		free(d);
	}
}

void schedule_job(struct qmgr *q, struct job *job, struct str user)
{
	job->dest = find_dest(q, user);
	TAILQ_INSERT_TAIL(&job->dest->waiting, job, in_dest);
	place_dest(q, job->dest);
	schedule_soon(q);
}

void schedule_drop(struct qmgr *q, struct job *job)
{
	TAILQ_REMOVE(&job->dest->waiting, job, in_dest);
	place_dest(q, job->dest);
}

void schedule_job_over(struct qmgr *q, struct job *job)
{
	q->running--;
	job->dest->running--;
	place_dest(q, job->dest);
	schedule_soon(q);
}

static void start_next(struct qmgr *q)
{
	struct dest *d = TAILQ_FIRST(&q->ready);
	struct job *job = TAILQ_FIRST(&d->waiting);

	TAILQ_REMOVE(&d->waiting, job, in_dest);
	TAILQ_REMOVE(&q->ready, d, in_ready);
	d->ready = false;
	d->running++;
	q->running++;
	job->running = true;
	place_dest(q, d);
	local_deliver(job);
}

static bool start_all(struct qmgr *q)
{
	while (q->running < (size_t)qmgr_conf(q)->qmgr_delivery_limit && !TAILQ_EMPTY(&q->ready))
		start_next(q);
	return q->running < (size_t)qmgr_conf(q)->qmgr_delivery_limit;
}

static void turn(void *arg)
{
	struct qmgr *q = arg;
	struct entry *e;
	int loads = 0;

	if (q->run->draining)
		return;
	/* An entry is loaded only when those that are loaded leave local idle: the others cost no memory. */
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
