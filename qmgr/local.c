/* The side that delivers: jobs for local, which has the mailboxes. */
#include <errno.h>

#include "decide.h"
#include "qmgr.h"

static void over(struct job *job, bool lost)
{
	schedule_job_over(job, NULL, "");
	work_job_over(job, lost);
}

static void fail_later(void *arg)
{
	over(((struct call *)arg)->arg, true);
}

static void delivered(void *arg, enum call_result result, void *message)
{
	struct job *job = arg;
	const struct delivered *m = message;

	if (result != CALL_OK || m->result > DELIVERY_EXPANDED) {
		over(job, true);
		return;
	}
	if (m->result == DELIVERY_EXPANDED) {
		forward_start(job, m);
		return;
	}
	static const enum env_state states[] = { [DELIVERY_UNKNOWN] = ENV_DEFERRED,
						 [DELIVERY_DONE] = ENV_DELIVERED,
						 [DELIVERY_DEFERRED] = ENV_DEFERRED,
						 [DELIVERY_FAILED] = ENV_FAILED };
	/* its process may have died when it had delivered */
	if (m->result == DELIVERY_UNKNOWN)
		job->work->entry->again = true;
	work_result(job->work, job->numbers[0], states[m->result], job->work->env.recipients[job->numbers[0]].transport, m->status, m->text);
	over(job, false);
}

void local_deliver(struct job *job)
{
	struct work *w = job->work;
	struct qmgr *q = w->qmgr;
	const struct env_recipient *r = &w->env.recipients[job->numbers[0]];
	struct deliver m = {
		.user = r->user,
		.queue_id = queue_id_str(&w->env.id),
		.number = job->numbers[0],
		.sender = w->env.sender,
		.recipient = r->address,
		.original = r->original,
		.target = decide_target(r),
		.client_name = w->env.client_name,
		.client_address = w->env.client_address,
		.arrival_us = w->env.arrival_us,
		.size = w->env.content_size,
		.again = w->entry->again,
	};

	w->n_running++;
	if (w->content < 0)
		w->content = queue_open_content(&q->queue, &w->env.id);
	m.content = w->content;
	if (w->content >= 0) {
		channel_call(run_server(q->run, decide_is_command(r) ? "commandd" : "local"), &deliver_schema, &m, &delivered_schema,
			     qmgr_conf(q)->qmgr_delivery_timeout, &job->call, delivered, job);
		return;
	}
	log_line(&q->run->log, LOG_ERROR, "%s: the message cannot be opened: %s", w->env.id.text, strerror(errno));
	/* as from a peer: never from within the schedule's turn */
	job->call.arg = job;
	timer_set(&job->call.timer, q->run->loop, 0, fail_later, &job->call);
}
