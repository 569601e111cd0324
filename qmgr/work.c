/*
 * One entry at work: its recipients get their turn, results are noted, and at the end of the round the entry is removed,
 * or rests until its next try. What failed goes back to the sender first.
 *
 * A message whose recipients all succeed in one round costs no note at all: after a crash it is delivered again, under
 * the same delivery ids, and local sees that it was (lib/queue/README). Where there are more recipients than the
 * window holds, results are made durable before further recipients have their turn.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "decide.h"
#include "io/fd.h"
#include "log/words.h"
#include "qmgr.h"

enum {
	SOON_MS = 1000,
	REWRITE_BYTES = 32 << 20, /* an envelope that has grown so far is written afresh */
};

struct work *work_new(struct qmgr *q)
{
	struct work *w = calloc(1, sizeof(*w));

	ASSERT(w);
	w->qmgr = q;
	w->content = -1;
	TAILQ_INIT(&w->jobs);
	return w;
}

void work_discard(struct work *w)
{
	fd_close(&w->content);
	buf_free(&w->records);
	arena_free(&w->arena);
	free(w);
}

static void unload(struct work *w)
{
	struct qmgr *q = w->qmgr;

	w->entry->work = NULL;
	TAILQ_REMOVE(&q->works, w, in_all);
	q->n_works--;
	work_discard(w);
	schedule_soon(q);
	qmgr_check_drained(q);
}

void entry_rest(struct qmgr *q, struct entry *e)
{
	heap_remove(&q->entries.due, &e->due);
	if (!e->held && !e->damaged)
		entries_wait(&q->entries, e, qmgr_conf(q)->maximal_backoff_time);
	schedule_soon(q);
}

static void rest(struct work *w)
{
	struct entry *e = w->entry;
	struct qmgr *q = w->qmgr;

	unload(w);
	entry_rest(q, e);
}

void entry_remove(struct qmgr *q, struct entry *e)
{
	if (queue_remove(&q->queue, &e->id) < 0)
		log_line(&q->run->log, LOG_ERROR, "%s: cannot be removed, and will be back after a restart: %s",
			 e->id.text, strerror(errno));
	else
		log_line(&q->run->log, LOG_NOTICE, WORDS_REMOVED, STR_ARG(queue_id_str(&e->id)));
	entries_forget(&q->entries, e);
}

static void remove_entry(struct work *w)
{
	struct entry *e = w->entry;
	struct qmgr *q = w->qmgr;

	unload(w);
	entry_remove(q, e);
}

static void free_job(struct job *job)
{
	TAILQ_REMOVE(&job->work->jobs, job, in_work);
	job->work->n_jobs--;
	free(job->numbers);
	free(job);
}

/* Starts nothing more. */
static void stop(struct work *w)
{
	struct job *job = TAILQ_FIRST(&w->jobs), *next;

	w->stopped = true;
	for (; job; job = next) {
		next = TAILQ_NEXT(job, in_work);
		if (job->running)
			continue;
		schedule_drop(job);
		free_job(job);
	}
}

/* ---- notes ---- */

/* What happened is in no file: as after a crash, but that the envelope must be rewritten before the next note. */
static void note_failed(struct work *w, int error)
{
	struct entry *e = w->entry;

	log_line(&w->qmgr->run->log, LOG_ERROR, "%s: delivery stops, its progress cannot be written: %s", e->id.text,
		 strerror(error));
	e->stuck = e->again = true;
	e->next_try_us = clock_wall_us() + qmgr_conf(w->qmgr)->minimal_backoff_time * 1000;
	stop(w);
}

static void noted(struct flush *f, int error)
{
	struct work *w = (struct work *)((char *)f - offsetof(struct work, flush));

	w->busy = false;
	if (!error)
		w->durable = w->staged;
	if (error)
		note_failed(w, error);
	else if (f->write.env_bytes > REWRITE_BYTES && queue_rewrite(&w->qmgr->queue, &w->env.id) < 0)
		note_failed(w, errno);
	work_settle(w);
}

/* busy afterwards, unless it failed at once. */
static void note(struct work *w)
{
	int rc = queue_stage_progress(&w->qmgr->queue, &w->env.id, buf_str(&w->records), &w->flush.write);

	buf_free(&w->records);
	w->unflushed = 0;
	if (rc < 0) {
		note_failed(w, errno);
		return;
	}
	w->busy = true;
	w->staged = w->env.n;
	w->flush.done = noted;
	flusher_add(&w->qmgr->flusher, &w->flush);
}

