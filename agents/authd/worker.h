/*
 * worker - threads that hash passwords, so that the loop goes on meanwhile. A worker touches nothing but its task.
 */
#ifndef AUTHD_WORKER_H
#define AUTHD_WORKER_H

#include "io/loop.h"

enum { WORKER_TASKS_MAX = 1000, WORKER_HASH_MAX = 384, WORKER_PASSWORD_MAX = 1024 };

struct task {
	struct task *next;
	char password[WORKER_PASSWORD_MAX + 1]; /* wiped when done */
	char hash[WORKER_HASH_MAX];
	bool matches;
	void (*done)(struct task *task); /* in the loop */
};

struct workers;

/* Starts `n` threads (after the fence, so that it holds for them). */
struct workers *workers_start(struct loop *loop, int n);
/* False: too many tasks wait already. */
bool workers_put(struct workers *w, struct task *task);

/* A hash that nobody's password matches, which costs as much to check as `example` (or as the default, when empty). */
void worker_dummy_hash(struct str example, char out[WORKER_HASH_MAX]);

#endif
