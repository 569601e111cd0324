#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "ipc/messages.h"
#include "proc/daemon.h"
#include "tell.h"

enum {
	QUICK_MS = 10000, /* who lives shorter has died soon after its start */
	PATIENCE = 3,	  /* so many quick deaths in a row are answered at once */
	DRAIN_MS = 10000,
};

static void on_ready(struct channel *ch, uint32_t serial, void *message)
{
	struct service *s = ch->arg;
	const struct ready *m = message;

	(void)serial;
	if (m->digest != ipc_digest()) {
		log_line(&s->master->log, LOG_ERROR, "error: %s is of another version than master: install all programs together",
			 s->name);
		kill(s->pid, SIGKILL);
		return;
	}
	snprintf(s->walls, sizeof(s->walls), "%.*s", STR_ARG(str_trim(m->walls)));
	s->ready = true;
	log_line(&s->master->log, LOG_DETAIL, "%s[%d] is ready, behind %s", s->name, (int)s->pid,
		 s->walls[0] ? s->walls : "no walls");
}

static const struct ipc_handler handlers[] = { { &ready_schema, on_ready } };

static void close_all(struct listeners *list)
{
	while (list) {
		struct listeners *next = list->next;
		listeners_close(list);
		list = next;
	}
}

static struct listeners *find_listeners(struct listeners *list, struct str name)
{
	while (list && !str_eq(str_from(list->name), name))
		list = list->next;
	return list;
}

bool service_is(const struct service *s, const struct config_service *facts)
{
	return s->facts->daemon == facts->daemon && s->facts->authority == facts->authority &&
	       str_eq(s->facts->user, facts->user);
}

/* The services of one process: the first, then its members. */
static const struct config_service *next_member(const struct config_service *head, const struct config_service *at)
{
	return at == head ? head->members : at->next;
}

bool service_listen(struct service *s, const struct config_service *facts, struct listeners **fresh, struct err *err)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 }; /* as the choices of inet_protocols */
	struct master *m = s->master;
	int family = families[m->conf.inet_protocols];

	*fresh = NULL;
	for (const struct config_service *f = facts; f; f = next_member(facts, f)) {
		if (f->type.n == 0 || find_listeners(s->listeners, f->name))
			continue;
		struct listeners *l = listeners_open(f, m->conf.inet_interfaces, family, m->public_folder, err);
		if (!l) {
			close_all(*fresh);
			*fresh = NULL;
			return false;
		}
		l->next = *fresh;
		*fresh = l;
	}
	return true;
}

struct service *service_new(struct master *m, const struct config_service *facts, struct err *err)
{
	struct service *s = calloc(1, sizeof(*s));

	ASSERT(s);
	s->master = m;
	s->facts = facts;
	s->name = strndup(facts->name.p, facts->name.n);
	channel_start(&s->control, m->loop, -1, NULL, handlers, COUNT(handlers), NULL, s);
	if (service_listen(s, facts, &s->listeners, err))
		return s;
	service_free(s);
	return NULL;
}

void service_free(struct service *s)
{
	timer_stop(&s->restart);
	channel_stop(&s->control);
	close_all(s->listeners);
	free(s->name);
	free(s);
}

void service_take(struct service *s, const struct config_service *facts, struct listeners *fresh)
{
	struct listeners **at = &s->listeners;

	s->facts = facts;
	s->deaths = 0;
	for (struct listeners *l = s->listeners; l; l = l->next)
		l->wanted = false;
	for (const struct config_service *f = facts; f; f = next_member(facts, f)) {
		struct listeners *l = find_listeners(s->listeners, f->name);
		if (l)
			l->wanted = true;
	}
	while (*at) {
		struct listeners *l = *at;
		if (l->wanted) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		if (s->pid)
			tell_closed(s, l);
		listeners_close(l);
	}
	*at = fresh;
	if (!s->pid)
		return;
	tell_settings(s);
	tell_listeners(s, fresh);
	channel_notify(&s->control, &reload_schema, &(struct reload){ .force = false });
}