static void set_state(struct work *w, uint32_t number, enum env_state state, struct str status, struct str text)
{
	struct env_recipient *r = &w->env.recipients[number];

	r->state = state;
	r->at_us = clock_wall_us();
	r->status = arena_str(&w->arena, decide_status(state, status));
	r->text = arena_str(&w->arena, str_head(text, ENV_TEXT_MAX));
	env_put_result(&w->env.id, number, state, r->at_us, r->status, r->text, &w->records);
}

static void tell(struct work *w, uint32_t number, enum env_state state, struct str relay)
{
	const struct env_recipient *r = &w->env.recipients[number];
	const char *word = state == ENV_DELIVERED || state == ENV_REPLACED ? "sent" :
			   state == ENV_DEFERRED			   ? "deferred" :
									     "bounced";
	char original[LOG_VALUE_MAX + sizeof(WORDS_ORIG_TO)] = "";

	if (!str_ieq(r->address, r->original))
		snprintf(original, sizeof(original), WORDS_ORIG_TO, LOG_ARG(r->original));
	log_line(&w->qmgr->run->log, LOG_NOTICE, WORDS_DELIVERY, STR_ARG(queue_id_str(&w->env.id)), LOG_ARG(r->address),
		 original, LOG_ARG(relay),
		 (double)(r->at_us - w->env.arrival_us) / 1e6, STR_ARG(r->status), word, LOG_ARG(r->text));
}

void work_result(struct work *w, uint32_t number, enum env_state state, struct str relay, struct str status, struct str text)
{
	set_state(w, number, state, status, text);
	tell(w, number, state, relay);
}

bool work_replaced(struct work *w, uint32_t number, const struct env_recipient *fresh, uint32_t n)
{
	struct env *env = &w->env;
	struct env_recipient *all;

	if (!env_put_replace(env, &number, 1, fresh, n, &w->records))
		return false;
	all = arena_alloc(&w->arena, (env->n + n) * sizeof(*all));
	memcpy(all, env->recipients, env->n * sizeof(*all));
	memcpy(all + env->n, fresh, n * sizeof(*all));
	env->recipients = all;
	env->n += n;
	struct env_recipient *r = &all[number];
	r->state = ENV_REPLACED;
	r->at_us = clock_wall_us();
	r->status = STR("2.0.0");
	r->text = str_from(arena_printf(&w->arena, "forwarded as %s", env->id.text));
	tell(w, number, ENV_REPLACED, r->transport);
	entry_note_sites(w->entry, env);
	return true;
}

/* ---- a round of deliveries ---- */

static void add_number(struct job *job, uint32_t number)
{
	if (job->n == job->room) {
		job->room = job->room ? job->room * 2 : 1;
		job->numbers = reallocarray(job->numbers, job->room, sizeof(*job->numbers));
		ASSERT(job->numbers);
	}
	job->numbers[job->n++] = number;
}

/* Recipients of one next hop share a job, as many as one delivery takes. */
static void add_job(struct work *w, uint32_t number, struct dest *d)
{
	struct job *job = d->filling;

	if (job && job->work == w && job->n < (uint64_t)qmgr_conf(w->qmgr)->default_destination_recipient_limit) {
		add_number(job, number);
		return;
	}
	job = calloc(1, sizeof(*job));
	ASSERT(job);
	job->work = w;
	add_number(job, number);
	TAILQ_INSERT_TAIL(&w->jobs, job, in_work);
	w->n_jobs++;
	schedule_job(job, d);
}

static void defer_one(struct work *w, uint32_t number, const char *status, const char *why)
{
	work_result(w, number, ENV_DEFERRED, STR("none"), str_from(status), str_from(why));
}

static void offer(struct work *w, uint32_t number)
{
	const struct env_recipient *r = &w->env.recipients[number];

	if (!env_open(r) || w->entry->expire)
		return;
	if (decide_deferred(r->transport, qmgr_conf(w->qmgr))) {
		defer_one(w, number, "4.3.2", "deferred transport");
		return;
	}
	struct dest *d = schedule_dest(w->qmgr, r);
	const char *dead = schedule_dead(d);
	if (dead)
		defer_one(w, number, "4.4.1", dead);
	else
		add_job(w, number, d);
}

static void fill(struct work *w)
{
	size_t window = schedule_window(w->qmgr);

	while (w->next < w->durable && w->n_jobs + w->unflushed < window)
		offer(w, w->next++);
	if (w->next < w->durable && w->unflushed * 2 >= window)
		note(w);
}

