#include "control.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ask.h"
#include "base/time.h"
#include "certs.h"
#include "io/fd.h"
#include "io/notify.h"
#include "ipc/messages.h"

enum { STOP_MS = 15000, SERVICES_MAX = 256 };

static void add_json_text(struct buf *out, const char *text)
{
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			buf_addf(out, "\\%c", *text);
		else if ((unsigned char)*text >= ' ')
			buf_addc(out, *text);
}

/* A line of JSON for each service; tayori(1) makes a table of them. */
static void status(struct master *m, struct buf *out)
{
	for (const struct service *s = m->services; s; s = s->next) {
		buf_add(out, STR("{\"service\":\""));
		add_json_text(out, s->name);
		for (const struct config_service *f = s->facts->members; f; f = f->next) {
			buf_addc(out, ',');
			add_json_text(out, arena_str(&m->config->arena, f->name).p);
		}
		buf_addf(out, "\",\"daemon\":\"%s\",\"pid\":%d,\"state\":\"%s\",\"seconds\":%lld,\"restarts\":%u,\"walls\":\"%s\"}\n",
			 s->facts->daemon->name, (int)s->pid, !s->pid ? "down" : s->ready ? "ready" : "starting",
			 s->pid ? (long long)(clock_mono_ms() - s->started_ms) / 1000 : 0LL, s->restarts, s->walls);
	}
}

struct told {
	struct master *m;
	struct buf *out;
};

static void collect(void *arg, bool fatal, const char *file, size_t line, const char *text)
{
	struct told *t = arg;

	buf_addf(t->out, "%s:%zu: %s: %s\n", file, line, fatal ? "error" : "warning", text);
	log_line(&t->m->log, fatal ? LOG_ERROR : LOG_WARNING, "%s: %s:%zu: %s", fatal ? "error" : "warning", file, line, text);
}

/* What the new configuration makes of a service: to be taken over when all is known to be good. */
struct change {
	struct service *service;
	const struct config_service *now; /* NULL: it leaves */
	struct listeners *fresh;
};

static const struct config_service *find_facts(const struct config *c, const struct service *s)
{
	const struct config_service *f = c->services;

	while (f && !service_is(s, f))
		f = f->next;
	return f;
}

static bool is_served(const struct master *m, const struct config_service *f)
{
	for (const struct service *s = m->services; s; s = s->next)
		if (!s->leaving && service_is(s, f))
			return true;
	return false;
}

/* Opens what is new first: when that fails, nothing has changed. */
static bool open_new(struct master *m, struct config *config, struct change *changes, size_t *n, struct service **fresh,
		     struct err *err)
{
	struct service **end = fresh;

	for (struct service *s = m->services; s; s = s->next) {
		struct change *c = &changes[*n];
		if (s->leaving)
			continue;
		if (*n == SERVICES_MAX)
			return err_set(err, "more than %d services", SERVICES_MAX);
		*c = (struct change){ .service = s, .now = find_facts(config, s) };
		if (c->now && !service_listen(s, c->now, &c->fresh, err))
			return false;
		++*n;
	}
	for (const struct config_service *f = config->services; f; f = f->next) {
		if (is_served(m, f))
			continue;
		*end = service_new(m, f, err);
		if (!*end)
			return false;
		end = &(*end)->next;
	}
	return true;
}

static void give_up(struct change *changes, size_t n, struct service *fresh)
{
	for (size_t i = 0; i < n; i++)
		while (changes[i].fresh) {
			struct listeners *next = changes[i].fresh->next;
			listeners_close(changes[i].fresh);
			changes[i].fresh = next;
		}
	while (fresh) {
		struct service *next = fresh->next;
		service_free(fresh);
		fresh = next;
	}
}

/* keyd has read its keys as root and cannot again: it starts anew. */
static void switch_to(struct change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct service *s = changes[i].service;
		if (!changes[i].now) {
			service_drain(s, true);
			continue;
		}
		service_take(s, changes[i].now, changes[i].fresh);
		if (s->pid && strcmp(s->facts->daemon->name, "keyd") == 0)
			kill(s->pid, SIGTERM);
	}
}

