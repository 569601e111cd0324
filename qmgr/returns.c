/* What failed for good goes back to its sender, and what is late is told, as a message of its own in the queue. */
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "bounce.h"
#include "intake.h"

static const char *const words[] = {
	[BOUNCE_FAILED] = "sender non-delivery notification",
	[BOUNCE_DELAYED] = "sender delay notification",
	[BOUNCE_DOUBLE] = "postmaster non-delivery notification",
};

static void returned(void *arg, const struct intake *in, const struct reply *r)
{
	struct work *w = arg;
	struct log *log = &w->qmgr->run->log;
	const char *id = w->env.id.text;
	enum bounce_kind kind = w->warning ? BOUNCE_DELAYED : w->env.sender.n ? BOUNCE_FAILED : BOUNCE_DOUBLE;

	if (r->code == 250)
		log_line(log, LOG_NOTICE, "%s: %s: %s", id, words[kind], in->id.text);
	else if (r->code >= 500)
		log_line(log, LOG_WARNING, "warning: %s: the sender <%.*s> cannot be told: %s", id,
			 LOG_ARG(w->env.sender), r->text);
	else
		log_line(log, LOG_WARNING, "warning: %s: the sender cannot be told now: %s", id, r->text);
	work_returned(w, r->code == 250 || r->code >= 500);
}

/* The whole message when it is small, else its beginning. */
static bool read_content(struct work *w, struct buf *out)
{
	uint64_t limit = (uint64_t)qmgr_conf(w->qmgr)->bounce_size_limit;
	bool whole = w->env.content_size <= limit;
	size_t most = whole ? (size_t)w->env.content_size : BOUNCE_HEADERS_MAX;

	if (w->content < 0)
		w->content = queue_open_content(&w->qmgr->queue, &w->env.id);
	buf_reserve(out, most + 1);
	ssize_t n = w->content < 0 ? 0 : pread(w->content, out->p, most, 0);
	out->n = n > 0 ? (size_t)n : 0;
	return whole && out->n == w->env.content_size;
}

static void write_text(struct work *w, const struct env *fresh, enum bounce_kind kind, struct str to, struct buf *out)
{
	scoped_buf struct buf content = { 0 };
	char date[DATE_MAX], arrival[DATE_MAX];
	struct bounce b = { .kind = kind,
			    .to = to,
			    .host = qmgr_conf(w->qmgr)->myhostname,
			    .id = fresh->id,
			    .env = &w->env,
			    .until_us = w->env.arrival_us + qmgr_conf(w->qmgr)->maximal_queue_lifetime * 1000 };

	b.whole = read_content(w, &content);
	b.content = buf_str(&content);
	b.date = str_of(date, date_rfc5322(fresh->arrival_us, date));
	b.arrival_date = str_of(arrival, date_rfc5322(w->env.arrival_us, arrival));
	bounce_write(&b, out);
}

void returns_start(struct work *w, enum bounce_kind kind)
{
	struct intake *in = intake_new(w->qmgr);
	struct env *env = &in->work->env;
	scoped_buf struct buf given = { 0 };
	struct str to = kind == BOUNCE_DOUBLE ? STR("postmaster") : w->env.sender;

	env->id = queue_id_new(&w->qmgr->queue);
	env->arrival_us = env->next_try_us = clock_wall_us();
	env->service = kind == BOUNCE_DOUBLE ? STR("double-bounce") : STR("bounce");
	env->flags = (w->env.flags & (MAIL_8BIT | MAIL_UTF8)) | (uint32_t)AUTHORITY_LOCAL << AUTHORITY_SHIFT;
	in->authority = AUTHORITY_LOCAL;
	strs_add(&given, &in->given, to);
	in->given.raw = arena_str(&in->work->arena, buf_str(&given));
	write_text(w, env, kind, to, &in->content);
	in->done = returned;
	in->arg = w;
	intake_start(in);
}
