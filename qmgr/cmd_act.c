/* The verbs that change the queue, for one message or many. */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "log/words.h"
#include "tools.h"

/* So many entries at a time: each may hold a descriptor, and the loop has other work. */
enum { SLICE = 256 };

struct verb {
	const char *name;
	bool for_all; /* whoever may connect, not only those who may change the queue */
	void (*run)(struct act *a, struct entry *e);
};

/* A hold or release on its way to disk. */
struct mark {
	struct flush flush;
	struct act *act;
	struct queue_id id;
};

void act_wait(struct act *a)
{
	a->waiting++;
}

static void answer(struct act *a)
{
	char text[80] = "";

	if (a->failed > 0)
		snprintf(text, sizeof(text), "%zu messages could not be changed", a->failed);
	if (a->tool) {
		a->tool->act = NULL;
		channel_answer(&a->tool->ch, a->serial, &queue_acted_schema,
			       &(struct queue_acted){ a->failed == 0, a->count, str_from(text) });
	}
	free((void *)(uintptr_t)a->site.p);
	free(a);
}

static void walk_slice(void *arg)
{
	struct act *a = arg;
	struct entry *e = NULL;

	a->waiting = 1;
	for (int i = 0; i < SLICE && (e = entries_after(&a->qmgr->entries, &a->at)); i++) {
		a->at = e->id;
		if (!a->site.p || entry_may_go_to(e, a->site))
			a->verb->run(a, e);
	}
	a->walked = e == NULL;
	act_over(a, true);
}

void act_over(struct act *a, bool ok)
{
	if (!ok)
		a->failed++;
	if (--a->waiting > 0)
		return;
	if (a->walked)
		answer(a);
	else
		timer_set(&a->next, a->qmgr->run->loop, 0, walk_slice, a);
}

static void marked(struct flush *f, int error)
{
	struct mark *m = (struct mark *)((char *)f - offsetof(struct mark, flush));
	struct entry *e = entries_find(&m->act->qmgr->entries, &m->id);

	if (error && e)
		e->stuck = true;
	act_over(m->act, error == 0);
	free(m);
}

/* Appends the mark; what is at work on the entry appends its own records before and after it. */
static bool write_mark(struct act *a, struct entry *e, bool held)
{
	scoped_buf struct buf record = { 0 };
	struct mark *m = calloc(1, sizeof(*m));

	ASSERT(m);
	*m = (struct mark){ .flush.done = marked, .act = a, .id = e->id };
	env_put_hold(&e->id, held, &record);
	if (e->stuck || queue_stage_progress(&a->qmgr->queue, &e->id, buf_str(&record), &m->flush.write) < 0) {
		a->failed++;
		free(m);
		return false;
	}
	act_wait(a);
	flusher_add(&a->qmgr->flusher, &m->flush);
	return true;
}

static void hold(struct act *a, struct entry *e)
{
	if (e->held || !write_mark(a, e, true))
		return;
	a->count++;
	e->held = true;
	queue_mark(&a->qmgr->queue, &e->id, e->attempts > 0, true);
	log_line(&a->qmgr->run->log, LOG_NOTICE, WORDS_HELD, STR_ARG(queue_id_str(&e->id)));
	if (e->work)
		work_stop(e->work);
	else
		entry_rest(a->qmgr, e);
}

static void release(struct act *a, struct entry *e)
{
	if (!e->held || !write_mark(a, e, false))
		return;
	a->count++;
	e->held = false;
	queue_mark(&a->qmgr->queue, &e->id, e->attempts > 0, false);
	log_line(&a->qmgr->run->log, LOG_NOTICE, WORDS_RELEASED, STR_ARG(queue_id_str(&e->id)));
	if (!e->work)
		entry_rest(a->qmgr, e);
}

static void delete (struct act *a, struct entry *e)
{
	a->count++;
	if (e->work)
		work_delete(e->work);
	else
		entry_remove(a->qmgr, e);
}

static void flush_now(struct act *a, struct entry *e)
{
	if (e->held || e->damaged || e->work)
		return;
	a->count++;
	e->next_try_us = clock_wall_us();
	entry_rest(a->qmgr, e);
}

/* A held one is given up when it is released. */
static void expire(struct act *a, struct entry *e)
{
	if (e->damaged)
		return;
	e->expire = true;
	e->next_try_us = clock_wall_us();
	a->count++;
	if (e->work)
		work_stop(e->work);
	else
		entry_rest(a->qmgr, e);
}

static const struct verb verbs[] = {
	{ "hold", false, hold },     { "release", false, release }, { "requeue", false, requeue_start },
	{ "delete", false, delete }, { "expire", false, expire },   { "flush", true, flush_now },
};

static struct act *new_act(struct tool *t, uint32_t serial, const struct verb *verb)
{
	struct act *a = calloc(1, sizeof(*a));

	ASSERT(a);
	*a = (struct act){ .qmgr = t->qmgr, .tool = t, .serial = serial, .verb = verb };
	t->act = a;
	return a;
}

static void run_one(struct act *a, struct entry *e)
{
	a->walked = true;
	act_wait(a);
	a->verb->run(a, e);
	act_over(a, true);
}

/* Why not, or NULL when it goes its way. */
static const char *start(struct tool *t, uint32_t serial, const struct queue_act *m)
{
	const struct verb *verb = NULL;
	struct str which = m->which;
	struct entry *e = NULL;
	struct queue_id id;

	for (size_t i = 0; i < COUNT(verbs) && !verb; i++)
		if (str_eq(m->verb, str_from(verbs[i].name)))
			verb = &verbs[i];
	if (!verb)
		return "no such verb";
	if (!verb->for_all && !t->may_change)
		return "only root and members of setgid_group may change the queue";
	bool site = verb->run == flush_now && str_eat_word(&which, STR("site:"));
	if (!site && !str_eq(which, STR("ALL"))) {
		e = queue_id_parse(which, &id) ? entries_find(&t->qmgr->entries, &id) : NULL;
		if (!e)
			return "no such message";
	}
	struct act *a = new_act(t, serial, verb);
	if (site)
		a->site = str_of(strndup(which.p, which.n), which.n);
	if (e)
		run_one(a, e);
	else
		walk_slice(a);
	return NULL;
}

void tool_act(struct channel *ch, uint32_t serial, void *message)
{
	const char *why = start(ch->arg, serial, message);

	if (why)
		channel_answer(ch, serial, &queue_acted_schema, &(struct queue_acted){ .text = str_from(why) });
}