bool control_reload(struct master *m, struct buf *out)
{
	struct told told = { m, out };
	struct conf_report report = { collect, &told };
	struct config *config = calloc(1, sizeof(*config));
	struct change changes[SERVICES_MAX];
	struct service *fresh = NULL, **end = &m->services;
	struct err err = { 0 };
	size_t n = 0;

	ASSERT(config);
	bool ok = config_read(m->folder, &report, config);
	if (ok && !open_new(m, config, changes, &n, &fresh, &err)) {
		buf_addf(out, "error: %s\n", err.text);
		log_line(&m->log, LOG_ERROR, "error: %s", err.text);
		ok = false;
	}
	if (!ok) {
		log_line(&m->log, LOG_ERROR, "error: the new configuration is bad; the old one stays in force");
		give_up(changes, n, fresh);
		config_free(config);
		free(config);
		return false;
	}
	/* The old configuration's memory stays: services that are leaving point into it until they are gone. */
	switch_to(changes, n);
	master_take(m, config, &err); /* checked above with all others */
	while (*end)
		end = &(*end)->next;
	*end = fresh;
	for (; fresh; fresh = fresh->next)
		service_start(fresh);
	certs_watch(m);
	log_line(&m->log, LOG_NOTICE, "configuration %s reloaded", m->folder);
	return true;
}

static void stop_hard(void *arg)
{
	struct master *m = arg;

	for (struct service *s = m->services; s; s = s->next)
		if (s->pid)
			kill(s->pid, SIGKILL);
}

/* Who is asked by a running daemon must live on until that one has finished. */
static bool is_asked(const struct master *m, const struct service *server)
{
	for (const struct service *s = m->services; s; s = s->next)
		for (size_t i = 0; s->pid && s != server && s->facts->daemon->servers[i]; i++)
			if (strcmp(s->facts->daemon->servers[i], server->facts->daemon->name) == 0)
				return true;
	return false;
}

static void go_on_stopping(struct master *m)
{
	bool others = false, any = false;

	for (struct service *s = m->services; s; s = s->next) {
		bool logd = strcmp(s->facts->daemon->name, "logd") == 0;
		any = any || s->pid;
		others = others || (s->pid && !logd);
		if (s->pid && !s->leaving && !logd && !is_asked(m, s))
			service_drain(s, true);
	}
	for (struct service *s = m->services; s && !others; s = s->next)
		if (s->pid && !s->leaving)
			service_drain(s, true); /* logd, the last */
	if (!any)
		loop_stop(m->loop);
}

void control_stop(struct master *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	log_line(&m->log, LOG_NOTICE, "stopping");
	notify_manager(STR("STOPPING=1"));
	timer_set(&m->stop_limit, m->loop, STOP_MS, stop_hard, m);
	for (struct service *s = m->services; s; s = s->next) {
		timer_stop(&s->restart);
		while (s->listeners) {
			struct listeners *next = s->listeners->next;
			listeners_close(s->listeners);
			s->listeners = next;
		}
	}
	go_on_stopping(m);
}

void control_sweep(struct master *m)
{
	for (struct service **at = &m->services; *at && !m->stopping;) {
		struct service *s = *at;
		if (!s->leaving || s->pid) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		service_free(s);
	}
	if (m->stopping)
		go_on_stopping(m);
}

static void on_control(struct channel *ch, uint32_t serial, void *message)
{
	struct master *m = ch->arg;
	const struct control *c = message;
	scoped_buf struct buf out = { .limit = IPC_FRAME_MAX - 64 };
	bool ok = true;

	if (str_eq(c->verb, STR("who")) || str_eq(c->verb, STR("kick"))) {
		ask_sessions(m, serial, c);
		return;
	}
	if (str_eq(c->verb, STR("status")))
		status(m, &out);
	else if (str_eq(c->verb, STR("reload")))
		ok = control_reload(m, &out);
	else if (str_eq(c->verb, STR("stop")))
		buf_add(&out, STR("stopping\n"));
	else
		ok = false;
	channel_answer(ch, serial, &control_answer_schema, &(struct control_answer){ .ok = ok, .text = buf_str(&out) });
	if (str_eq(c->verb, STR("stop")))
		control_stop(m);
}

static const struct ipc_handler handlers[] = { { &control_schema, on_control } };

/* One at a time; the socket's mode lets only its owner in, and the kernel tells who it is. */
static void tool_ready(void *arg, int what)
{
	struct master *m = arg;
	struct ucred who;
	socklen_t n = sizeof(who);
	int fd = accept4(m->tool_listener, NULL, NULL, SOCK_CLOEXEC);

	(void)what;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || (who.uid != 0 && who.uid != geteuid())) {
		close(fd);
		return;
	}
	ask_forget(m);
	channel_stop(&m->tool);
	channel_start(&m->tool, m->loop, fd, NULL, handlers, COUNT(handlers), NULL, m);
}

void control_open(struct master *m)
{
	channel_start(&m->tool, m->loop, -1, NULL, handlers, COUNT(handlers), NULL, m);
	watch_set(&m->tool_door, m->loop, m->tool_listener, WATCH_READ, tool_ready, m);
}
