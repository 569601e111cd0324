/*
 * loop - one event loop a process: descriptors (over libevent), timers and signals.
 *
 * Timers are kept here and follow clock_mono_ms, so a test that shifts the clock moves them too.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/heap.h"
#include "base/str.h"

struct loop;

/* Panics when the kernel gives no epoll descriptor. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);
/* Until loop_stop, which may have come before. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* For libraries that run on libevent themselves. */
struct event_base *loop_base(struct loop *loop);
/* Waits for at most `most_ms` for one round of events, and runs it; for tests and sequential code. */
void loop_once(struct loop *loop, int64_t most_ms);

enum { WATCH_READ = EV_READ, WATCH_WRITE = EV_WRITE };

/* A watched descriptor. {0} watches nothing. The descriptor stays the caller's. */
struct watch {
	struct event event;
	int what; /* WATCH_READ | WATCH_WRITE, 0: off */
	int fd;
	void (*run)(void *arg, int what);
	void *arg;
};

/* Watches `fd` from now on for `what` (level-triggered). Calling it again changes `what`; 0 stops watching. */
void watch_set(struct watch *w, struct loop *loop, int fd, int what, void (*run)(void *arg, int what), void *arg);
void watch_stop(struct watch *w);

struct timer {
	struct heap_node node;
	struct loop *loop;
	void (*run)(void *arg);
	void *arg;
};

/* Runs once, `ms` from now; again sets it anew. */
void timer_set(struct timer *t, struct loop *loop, int64_t ms, void (*run)(void *arg), void *arg);
void timer_stop(struct timer *t);
static inline bool timer_is_set(const struct timer *t) { return t->node.place != 0; }

/* Calls `run` in the loop (not in the handler) for each `signo`. */
struct signal_watch {
	struct event event;
	void (*run)(void *arg);
	void *arg;
};
void signal_watch(struct signal_watch *s, struct loop *loop, int signo, void (*run)(void *arg), void *arg);

#endif
