/*
 * flusher - group commit: what was staged while a flush is under way forms the next one.
 */
#ifndef QMGR_FLUSHER_H
#define QMGR_FLUSHER_H

#include "queue/queue.h"
#include "worker.h"

/* Something staged, embedded in whoever waits for it. */
struct flush {
	struct flush *next;
	struct queue_write write;
	void (*done)(struct flush *f, int error); /* 0: durable; else errno, and the write was given up */
};

struct flusher {
	struct worker worker;
	struct task task;
	const struct queue *queue;
	struct loop *loop;
	struct timer soon;
	struct flush *staged, **staged_end, *batch;
	struct queue_write *writes;
	size_t n;
	int error;
	bool busy;
};

bool flusher_start(struct flusher *f, const struct queue *queue, struct loop *loop, struct err *err);
/* Makes `item`, whose write is staged, durable. `done` is never called from here. */
void flusher_add(struct flusher *f, struct flush *item);
static inline bool flusher_idle(const struct flusher *f)
{
	return !f->busy && !f->staged;
}

#endif
