/* requeue: the open recipients are expanded again, by the tables as they are now. */
#include <stdlib.h>

#include "base/time.h"
#include "decide.h"
#include "tools.h"

struct requeue {
	struct act *act;
	struct queue_id id; /* the entry may be gone when an answer comes */
	struct arena arena;
	struct env env;
	struct buf given;
	struct routing routing;
	struct flush flush;
};

static void over(struct requeue *r, bool ok)
{
	struct entry *e = entries_find(&r->act->qmgr->entries, &r->id);

	if (ok && e) {
		r->act->count++;
		e->next_try_us = clock_wall_us();
		entry_note_sites(e, &r->env);
	}
	if (e)
		entry_rest(r->act->qmgr, e);
	act_over(r->act, ok);
	routing_cancel(&r->routing);
	buf_free(&r->given);
	arena_free(&r->arena);
	free(r);
}

static void flushed(struct flush *f, int error)
{
	struct requeue *r = (struct requeue *)((char *)f - offsetof(struct requeue, flush));
	struct entry *e = entries_find(&r->act->qmgr->entries, &r->id);

	if (error && e)
		e->stuck = true;
	over(r, error == 0);
}

/* Old ones out, fresh ones in, and no hold any more: one note. */
static bool stage(struct requeue *r, struct entry *e, const struct env_recipient *fresh, uint32_t n)
{
	scoped_buf struct buf records = { 0 };
	uint32_t *old = arena_array(&r->arena, r->env.n, sizeof(*old)), n_old = 0;

	for (uint32_t i = 0; i < r->env.n; i++)
		if (env_open(&r->env.recipients[i]))
			old[n_old++] = i;
	if (!env_put_replace(&r->env, old, n_old, fresh, n, &records) ||
	    (e->held && !env_put_hold(&r->id, false, &records)))
		return false;
	if (queue_stage_progress(&r->act->qmgr->queue, &r->id, buf_str(&records), &r->flush.write) < 0)
		return false;
	e->held = false;
	return true;
}

/* An alias is expanded whole, though some of what it leads to has the message. */
static uint32_t leave_out_served(const struct env *env, struct env_recipient *fresh, uint32_t n)
{
	scoped_table struct table served = { 0 };
	scoped_buf struct buf key = { 0 };
	uint32_t left = 0;

	for (uint32_t i = 0; i < env->n; i++) {
		if (env->recipients[i].state != ENV_DELIVERED)
			continue;
		decide_key(&env->recipients[i], decide_target(&env->recipients[i]), &key);
		table_set(&served, buf_str(&key), &served);
	}
	for (uint32_t i = 0; i < n; i++) {
		decide_key(&fresh[i], decide_target(&fresh[i]), &key);
		if (!table_get(&served, buf_str(&key)))
			fresh[left++] = fresh[i];
	}
	return left;
}

static void routed(struct routing *routing, const struct reply *why)
{
	struct requeue *r = (struct requeue *)((char *)routing - offsetof(struct requeue, routing));
	struct entry *e = entries_find(&r->act->qmgr->entries, &r->id);
	struct env_recipient *fresh;

	if (why->code != 250)
		log_line(&r->act->qmgr->run->log, LOG_WARNING, "warning: %s: not requeued: %s", r->id.text, why->text);
	if (why->code != 250 || !e || e->work || e->stuck) {
		over(r, false);
		return;
	}
	uint32_t n = leave_out_served(&r->env, fresh, routing_take(routing, &fresh, NULL));
	if (n == 0)
		log_line(&r->act->qmgr->run->log, LOG_WARNING, "warning: %s: not requeued: all that it leads to have it", r->id.text);
	if (n == 0 || !stage(r, e, fresh, n)) {
		over(r, false);
		return;
	}
	/* nothing else may happen to it until that is durable */
	heap_remove(&r->act->qmgr->entries.due, &e->due);
	queue_mark(&r->act->qmgr->queue, &r->id, e->attempts > 0, false);
	log_line(&r->act->qmgr->run->log, LOG_NOTICE, "%s: requeued", r->id.text);
	r->flush.done = flushed;
	flusher_add(&r->act->qmgr->flusher, &r->flush);
}

/* Has another recipient that came from the same original got the message? */
static bool original_was_served(const struct env *env, struct str original)
{
	for (uint32_t i = 0; i < env->n; i++)
		if (env->recipients[i].state == ENV_DELIVERED && str_eq(env->recipients[i].original, original))
			return true;
	return false;
}

/* What the client gave, each once; where that reached somebody already, only the address that is still open. */
static void collect(struct requeue *r)
{
	scoped_table struct table seen = { 0 };

	for (uint32_t i = 0; i < r->env.n; i++) {
		const struct env_recipient *rcpt = &r->env.recipients[i];
		if (!env_open(rcpt))
			continue;
		struct str ask = rcpt->original.n == 0 || original_was_served(&r->env, rcpt->original) ? rcpt->address
												       : rcpt->original;
		if (!table_set(&seen, ask, r))
			strs_add(&r->given, &r->routing.given, ask);
	}
}

void requeue_start(struct act *a, struct entry *e)
{
	if (e->work || e->damaged || e->stuck) {
		a->failed++;
		return;
	}
	struct requeue *r = calloc(1, sizeof(*r));
	ASSERT(r);
	r->act = a;
	r->id = e->id;
	act_wait(a);
	if (!queue_load(&a->qmgr->queue, &e->id, &r->arena, &r->env, NULL)) {
		over(r, false);
		return;
	}
	heap_remove(&a->qmgr->entries.due, &e->due);
	collect(r);
	r->routing.qmgr = a->qmgr;
	r->routing.authority = r->env.flags >> AUTHORITY_SHIFT;
	r->routing.sender = r->env.sender;
	r->routing.arena = &r->arena;
	r->routing.done = routed;
	if (r->routing.given.n == 0)
		over(r, true);
	else
		routing_start(&r->routing);
}
