#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "decide.h"
#include "io/fd.h"
#include "log/words.h"

struct intake *intake_new(struct qmgr *q)
{
	struct intake *in = calloc(1, sizeof(*in));

	ASSERT(in);
	in->qmgr = q;
	in->work = work_new(q);
	in->scan_fd = -1;
	q->commits++;
	return in;
}

static void finish(struct intake *in, const struct reply *r)
{
	struct qmgr *q = in->qmgr;

	in->done(in->arg, in, r);
	if (in->work)
		work_discard(in->work);
	buf_free(&in->content);
	routing_cancel(&in->routing);
	free(in);
	q->commits--;
	qmgr_check_drained(q);
}

static void refuse(struct intake *in, struct reply r)
{
	if (in->spooled)
		queue_tmp_discard(&in->qmgr->queue, &in->work->env.id);
	finish(in, &r);
}

static void tell_errno(struct intake *in, const char *what, int error)
{
	log_line(&in->qmgr->run->log, LOG_WARNING, "warning: %s: %s: %s", in->work->env.id.text, what, strerror(error));
}

static struct entry *enter(struct intake *in)
{
	const struct env *env = &in->work->env;
	struct queue_facts facts = { .id = env->id,
				     .arrival_us = env->arrival_us,
				     .next_try_us = env->next_try_us,
				     .size = env->content_size,
				     .recipients = env->n,
				     .open = env->n,
				     .held = env->held,
				     .checked = true };

	return entries_add(&in->qmgr->entries, &facts, env);
}

static void flushed(struct flush *f, int error)
{
	struct intake *in = (struct intake *)((char *)f - offsetof(struct intake, flush));
	struct work *w = in->work;

	if (error) {
		tell_errno(in, "the message cannot be made durable", error);
		struct reply failed = decide_errno(error);
		finish(in, &failed);
		return;
	}
	struct reply ok = reply_make(250, 2, 0, 0, "Ok: queued as %s", w->env.id.text);
	struct entry *e = enter(in);
	log_line(&in->qmgr->run->log, LOG_NOTICE, WORDS_QUEUED, STR_ARG(queue_id_str(&w->env.id)),
		 LOG_ARG(w->env.sender), (unsigned long long)w->env.content_size, w->env.n);
	if (e->held) {
		queue_mark(&in->qmgr->queue, &e->id, false, true);
		log_line(&in->qmgr->run->log, LOG_NOTICE, WORDS_HELD, STR_ARG(queue_id_str(&e->id)));
		finish(in, &ok);
		return;
	}
	in->work = NULL;
	finish(in, &ok);
	work_start(w, e);
}

static void stage(struct intake *in)
{
	struct env *env = &in->work->env;
	const struct queue *queue = &in->qmgr->queue;
	struct str content = buf_str(&in->content);
	int rc = in->spooled ? queue_stage_tmp(queue, env, &in->flush.write)
			     : queue_stage(queue, env, &content, 1, &in->flush.write);
	int error = errno;

	if (rc < 0) {
		tell_errno(in, "the message cannot be written", error);
		in->spooled = false; /* tmp/ID is gone */
		refuse(in, decide_errno(error));
		return;
	}
	buf_free(&in->content);
	in->spooled = false;
	in->flush.done = flushed;
	flusher_add(&in->qmgr->flusher, &in->flush);
}

static void routed(struct routing *r, const struct reply *why)
{
	struct intake *in = (struct intake *)((char *)r - offsetof(struct intake, routing));
	struct env *env = &in->work->env;

	/* Each was accepted a moment ago; one that has gone since then must not cost the others their copy. */
	if (why->code == 550 && in->given.n > 1) {
		refuse(in, REPLY(451, 4, 3, 5, "Recipients have changed meanwhile: try again"));
		return;
	}
	if (why->code != 250) {
		refuse(in, *why);
		return;
	}
	env->n = routing_take(r, &env->recipients);
	stage(in);
}

static void route(struct intake *in)
{
	in->routing = (struct routing){ .qmgr = in->qmgr,
					.authority = in->authority,
					.sender = in->work->env.sender,
					.given = in->given,
					.arena = &in->work->arena,
					.done = routed };
	routing_start(&in->routing);
}

/* In the reader thread: the spooled content's checksum, and whether it is what mail may be. */
static void scan(struct task *t)
{
	struct intake *in = (struct intake *)((char *)t - offsetof(struct intake, scan));
	struct env *env = &in->work->env;
	char bytes[32768];
	ssize_t n;

	in->scan_clean = true;
	while ((n = read(in->scan_fd, bytes, sizeof(bytes))) > 0) {
		struct str chunk = str_of(bytes, (size_t)n);
		env->content_size += chunk.n;
		env->content_crc = crc32c(env->content_crc, chunk);
		in->scan_clean = in->scan_clean && decide_content_ok(chunk);
	}
	in->scan_error = n < 0 ? errno : 0;
	fd_close(&in->scan_fd);
}

static void scanned(struct task *t)
{
	struct intake *in = (struct intake *)((char *)t - offsetof(struct intake, scan));

	if (in->scan_error)
		refuse(in, decide_errno(in->scan_error));
	else if (in->work->env.content_size != in->size)
		refuse(in, REPLY(451, 4, 3, 0, "Malformed content"));
	else if (!in->scan_clean)
		refuse(in, REPLY(550, 5, 6, 0, "Message has octets that mail may not have"));
	else
		route(in);
}

void intake_start(struct intake *in)
{
	if (!in->spooled) {
		route(in);
		return;
	}
	in->scan_fd = queue_tmp_open(&in->qmgr->queue, &in->work->env.id);
	if (in->scan_fd < 0) {
		tell_errno(in, "the spool file cannot be taken", errno);
		refuse(in, decide_errno(EBUSY));
		return;
	}
	in->scan = (struct task){ .run = scan, .done = scanned };
	worker_give(&in->qmgr->reader, &in->scan);
}
