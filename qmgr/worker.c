#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void list_clear(struct task_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void list_add(struct task_list *l, struct task *t)
{
	t->next = NULL;
	*l->end = t;
	l->end = &t->next;
}

static struct task *list_take(struct task_list *l)
{
	struct task *t = l->first;

	l->first = t->next;
	if (!l->first)
		l->end = &l->first;
	return t;
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->todo.first)
			pthread_cond_wait(&w->more, &w->lock);
		struct task *t = list_take(&w->todo);
		pthread_mutex_unlock(&w->lock);
		t->run(t);
		pthread_mutex_lock(&w->lock);
		list_add(&w->finished, t);
		/* it counts; that it cannot be full or broken follows from what it is */
		(void)!write(w->wake, &(uint64_t){ 1 }, sizeof(uint64_t));
	}
	return NULL;
}

static void woken(void *arg, int what)
{
	struct worker *w = arg;
	uint64_t count;

	(void)what;
	(void)!read(w->wake, &count, sizeof(count));
	pthread_mutex_lock(&w->lock);
	struct task *t = w->finished.first;
	list_clear(&w->finished);
	pthread_mutex_unlock(&w->lock);
	while (t) {
		struct task *next = t->next;
		t->done(t);
		t = next;
	}
}

bool worker_prepare(struct worker *w, struct err *err)
{
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->wake >= 0 || err_errno(err, "eventfd");
}

bool worker_start(struct worker *w, struct loop *loop, struct err *err)
{
	sigset_t all, before;
	pthread_t thread;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	list_clear(&w->todo);
	list_clear(&w->finished);
	watch_set(&w->watch, loop, w->wake, WATCH_READ, woken, w);
	/* signals are the loop's business */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(&thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = rc;
	return rc == 0 || err_errno(err, "cannot start a thread");
}

void worker_give(struct worker *w, struct task *t)
{
	pthread_mutex_lock(&w->lock);
	list_add(&w->todo, t);
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
}
