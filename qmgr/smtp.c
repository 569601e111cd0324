/* The side that delivers to other hosts: jobs for smtp, some recipients of one next hop each. */
#include <errno.h>
#include <stdio.h>

#include "qmgr.h"

static void fail_later(void *arg)
{
	struct job *job = ((struct call *)arg)->arg;

	schedule_job_over(job, NULL, "");
	work_job_over(job, true);
}

static enum env_state state_of(struct str class)
{
	if (str_eq(class, STR("2")))
		return ENV_DELIVERED;
	return str_eq(class, STR("5")) ? ENV_FAILED : ENV_DEFERRED;
}

/* As many as were asked for, or nothing of it is believed. */
static bool fits(const struct job *job, const struct transferred *m)
{
	return m->results.n == job->n * TRANSFER_PARTS;
}

static void take_results(struct job *job, const struct transferred *m, char why[200])
{
	size_t at = 0;
	struct str class, status, text = { 0 };

	for (uint32_t i = 0; i < job->n; i++) {
		if (!strs_next(&m->results, &at, &class) || !strs_next(&m->results, &at, &status) || !strs_next(&m->results, &at, &text))
			panic("a list that was counted is shorter");
		work_result(job->work, job->numbers[i], state_of(class), m->relay, status, text);
	}
	snprintf(why, 200, "%.*s", LOG_ARG(text));
}

static void transferred(void *arg, enum call_result result, void *message)
{
	struct job *job = arg;
	const struct transferred *m = message;
	char why[200] = "";

	if (result != CALL_OK || !fits(job, m)) {
		/* what it had sent, nobody knows */
		schedule_job_over(job, NULL, "");
		work_job_over(job, true);
		return;
	}
	take_results(job, m, why);
	schedule_job_over(job, &m->reached, why);
	work_job_over(job, false);
}

void smtp_deliver(struct job *job)
{
	struct work *w = job->work;
	struct qmgr *q = w->qmgr;
	const struct env_recipient *first = &w->env.recipients[job->numbers[0]];
	scoped_buf struct buf recipients = { 0 };
	struct transfer m = {
		.queue_id = queue_id_str(&w->env.id),
		.transport = first->transport,
		.nexthop = first->nexthop,
		.sender = w->env.sender,
		.flags = w->env.flags & (MAIL_8BIT | MAIL_UTF8),
		.size = w->env.content_size,
		.envid = w->env.envid,
	};

	for (uint32_t i = 0; i < job->n; i++)
		strs_add(&recipients, &m.recipients, w->env.recipients[job->numbers[i]].address);
	w->n_running++;
	if (w->content < 0)
		w->content = queue_open_content(&q->queue, &w->env.id);
	m.content = w->content;
	if (w->content >= 0) {
		channel_call(run_server(q->run, "smtp"), &transfer_schema, &m, &transferred_schema,
			     qmgr_conf(q)->qmgr_delivery_timeout, &job->call, transferred, job);
		return;
	}
	log_line(&q->run->log, LOG_ERROR, "%s: the message cannot be opened: %s", w->env.id.text, strerror(errno));
	/* as from a peer: never from within the schedule's turn */
	job->call.arg = job;
	timer_set(&job->call.timer, q->run->loop, 0, fail_later, &job->call);
}
