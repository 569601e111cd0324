/* What failed for good goes back to its sender, as a message of its own in the queue. */
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "bounce.h"
#include "intake.h"

static void returned(void *arg, const struct intake *in, const struct reply *r)
{
	struct work *w = arg;
	struct log *log = &w->qmgr->run->log;
	const char *id = w->env.id.text;

	if (r->code == 250)
		log_line(log, LOG_NOTICE, "%s: sender non-delivery notification: %s", id, in->flush.write.id.text);
	else if (r->code >= 500)
		log_line(log, LOG_WARNING, "warning: %s: the sender <%.*s> cannot be told: %s", id,
			 LOG_ARG(w->env.sender), r->text);
	else
		log_line(log, LOG_WARNING, "warning: %s: the sender cannot be told now: %s", id, r->text);
	work_returned(w, r->code == 250 || r->code >= 500);
}

static void read_beginning(struct work *w, struct buf *out)
{
	if (w->content < 0)
		w->content = queue_open_content(&w->qmgr->queue, &w->env.id);
	buf_reserve(out, BOUNCE_HEADERS_MAX);
	ssize_t n = w->content < 0 ? 0 : pread(w->content, out->p, BOUNCE_HEADERS_MAX, 0);
	out->n = n > 0 ? (size_t)n : 0;
}

static void write_text(struct work *w, const struct env *fresh, struct buf *out)
{
	scoped_buf struct buf beginning = { 0 };
	char date[DATE_MAX], arrival[DATE_MAX];
	struct bounce b = { .host = qmgr_conf(w->qmgr)->myhostname, .id = fresh->id, .env = &w->env };

	read_beginning(w, &beginning);
	b.content = buf_str(&beginning);
	b.date = str_of(date, date_rfc5322(fresh->arrival_us, date));
	b.arrival_date = str_of(arrival, date_rfc5322(w->env.arrival_us, arrival));
	bounce_write(&b, out);
}

void returns_start(struct work *w)
{
	struct intake *in = intake_new(w->qmgr);
	struct env *env = &in->work->env;
	scoped_buf struct buf given = { 0 };

	env->id = queue_id_new(&w->qmgr->queue);
	env->arrival_us = env->next_try_us = clock_wall_us();
	env->service = STR("bounce");
	env->flags = (w->env.flags & (MAIL_8BIT | MAIL_UTF8)) | (uint32_t)AUTHORITY_LOCAL << AUTHORITY_SHIFT;
	in->authority = AUTHORITY_LOCAL;
	strs_add(&given, &in->given, w->env.sender);
	in->given.raw = arena_str(&in->work->arena, buf_str(&given));
	write_text(w, env, &in->content);
	in->done = returned;
	in->arg = w;
	intake_start(in);
}
