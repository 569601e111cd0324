#include "smtp/checks.h"

#include <stdio.h>

#include "base/net.h"
#include "conf/conf.h"
#include "smtp/check_steps.h"

void checks_begin(struct checks *c, const struct restrict_program *const lists[RESTRICT_LISTS])
{
	*c = (struct checks){ .prepend = { .limit = CHECKS_PREPEND_MAX } };
	memcpy(c->lists, lists, sizeof(c->lists));
}

void checks_end(struct checks *c)
{
	arena_free(&c->arena);
	buf_free(&c->prepend);
}

/* The step that is to be done now; NULL: all are done. */
static const struct restrict_step *current(const struct checks *c)
{
	if (c->row_step < c->row.n)
		return &c->row.steps[c->row_step];
	return c->list < RESTRICT_LISTS ? &c->lists[c->list]->steps[c->step] : NULL;
}

/* On to a list that has a step. */
static void settle(struct checks *c)
{
	while (c->list < RESTRICT_LISTS && (!c->lists[c->list] || c->step >= c->lists[c->list]->n)) {
		c->list++;
		c->step = 0;
	}
}

static void leave_row(struct checks *c)
{
	c->row = (struct restrict_program){ 0 };
	c->row_step = 0;
	arena_free(&c->arena);
}

static void advance(struct checks *c)
{
	if (c->row_step < c->row.n && ++c->row_step < c->row.n)
		return;
	leave_row(c);
	c->step++;
	settle(c);
}

static void leave_list(struct checks *c)
{
	leave_row(c);
	c->list++;
	c->step = 0;
	settle(c);
}

/* The step of the list itself, under whose warn_if_reject stands all that its row has named. */
static bool only_warns(const struct checks *c, const struct restrict_step *step)
{
	return step->warn || c->lists[c->list]->steps[c->step].warn;
}

static void note_reply(const struct check_facts *f, const char *word, const struct reply *r)
{
	char text[REPLY_TEXT_MAX + 40];

	snprintf(text, sizeof(text), "%d %d.%d.%d %s", r->code, r->enh[0], r->enh[1], r->enh[2], r->text);
	f->note(f->arg, word, str_from(text));
}

/* False: it counts as nothing. */
static bool refuse(struct step_run *r)
{
	struct checks *c = r->checks;

	if (only_warns(c, r->step)) {
		note_reply(r->facts, "reject_warning", &c->reply);
		c->reply = (struct reply){ 0 };
		return false;
	}
	if (c->if_reject.code && c->reply.code >= 500)
		c->reply = c->if_reject;
	return true;
}

enum checks_next checks_next(struct checks *c, const struct check_facts *f, const struct check_answer *answer,
			     struct check_ask *ask)
{
	struct step_run r = { .checks = c, .facts = f, .answer = answer, .ask = ask };

	settle(c);
	while ((r.step = current(c))) {
		size_t row = c->row.n;
		r.list = c->list;
		enum step_go go = step_run(&r);
		r.answer = NULL;
		if (go >= GO_ASK_TABLE)
			return go == GO_ASK_TABLE     ? CHECKS_ASK_TABLE
			       : go == GO_ASK_ADDRESS ? CHECKS_ASK_ADDRESS
			       : go == GO_ASK_LOGIN   ? CHECKS_ASK_LOGIN
						      : CHECKS_ASK_DNS;
		c->state = 0;
		if (go == GO_REJECT && refuse(&r))
			return CHECKS_DONE;
		if (go == GO_PERMIT)
			leave_list(c);
		else if (c->row.n == row)
			advance(c);
	}
	c->reply = c->if_permit;
	return CHECKS_DONE;
}