void work_job_refused(struct job *job, const char *why)
{
	struct work *w = job->work;

	for (uint32_t i = 0; i < job->n; i++)
		defer_one(w, job->numbers[i], "4.4.1", why);
	free_job(job);
	work_settle(w);
}

/* What another host or a command has must not be sent again after a crash only because the rest of the round takes long. */
static bool note_early(const struct work *w, const struct job *job)
{
	bool once = !decide_repeats(&w->env.recipients[job->numbers[0]]);

	return once && !w->busy && w->records.n > 0 && (w->n_jobs > 1 || w->next < w->env.n);
}

void work_job_over(struct job *job, bool lost)
{
	struct work *w = job->work;
	bool early = !lost && note_early(w, job);

	if (lost) {
		log_line(&w->qmgr->run->log, LOG_WARNING,
			 "warning: %s: a delivery ended without a result; it is tried again", w->env.id.text);
		w->lost = w->entry->again = true;
	} else {
		w->unflushed += job->n;
		w->entry->broken = 0;
	}
	free_job(job);
	if (--w->n_running == 0)
		fd_close(&w->content);
	if (early)
		note(w);
	work_settle(w);
}

void work_stop(struct work *w)
{
	stop(w);
	work_settle(w);
}

void work_delete(struct work *w)
{
	w->deleted = true;
	work_stop(w);
}

/* ---- the end of a round ---- */

static void expire(struct work *w)
{
	struct entry *e = w->entry;
	bool any = false;

	if (!e->expire && !decide_expired(w->env.arrival_us, clock_wall_us(), w->env.sender, qmgr_conf(w->qmgr)))
		return;
	for (uint32_t i = 0; i < w->env.n; i++) {
		const struct env_recipient *r = &w->env.recipients[i];
		if (!env_open(r))
			continue;
		const char *text =
			arena_printf(&w->arena, "delivery time expired: %.*s", STR_ARG(str_head(r->text, 400)));
		set_state(w, i, ENV_FAILED, STR("5.4.7"), str_from(text));
		any = true;
	}
	if (any)
		log_line(&w->qmgr->run->log, LOG_NOTICE, WORDS_EXPIRED, STR_ARG(queue_id_str(&e->id)),
			 LOG_ARG(w->env.sender));
}

static bool has_state(const struct work *w, enum env_state a, enum env_state b)
{
	for (uint32_t i = 0; i < w->env.n; i++)
		if (w->env.recipients[i].state == a || w->env.recipients[i].state == b)
			return true;
	return false;
}

static void mark_returned(struct work *w)
{
	for (uint32_t i = 0; i < w->env.n; i++) {
		const struct env_recipient *r = &w->env.recipients[i];
		if (r->state == ENV_FAILED)
			set_state(w, i, ENV_RETURNED, r->status, r->text);
	}
}

void work_returned(struct work *w, bool ok)
{
	w->busy = false;
	if (w->warning) { /* told or not, it is not tried again: the next word is the last one */
		w->warning = false;
		w->env.warned = true;
		env_put_warned(&w->env.id, &w->records);
	} else {
		w->later = !ok;
		w->returned = ok;
		if (ok)
			mark_returned(w);
	}
	work_settle(w);
}

static void rest_noted(struct work *w)
{
	w->resting = true;
	if (w->records.n > 0)
		note(w);
	if (!w->busy)
		rest(w);
}

/* Something is left for later. A result that was lost says nothing about the mailbox: the first retry comes soon. */
static void defer(struct work *w)
{
	struct entry *e = w->entry;
	const struct qmgr_conf *conf = qmgr_conf(w->qmgr);
	bool soon = w->lost && e->broken == 0;

	if (w->lost && e->broken < UINT8_MAX)
		e->broken++;
	if (!soon)
		e->attempts++;
	e->expire = false;
	e->next_try_us = clock_wall_us() + (soon ? SOON_MS : decide_backoff_ms(e->attempts, conf)) * 1000;
	if (!soon) {
		env_put_schedule(&w->env.id, e->next_try_us, e->attempts, &w->records);
		queue_mark(&w->qmgr->queue, &w->env.id, true, e->held);
	}
	rest_noted(w);
}

/* Nobody sent it, so nobody is told; postmaster is, once, who wants to know. Never a bounce of a bounce. */
static bool drop_failed(struct work *w)
{
	if (w->env.sender.n > 0 || !has_state(w, ENV_FAILED, ENV_FAILED))
		return false;
	if (decide_tell_postmaster(w->env.service, qmgr_conf(w->qmgr)))
		return false;
	log_line(&w->qmgr->run->log, LOG_NOTICE, "%s: undeliverable mail without a sender dropped", w->env.id.text);
	mark_returned(w);
	return true;
}

