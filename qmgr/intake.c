#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "decide.h"
#include "io/fd.h"
#include "log/words.h"

enum { PARTS_MOST = 20 }; /* senders of one message; what other lists lead to keeps the first one's */

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
	for (uint32_t i = 1; i < in->n_parts; i++)
		if (in->parts[i].work)
			work_discard(in->parts[i].work);
	free(in->parts);
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

/* ---- its entries: one for each sender ---- */

static void copy_env(struct work *to, const struct env *from, struct str sender)
{
	struct arena *a = &to->arena;
	struct env *env = &to->env;

	*env = *from;
	env->id = queue_id_new(&to->qmgr->queue);
	env->sender = arena_str(a, sender);
	env->envid = arena_str(a, from->envid);
	env->service = arena_str(a, from->service);
	env->client_name = arena_str(a, from->client_name);
	env->client_address = arena_str(a, from->client_address);
	env->login = arena_str(a, from->login);
	env->recipients = NULL;
	env->n = 0;
}

static void copy_texts(struct env_recipient *r, struct arena *a)
{
	struct str *const texts[] = { &r->address, &r->original, &r->transport, &r->nexthop, &r->user };

	for (size_t i = 0; i < COUNT(texts); i++)
		*texts[i] = arena_str(a, *texts[i]);
}

/* The first is in->work's, whose sender is that of the first recipient. */
static struct intake_part *part_of(struct intake *in, struct str sender)
{
	uint32_t i = 0;

	while (i < in->n_parts && !str_eq(in->parts[i].work->env.sender, sender))
		i++;
	if (i < in->n_parts)
		return &in->parts[i];
	if (i == PARTS_MOST)
		return &in->parts[0];
	in->parts = reallocarray(in->parts, ++in->n_parts, sizeof(*in->parts));
	ASSERT(in->parts);
	in->parts[i] = (struct intake_part){ .work = i ? work_new(in->qmgr) : in->work };
	if (i == 0)
		in->work->env.sender = sender;
	else
		copy_env(in->parts[i].work, &in->work->env, sender);
	return &in->parts[i];
}

static void split(struct intake *in, const struct env_recipient *all, const struct str *senders, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		part_of(in, senders[i])->work->env.n++;
	for (uint32_t i = 0; i < in->n_parts; i++) {
		struct env *env = &in->parts[i].work->env;
		in->parts[i].in = in;
		env->recipients = arena_alloc(&in->parts[i].work->arena, env->n * sizeof(*env->recipients));
		env->n = 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct work *w = part_of(in, senders[i])->work;
		struct env_recipient *to = &w->env.recipients[w->env.n++];
		*to = all[i];
		if (w != in->work)
			copy_texts(to, &w->arena);
	}
}

/* ---- durable, all or none ---- */

static struct entry *enter(struct qmgr *q, const struct env *env)
{
	struct queue_facts facts = { .id = env->id,
				     .arrival_us = env->arrival_us,
				     .next_try_us = env->next_try_us,
				     .size = env->content_size,
				     .recipients = env->n,
				     .open = env->n,
				     .held = env->held,
				     .checked = true };
	struct entry *e = entries_add(&q->entries, &facts, env);

	log_line(&q->run->log, LOG_NOTICE, WORDS_QUEUED, STR_ARG(queue_id_str(&env->id)), LOG_ARG(env->sender),
		 (unsigned long long)env->content_size, env->n);
	return e;
}

static void begin(struct qmgr *q, struct work *w, struct entry *e)
{
	if (!e->held) {
		work_start(w, e);
		return;
	}
	queue_mark(&q->queue, &e->id, false, true);
	log_line(&q->run->log, LOG_NOTICE, WORDS_HELD, STR_ARG(queue_id_str(&e->id)));
	work_discard(w);
}

static void start_all(struct intake *in)
{
	struct reply ok = reply_make(250, 2, 0, 0, "Ok: queued as %s", in->id.text);
	struct intake_part *parts = in->parts;
	uint32_t n = in->n_parts;
	struct qmgr *q = in->qmgr;

	in->parts = NULL;
	in->n_parts = 0;
	in->work = NULL;
	for (uint32_t i = 0; i < n; i++)
		parts[i].entry = enter(q, &parts[i].work->env);
	for (uint32_t i = 1; i < n; i++)
		log_line(&q->run->log, LOG_NOTICE, "%s: with another sender as %s", parts[0].work->env.id.text,
			 parts[i].work->env.id.text);
	finish(in, &ok);
	for (uint32_t i = 0; i < n; i++)
		begin(q, parts[i].work, parts[i].entry);
	free(parts);
}

