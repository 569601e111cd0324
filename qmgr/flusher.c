#include "flusher.h"

#include <errno.h>
#include <stdlib.h>

enum { BATCH_MOST = 512 };

static struct flusher *of_task(struct task *t)
{
	return (struct flusher *)((char *)t - offsetof(struct flusher, task));
}

static void run(struct task *t)
{
	struct flusher *f = of_task(t);

	f->error = queue_flush(f->queue, f->writes, f->n) == 0 ? 0 : errno;
}

static void start_batch(void *arg)
{
	struct flusher *f = arg;
	struct flush **end = &f->staged;

	if (f->busy || !f->staged)
		return;
	for (f->n = 0; *end && f->n < BATCH_MOST; end = &(*end)->next)
		f->writes[f->n++] = (*end)->write;
	f->batch = f->staged;
	f->staged = *end;
	*end = NULL;
	if (!f->staged)
		f->staged_end = &f->staged;
	f->busy = true;
	worker_give(&f->worker, &f->task);
}

static void done(struct task *t)
{
	struct flusher *f = of_task(t);
	struct flush *item = f->batch, *next;
	int error = f->error;

	for (size_t i = 0; error && i < f->n; i++)
		queue_unstage(f->queue, &f->writes[i]);
	/* the next batch is on its way while we answer for this one */
	f->batch = NULL;
	f->busy = false;
	start_batch(f);
	for (; item; item = next) {
		next = item->next;
		item->done(item, error);
	}
}

bool flusher_start(struct flusher *f, const struct queue *queue, struct loop *loop, struct err *err)
{
	f->queue = queue;
	f->loop = loop;
	f->staged_end = &f->staged;
	f->writes = calloc(BATCH_MOST, sizeof(*f->writes));
	ASSERT(f->writes);
	f->task = (struct task){ .run = run, .done = done };
	return worker_start(&f->worker, loop, err);
}

void flusher_add(struct flusher *f, struct flush *item)
{
	item->next = NULL;
	*f->staged_end = item;
	f->staged_end = &item->next;
	/* at the end of this round of the loop, so that all that came in it goes together */
	if (!f->busy && !timer_is_set(&f->soon))
		timer_set(&f->soon, f->loop, 0, start_batch, f);
}
