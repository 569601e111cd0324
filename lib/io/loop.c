#include "io/loop.h"

#include <stdlib.h>
#include <sys/time.h>

#include "base/err.h"
#include "base/time.h"

struct loop {
	struct event_base *base;
	struct heap timers;
	bool stopped;
};

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	struct event_config *config = event_config_new();

	if (!loop || !config)
		panic("out of memory: event loop");
	/* No locks: one thread. No timer descriptor or change list of libevent: our own timers are enough. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (!loop->base)
		panic("no event loop: out of descriptors?");
	return loop;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	heap_free(&loop->timers);
	event_base_free(loop->base);
	free(loop);
}

static struct timer *timer_of(struct heap_node *node)
{
	return (struct timer *)((char *)node - offsetof(struct timer, node));
}

static void run_due_timers(struct loop *loop)
{
	int64_t now = clock_mono_ms();
	struct heap_node *first;

	while ((first = heap_first(&loop->timers)) && first->rank <= now && !loop->stopped) {
		struct timer *t = timer_of(first);
		heap_remove(&loop->timers, first);
		t->run(t->arg);
	}
}

static void woken(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

void loop_once(struct loop *loop, int64_t most_ms)
{
	struct heap_node *first = heap_first(&loop->timers);
	int64_t wait = most_ms;

	if (first) {
		int64_t until = first->rank - clock_mono_ms();
		if (until < wait)
			wait = until < 0 ? 0 : until;
	}
	struct timeval tv = { wait / 1000, (suseconds_t)(wait % 1000 * 1000) };
	event_base_once(loop->base, -1, EV_TIMEOUT, woken, NULL, &tv);
	event_base_loop(loop->base, EVLOOP_ONCE);
	run_due_timers(loop);
}

/* The wake-up for the next timer is one event of our own, so that a round costs no allocation. */
void loop_run(struct loop *loop)
{
	struct event alarm;

	event_assign(&alarm, loop->base, -1, 0, woken, NULL);
	run_due_timers(loop);
	while (!loop->stopped) {
		struct heap_node *first = heap_first(&loop->timers);
		if (first) {
			int64_t wait = first->rank - clock_mono_ms();
			if (wait < 0)
				wait = 0;
			struct timeval tv = { wait / 1000, (suseconds_t)(wait % 1000 * 1000) };
			event_add(&alarm, &tv);
		}
		if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			panic("event loop failed: %m");
		run_due_timers(loop);
	}
	loop->stopped = false;
	event_del(&alarm);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	event_base_loopbreak(loop->base);
}

static void watch_ready(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	w->run(w->arg, what & (WATCH_READ | WATCH_WRITE));
}

void watch_set(struct watch *w, struct loop *loop, int fd, int what, void (*run)(void *arg, int what), void *arg)
{
	w->run = run;
	w->arg = arg;
	if (w->what == what && (what == 0 || w->fd == fd))
		return;
	watch_stop(w);
	if (what == 0)
		return;
	w->what = what;
	w->fd = fd;
	event_assign(&w->event, loop->base, fd, (short)(what | EV_PERSIST), watch_ready, w);
	if (event_add(&w->event, NULL) < 0)
		panic("cannot watch descriptor %d: %m", fd);
}

void watch_stop(struct watch *w)
{
	if (w->what)
		event_del(&w->event);
	w->what = 0;
}

void timer_set(struct timer *t, struct loop *loop, int64_t ms, void (*run)(void *arg), void *arg)
{
	t->loop = loop;
	t->run = run;
	t->arg = arg;
	heap_put(&loop->timers, &t->node, clock_mono_ms() + ms);
}

void timer_stop(struct timer *t)
{
	if (t->loop)
		heap_remove(&t->loop->timers, &t->node);
}

static void signal_ready(evutil_socket_t fd, short what, void *arg)
{
	struct signal_watch *s = arg;

	(void)fd, (void)what;
	s->run(s->arg);
}

void signal_watch(struct signal_watch *s, struct loop *loop, int signo, void (*run)(void *arg), void *arg)
{
	s->run = run;
	s->arg = arg;
	event_assign(&s->event, loop->base, signo, EV_SIGNAL | EV_PERSIST, signal_ready, s);
	if (event_add(&s->event, NULL) < 0)
		panic("cannot watch signal %d: %m", signo);
}