static void flushed(struct flush *f, int error)
{
	struct intake_part *part = (struct intake_part *)((char *)f - offsetof(struct intake_part, flush));
	struct intake *in = part->in;

	part->error = error;
	if (--in->unflushed > 0)
		return;
	for (uint32_t i = 0; i < in->n_parts && !error; i++)
		error = in->parts[i].error;
	if (!error) {
		start_all(in);
		return;
	}
	for (uint32_t i = 0; i < in->n_parts; i++)
		if (!in->parts[i].error)
			queue_remove(&in->qmgr->queue, &in->parts[i].work->env.id);
	tell_errno(in, "the message cannot be made durable", error);
	struct reply failed = decide_errno(error);
	finish(in, &failed);
}

/* All but the first, which takes the spool file away. */
static int stage_copies(struct intake *in)
{
	struct queue *queue = &in->qmgr->queue;
	struct str content = buf_str(&in->content);
	uint32_t i = 1;
	int rc = 0;

	if (in->n_parts == 1)
		return 0;
	if (in->spooled) {
		scoped_fd int fd = queue_tmp_open(queue, &in->work->env.id);
		content.n = (size_t)in->size;
		content.p = fd < 0 ? MAP_FAILED : mmap(NULL, content.n, PROT_READ, MAP_SHARED, fd, 0);
		if (content.p == MAP_FAILED)
			return -1;
	}
	for (; i < in->n_parts && rc == 0; i++)
		rc = queue_stage(queue, &in->parts[i].work->env, &content, 1, &in->parts[i].flush.write);
	int error = errno;
	/* the last one failed and left nothing */
	for (uint32_t k = 1; rc && k + 1 < i; k++)
		queue_unstage(queue, &in->parts[k].flush.write);
	if (in->spooled)
		munmap((void *)(uintptr_t)content.p, content.n);
	errno = error;
	return rc;
}

static int stage_first(struct intake *in)
{
	struct queue *queue = &in->qmgr->queue;
	struct str content = buf_str(&in->content);
	struct queue_write *w = &in->parts[0].flush.write;

	if (!in->spooled)
		return queue_stage(queue, &in->work->env, &content, 1, w);
	in->spooled = false; /* whatever comes of it, tmp/ID is gone */
	return queue_stage_tmp(queue, &in->work->env, w);
}

static int stage_all(struct intake *in)
{
	if (stage_copies(in) < 0)
		return -1;
	if (stage_first(in) == 0)
		return 0;
	int error = errno;
	for (uint32_t i = 1; i < in->n_parts; i++)
		queue_unstage(&in->qmgr->queue, &in->parts[i].flush.write);
	errno = error;
	return -1;
}

static void stage(struct intake *in)
{
	if (stage_all(in) < 0) {
		int error = errno;
		tell_errno(in, "the message cannot be written", error);
		refuse(in, decide_errno(error));
		return;
	}
	buf_free(&in->content);
	in->id = in->work->env.id;
	in->unflushed = in->n_parts;
	for (uint32_t i = 0; i < in->n_parts; i++) {
		in->parts[i].flush.done = flushed;
		flusher_add(&in->qmgr->flusher, &in->parts[i].flush);
	}
}

static void routed(struct routing *r, const struct reply *why)
{
	struct intake *in = (struct intake *)((char *)r - offsetof(struct intake, routing));
	struct env_recipient *all;
	struct str *senders;

	/* Each was accepted a moment ago; one that has gone since then must not cost the others their copy. */
	if (why->code == 550 && in->given.n > 1) {
		refuse(in, REPLY(451, 4, 3, 5, "Recipients have changed meanwhile: try again"));
		return;
	}
	if (why->code != 250) {
		refuse(in, *why);
		return;
	}
	uint32_t n = routing_take(r, &all, &senders);
	split(in, all, senders, n);
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