/* In the child: nothing of master but its program's name, the control channel, and where errors are printed. */
static void become(struct service *s, int control)
{
	const char *program = s->facts->daemon->name;
	char *const argv[] = { (char *)(uintptr_t)program, s->name, NULL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int null = open("/dev/null", O_RDWR);
	dup2(null, STDIN_FILENO);
	if (strcmp(program, "logd") != 0)
		dup2(null, STDOUT_FILENO);
	int daemon = openat(s->master->daemons, program, O_PATH);
	if (dup2(control, DAEMON_CONTROL_FD) < 0 || daemon < 0)
		_exit(127);
	int high = fcntl(daemon, F_DUPFD_CLOEXEC, DAEMON_CONTROL_FD + 1);
	for (int fd = DAEMON_CONTROL_FD + 1; fd < 65536; fd++)
		if (fd != high && close(fd) < 0 && fd > 1024)
			break;
	fexecve(high, argv, environ);
	fprintf(stderr, "master: %s cannot be started: %s\n", program, strerror(errno));
	_exit(127);
}

static void start_again(void *arg)
{
	service_start(arg);
}

static void retry_later(struct service *s)
{
	int64_t most = s->master->conf.service_throttle_time, ms = 0;

	if (s->deaths > PATIENCE) {
		unsigned doublings = s->deaths - PATIENCE - 1;
		ms = doublings > 16 ? most : 100 << doublings;
		ms = ms > most ? most : ms;
		log_line(&s->master->log, LOG_WARNING, "warning: %s keeps dying; next start in %lld ms", s->name, (long long)ms);
	}
	timer_set(&s->restart, s->master->loop, ms, start_again, s);
}

void service_start(struct service *s)
{
	struct err err = { 0 };
	int fds[2];

	if (s->pid || s->leaving)
		return;
	s->ready = false;
	s->started_ms = clock_mono_ms();
	if (channel_pair(fds) < 0 || (s->pid = fork()) < 0) {
		log_line(&s->master->log, LOG_ERROR, "error: %s cannot be started: %m", s->name);
		s->pid = 0;
		s->deaths++;
		retry_later(s);
		return;
	}
	if (s->pid == 0)
		become(s, fds[1]);
	close(fds[1]);
	channel_attach(&s->control, fds[0]);
	tell_settings(s);
	if (!tell_walls(s, &err)) {
		log_line(&s->master->log, LOG_ERROR, "error: %s", err.text);
		kill(s->pid, SIGKILL);
		return;
	}
	tell_listeners(s, s->listeners);
	wire_service(s);
	channel_notify(&s->control, &start_schema, &(struct start){ .test = s->master->test });
}

static void tell_death(struct service *s, int status)
{
	struct log *log = &s->master->log;

	if (s->leaving)
		return;
	if (WIFSIGNALED(status))
		log_line(log, LOG_ERROR, "error: %s[%d] was killed by signal %d%s", s->name, (int)s->pid, WTERMSIG(status),
			 WTERMSIG(status) == SIGSYS ? ": it asked the kernel for what it may not" : "");
	else if (WEXITSTATUS(status))
		log_line(log, LOG_ERROR, "error: %s[%d] ended with status %d", s->name, (int)s->pid, WEXITSTATUS(status));
}

void service_ended(struct service *s, int status)
{
	bool quick = clock_mono_ms() - s->started_ms < QUICK_MS;

	/* of logd's own death standard error is told */
	if (strcmp(s->facts->daemon->name, "logd") == 0)
		fd_close(&s->master->log.fd);
	tell_death(s, status);
	s->pid = 0;
	s->ready = false;
	channel_break(&s->control, "ended");
	if (s->leaving || s->master->stopping)
		return;
	s->restarts++;
	s->deaths = quick ? s->deaths + 1 : 0;
	retry_later(s);
}

void service_drain(struct service *s, bool forever)
{
	s->leaving = s->leaving || forever;
	if (s->pid)
		channel_notify(&s->control, &drain_schema, &(struct drain){ .most_ms = DRAIN_MS });
}
