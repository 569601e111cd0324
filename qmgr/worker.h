/* worker - a helper thread of its own: it runs tasks one after the other, and the loop hears of each. */
#ifndef QMGR_WORKER_H
#define QMGR_WORKER_H

#include <pthread.h>

#include "base/err.h"
#include "io/loop.h"

/* Embedded in what it works on; idle again when `done` is called. */
struct task {
	struct task *next;
	void (*run)(struct task *t);  /* in the thread */
	void (*done)(struct task *t); /* in the loop, afterwards */
};

struct task_list {
	struct task *first, **end;
};

struct worker {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct task_list todo, finished;
	int wake; /* an eventfd: something is finished */
	struct watch watch;
};

/* Before the fence: the descriptor. */
bool worker_prepare(struct worker *w, struct err *err);
/* Behind the fence, which holds for threads that start later: the thread. */
bool worker_start(struct worker *w, struct loop *loop, struct err *err);
void worker_give(struct worker *w, struct task *t);

#endif
