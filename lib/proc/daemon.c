#include "proc/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "proc/inner.h"

static struct run *the_run; /* the one static root: for panic and signals */

static void tell_panic(const char *text)
{
	log_line(&the_run->log, LOG_ERROR, "panic: %s", text);
}

void run_fatal(struct run *run, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_line(&run->log, LOG_ERROR, "fatal: %s", text);
	_exit(1);
}

static struct run_server *find_server(struct run *run, const char *daemon)
{
	for (struct run_server *s = run->inner->servers; s; s = s->next)
		if (strcmp(s->name, daemon) == 0)
			return s;
	panic("%s does not ask %s", run->daemon->name, daemon);
}

struct channel *run_server(struct run *run, const char *daemon)
{
	return &find_server(run, daemon)->ch;
}

bool run_ask(struct run *run, const char *daemon, const struct ipc_schema *question, const void *message,
	     const struct ipc_schema *answer, int64_t ms, struct buf *frame, void *reply)
{
	struct run_server *s = find_server(run, daemon);

	/* It is not watched by the loop: its descriptor is this call's alone. */
	watch_stop(&s->ch.watch);
	if (s->ch.fd < 0)
		return false;
	int flags = fcntl(s->ch.fd, F_GETFL);
	if (flags & O_NONBLOCK)
		fcntl(s->ch.fd, F_SETFL, flags & ~O_NONBLOCK);
	return frame_call(s->ch.fd, question, message, answer, ms, frame, reply);
}

int run_folder(struct run *run, struct str path)
{
	for (const struct run_folder *f = run->inner->folders; f; f = f->next)
		if (str_eq(f->path, path))
			return f->fd;
	return -1;
}

int run_file(struct run *run, struct str path, struct arena *arena, const char **name)
{
	ptrdiff_t slash = str_rfind(path, '/');

	if (slash < 0)
		return -1;
	*name = arena_str(arena, str_skip(path, (size_t)slash + 1)).p;
	return run_folder(run, slash == 0 ? STR("/") : str_head(path, (size_t)slash));
}

void run_forget_folders(struct run *run)
{
	for (struct run_folder *f = run->inner->folders; f; f = f->next)
		fd_close(&f->fd);
}

static void accept_ready(void *arg, int what)
{
	struct run_listener *l = arg;
	struct run *run = l->run;

	(void)what;
	/* A few at a time, so that those who are connected already are served meanwhile. */
	for (int i = 0; i < 16; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			/* The kernel keeps them in its backlog; we come back when a connection ends, or soon. */
			listeners_watch(run, false);
			timer_set(&run->inner->accept_again, run->loop, 100, listeners_resume, run);
			return;
		}
		if (fd < 0)
			return;
		run->daemon->accept(run, fd, l->service);
	}
}

void listeners_watch(struct run *run, bool on)
{
	for (struct run_listener *l = run->inner->listeners; l; l = l->next)
		watch_set(&l->watch, run->loop, l->fd, on && !run->draining ? WATCH_READ : 0, accept_ready, l);
}

void listeners_resume(void *arg)
{
	listeners_watch(arg, true);
}

void run_resume_accept(struct run *run)
{
	if (!timer_is_set(&run->inner->accept_again))
		return;
	timer_stop(&run->inner->accept_again);
	listeners_watch(run, true);
}

void run_drained(struct run *run)
{
	loop_stop(run->loop);
}

static void reap(void *arg)
{
	struct run *run = arg;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (run->daemon->child_ended)
			run->daemon->child_ended(run, pid, status);
}

static bool keeps(const int keep[], size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return fd == STDERR_FILENO;
}

static void close_others(const int keep[], size_t n)
{
	int next = 0, most = STDERR_FILENO;

	for (size_t i = 0; i < n; i++)
		if (keep[i] > most)
			most = keep[i];
	for (; next <= most; next++)
		if (!keeps(keep, n, next))
			close(next);
	close_range((unsigned)next, ~0u, 0);
}

pid_t run_fork(struct run *run, int (*body)(void *arg), void *arg, const int keep[], size_t n)
{
	sigset_t all, before;

	(void)run;
	/* A signal between fork and the child's own handling would run the parent's handlers in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0) {
		for (int s = 1; s < NSIG; s++)
			signal(s, s == SIGPIPE ? SIG_IGN : SIG_DFL);
		sigemptyset(&before);
		sigprocmask(SIG_SETMASK, &before, NULL);
		close_others(keep, n);
		the_run->log.fd = -1;
		_exit(body(arg));
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

static void end_now(void *arg)
{
	loop_stop(((struct run *)arg)->loop);
}

static void watch_signals(struct run *run)
{
	struct run_inner *in = run->inner;

	/* SIGTERM to a daemon alone ends it; master restarts it. SIGINT of a terminal is master's business. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal_watch(&in->on_term, run->loop, SIGTERM, end_now, run);
	signal_watch(&in->on_child, run->loop, SIGCHLD, reap, run);
}

int daemon_run(const struct daemon *daemon, int argc, char **argv)
{
	static struct run_inner inner;
	static struct run run;
	struct err err = { 0 };

	run = (struct run){ .daemon = daemon, .log = { .fd = -1 }, .child_filter = -1, .service = daemon->name, .inner = &inner };
	the_run = &run;
	panic_hook = tell_panic;
	if (argc > 1)
		run.service = argv[1];
	if (fcntl(DAEMON_CONTROL_FD, F_GETFD) < 0) {
		fprintf(stderr, "%s is started by tayori's master, not by hand: see tayori(8)\n", daemon->name);
		return 64;
	}
	run.loop = loop_new();
	watch_signals(&run);
	if (!control_begin(&run, &err))
		run_fatal(&run, "%s", err.text);
	if (daemon->prepare && !daemon->prepare(&run, &err))
		run_fatal(&run, "%s", err.text);
	tzset(); /* the time zone's file is behind the fence */
	malloc_trim(0); /* what starting needed and running does not */
	if (!control_enter_fence(&run, &err))
		run_fatal(&run, "%s", err.text);
	if (daemon->begin && !daemon->begin(&run, &err))
		run_fatal(&run, "%s", err.text);
	control_serve(&run);
	listeners_watch(&run, true);
	loop_run(run.loop);
	return 0;
}