static bool is_late(const struct work *w)
{
	return has_state(w, ENV_PENDING, ENV_DEFERRED) && !w->entry->expire &&
	       decide_warn(&w->env, clock_wall_us(), qmgr_conf(w->qmgr));
}

static void conclude(struct work *w)
{
	expire(w);
	drop_failed(w);
	if (has_state(w, ENV_FAILED, ENV_FAILED) && !w->later) {
		w->busy = true;
		returns_start(w, w->env.sender.n ? BOUNCE_FAILED : BOUNCE_DOUBLE);
	} else if (is_late(w)) {
		w->busy = w->warning = true;
		returns_start(w, BOUNCE_DELAYED);
	} else if (has_state(w, ENV_PENDING, ENV_DEFERRED) || has_state(w, ENV_FAILED, ENV_FAILED)) {
		defer(w);
	} else if (w->returned && w->records.n > 0) {
		note(w);
		if (!w->busy)
			rest(w);
	} else {
		remove_entry(w);
	}
}

void work_settle(struct work *w)
{
	if (w->busy)
		return;
	w->stopped = w->stopped || w->qmgr->run->draining;
	if (!w->stopped && w->durable < w->env.n)
		note(w);
	if (!w->busy && !w->stopped && !w->resting)
		fill(w);
	if (w->busy || w->n_jobs > 0)
		return;
	if (w->deleted)
		remove_entry(w);
	else if (w->resting || w->entry->stuck)
		rest(w);
	else if (w->stopped)
		rest_noted(w);
	else
		conclude(w);
}

/* ---- the start ---- */

static void join(struct work *w, struct entry *e)
{
	w->entry = e;
	w->durable = w->env.n;
	e->work = w;
	TAILQ_INSERT_TAIL(&w->qmgr->works, w, in_all);
	w->qmgr->n_works++;
}

void work_start(struct work *w, struct entry *e)
{
	struct qmgr *q = w->qmgr;

	join(w, e);
	if (q->n_works > (size_t)qmgr_conf(q)->qmgr_active_limit)
		rest(w);
	else
		work_settle(w);
}

static void set_damaged(struct qmgr *q, struct entry *e, const char *why)
{
	log_line(&q->run->log, LOG_ERROR, "%s: damaged, kept and not delivered: %s", e->id.text, why);
	e->damaged = true;
	entry_rest(q, e);
}

static void check(struct task *t)
{
	struct work *w = (struct work *)((char *)t - offsetof(struct work, check));

	w->check_error = queue_check_content(w->content, w->env.content_size, w->env.content_crc) < 0 ? errno : 0;
}

static void checked(struct task *t)
{
	struct work *w = (struct work *)((char *)t - offsetof(struct work, check));
	struct qmgr *q = w->qmgr;
	struct entry *e = w->entry;

	w->busy = false;
	fd_close(&w->content);
	if (w->check_error == 0) {
		e->checked = true;
		work_settle(w);
		return;
	}
	const char *why = strerror(w->check_error);
	unload(w);
	set_damaged(q, e, why);
}

/* The envelope's file may end in anything after a note that failed. */
static bool unstick(struct qmgr *q, struct entry *e)
{
	if (!e->stuck)
		return true;
	if (queue_rewrite(&q->queue, &e->id) == 0) {
		e->stuck = false;
		return true;
	}
	log_line(&q->run->log, LOG_ERROR, "%s: its progress still cannot be written: %s", e->id.text, strerror(errno));
	e->next_try_us = clock_wall_us() + qmgr_conf(q)->minimal_backoff_time * 1000;
	entry_rest(q, e);
	return false;
}

void work_load(struct qmgr *q, struct entry *e)
{
	struct err err = { 0 };

	heap_remove(&q->entries.due, &e->due);
	if (!unstick(q, e))
		return;
	struct work *w = work_new(q);
	if (!queue_load(&q->queue, &e->id, &w->arena, &w->env, &err)) {
		work_discard(w);
		set_damaged(q, e, err.text);
		return;
	}
	join(w, e);
	if (e->checked) {
		work_settle(w);
		return;
	}
	w->content = queue_open_content(&q->queue, &e->id);
	w->check = (struct task){ .run = check, .done = checked };
	w->busy = true;
	worker_give(&q->reader, &w->check);
}
