/* The control channel: what master tells a daemon, before it starts and while it runs. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "proc/inner.h"
#include "proc/spawn.h"

static struct run *run_of(struct channel *ch)
{
	return ch->arg;
}

/* The slot of a service, a new one for a new name. */
static unsigned service_slot(struct run *run, struct str name)
{
	struct run_service *list = run->inner->services;
	unsigned i = 0;

	while (i < run->n_confs && !str_eq(str_from(list[i].name), name))
		i++;
	if (i == run->n_confs) {
		if (i == DAEMON_SERVICES_MAX)
			run_fatal(run, "more than %d services in one process", DAEMON_SERVICES_MAX);
		list[i].name = strndup(name.p ? name.p : "", name.n);
		run->n_confs++;
	}
	return i;
}

static void on_settings(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	const struct settings *m = message;
	struct run_service *s = &run->inner->services[service_slot(run, m->service)];
	size_t n = *run->daemon->n_params, at_name = 0, at_value = 0, i = 0;
	struct str name, value;

	(void)serial;
	if (s->values_arena)
		arena_free(s->values_arena);
	free(s->values_arena);
	s->values_arena = calloc(1, sizeof(*s->values_arena));
	ASSERT(s->values_arena);
	s->values = arena_alloc(s->values_arena, n * sizeof(struct str) + 1);
	while (i < n && strs_next(&m->names, &at_name, &name) && strs_next(&m->values, &at_value, &value)) {
		if (!str_eq(name, str_from(run->daemon->params[i].name)))
			break;
		s->values[i++] = arena_str(s->values_arena, value);
	}
	if (i < n || m->names.n != n)
		run_fatal(run, "master's parameters are not mine: are all programs of one version?");
}

static void on_folder(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	struct folder *m = message;

	(void)serial;
	for (struct run_folder *f = run->inner->folders; f; f = f->next)
		if (str_eq(f->path, m->path)) {
			fd_close(&f->fd);
			f->fd = fd_take(&m->folder);
			return;
		}
	struct run_folder *f = calloc(1, sizeof(*f) + m->path.n);
	ASSERT(f);
	char *path = (char *)(f + 1);
	memcpy(path, m->path.p, m->path.n);
	*f = (struct run_folder){ run->inner->folders, str_of(path, m->path.n), fd_take(&m->folder), m->write };
	run->inner->folders = f;
}

static void on_walls(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	struct walls *m = message;

	(void)serial;
	run->privileged = m->drop;
	run->landlock = m->landlock;
	run->child_filter = fd_take(&m->child_filter);
	run->inner->fence = (struct fence){
		.drop = m->drop,
		.uid = m->uid,
		.gid = m->gid,
		.root = fd_take(&m->root),
		.filter = fd_take(&m->filter),
		.landlock = m->landlock,
		.network = m->network,
		.keep_privileges = m->spawner,
		.powers = run->child_filter < 0 ? 0 : run->daemon->powers ? run->daemon->powers : SPAWN_POWERS,
		.memory_bytes = m->memory_bytes,
		.descriptors = m->descriptors,
	};
}

static void server_broken(struct channel *ch, const char *why)
{
	struct run *run = run_of(ch);

	/* master tells of deaths; here only what a living peer did wrong */
	if (strcmp(why, "the peer is gone") != 0)
		log_line(&run->log, LOG_WARNING, "warning: %s: %s; waiting for a new one", ch->peer.daemon, why);
}

static void client_gone(void *arg)
{
	struct run_client *c = arg;
	struct run_client **at = &c->run->inner->clients;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	if (c->facts->left)
		c->facts->left(c->run, &c->ch);
	channel_stop(&c->ch);
	free(c);
}

/* A handler of that channel may be on the stack: it is freed from the loop. */
static void client_broken(struct channel *ch, const char *why)
{
	struct run_client *c = (struct run_client *)((char *)ch - offsetof(struct run_client, ch));

	if (strcmp(why, "the peer is gone") != 0)
		log_line(&c->run->log, LOG_WARNING, "warning: %s (%s) sent what it may not: %s", ch->peer.daemon,
			 ch->peer.service, why);
	timer_set(&c->gone, c->run->loop, 0, client_gone, c);
}

static void add_server(struct run *run, const struct channel_peer *peer, int fd)
{
	struct run_server *s = run->inner->servers;

	while (s && strcmp(s->name, peer->daemon) != 0)
		s = s->next;
	if (!s)
		run_fatal(run, "master gave me a channel to %s, which I never ask", peer->daemon);
	s->ch.peer = *peer;
	channel_attach(&s->ch, fd);
}

static void serve_client(struct run_client *c)
{
	if (c->facts->joined)
		c->facts->joined(c->run, &c->ch);
	channel_attach(&c->ch, fd_take(&c->early));
}

/* Peers are told of before the daemon has prepared itself, and ask at once: until then nothing is read from them. */
static void add_client(struct run *run, const struct channel_peer *peer, int fd)
{
	const struct daemon *d = run->daemon;

	for (size_t i = 0; i < d->n_clients; i++) {
		if (strcmp(d->clients[i].daemon, peer->daemon) != 0)
			continue;
		struct run_client *c = calloc(1, sizeof(*c));
		ASSERT(c);
		c->facts = &d->clients[i];
		c->run = run;
		c->early = fd;
		c->next = run->inner->clients;
		run->inner->clients = c;
		channel_start(&c->ch, run->loop, -1, peer, c->facts->handlers, c->facts->n_handlers, client_broken, run);
		if (run->inner->serving)
			serve_client(c);
		return;
	}
	run_fatal(run, "master gave me a channel from %s, which never asks me", peer->daemon);
}

static void copy_text(char *to, size_t room, struct str from)
{
	size_t n = from.n < room - 1 ? from.n : room - 1;

	if (n)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

static void on_peer(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	struct peer *m = message;
	struct channel_peer peer = { .authority = m->authority, .pid = m->pid };

	(void)serial;
	copy_text(peer.daemon, sizeof(peer.daemon), m->daemon);
	copy_text(peer.service, sizeof(peer.service), m->service);
	if (strcmp(peer.daemon, "logd") == 0 && m->server) {
		fd_close(&run->log.fd);
		run->log.fd = fd_take(&m->channel);
	} else if (m->server) {
		add_server(run, &peer, fd_take(&m->channel));
	} else {
		add_client(run, &peer, fd_take(&m->channel));
	}
}

static void close_listener(struct run_listener **at)
{
	struct run_listener *l = *at;

	*at = l->next;
	watch_stop(&l->watch);
	fd_close(&l->fd);
	free(l->name);
	free(l);
}

static void on_listener(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	struct listener *m = message;
	struct run_listener **at = &run->inner->listeners;

	(void)serial;
	while (*at && !str_eq(str_from((*at)->name), m->name))
		at = &(*at)->next;
	if (*at)
		close_listener(at);
	if (m->socket < 0)
		return;
	struct run_listener *l = calloc(1, sizeof(*l));
	ASSERT(l);
	*l = (struct run_listener){ .next = run->inner->listeners,
				    .run = run,
				    .service = service_slot(run, m->service),
				    .fd = fd_take(&m->socket) };
	l->name = strndup(m->name.p ? m->name.p : "", m->name.n);
	fd_nonblocking(l->fd);
	run->inner->listeners = l;
	if (run->inner->started)
		listeners_watch(run, true);
}

/* What is made of the values of one service, before any of it is in force. */
static void *parse_values(struct run *run, struct run_service *s, struct arena **arena, struct err *err)
{
	const struct daemon *d = run->daemon;
	void *conf;

	*arena = calloc(1, sizeof(**arena));
	ASSERT(*arena && d->conf_size <= DAEMON_CONF_MAX);
	conf = arena_alloc(*arena, d->conf_size + 1);
	if (s->values && conf_fill(d->params, *d->n_params, s->values, *arena, conf, err))
		return conf;
	if (!s->values)
		err_set(err, "master told no settings of %s", s->name);
	return NULL;
}

/* Takes the values that master told, of all services or, when one is bad, of none. */
static bool take_values(struct run *run, struct err *err)
{
	struct run_inner *in = run->inner;
	struct arena *fresh[DAEMON_SERVICES_MAX] = { 0 };
	const void *confs[DAEMON_SERVICES_MAX] = { 0 }, *old = run->conf;
	bool ok = run->n_confs > 0;

	for (unsigned i = 0; ok && i < run->n_confs; i++)
		ok = (confs[i] = parse_values(run, &in->services[i], &fresh[i], err)) != NULL;
	for (unsigned i = 0; ok && i < run->n_confs; i++) {
		struct arena *before = in->services[i].conf_arena;
		in->services[i].conf_arena = fresh[i];
		fresh[i] = before;
		run->confs[i] = confs[i];
	}
	if (ok)
		run->conf = run->confs[0];
	if (ok && in->serving && run->daemon->reloaded)
		run->daemon->reloaded(run, old);
	/* the old ones, or the new ones that were not taken */
	for (unsigned i = 0; i < run->n_confs; i++) {
		if (fresh[i])
			arena_free(fresh[i]);
		free(fresh[i]);
	}
	return ok;
}

static void on_start(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	const struct start *m = message;

	(void)serial;
	run->inner->test = m->test;
	run->inner->started = true;
}

static void on_reload(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	struct err err = { 0 };
	bool ok = take_values(run, &err);

	(void)message;
	channel_answer(ch, serial, &reloaded_schema, &(struct reloaded){ .ok = ok, .text = str_from(err.text) });
}

static void drain_over(void *arg)
{
	loop_stop(((struct run *)arg)->loop);
}

static void drain(struct run *run)
{
	if (run->daemon->drain)
		run->daemon->drain(run);
	else
		run_drained(run);
}

static void on_drain(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	const struct drain *m = message;

	(void)serial;
	if (run->draining)
		return;
	run->draining = true;
	listeners_watch(run, false);
	timer_set(&run->inner->drain_limit, run->loop, m->most_ms, drain_over, run);
	if (run->inner->serving)
		drain(run);
}

static void on_clock(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	const struct clock_by *m = message;

	if (!run->inner->test)
		run_fatal(run, "the clock is shifted in tests only");
	clock_shift(m->ms);
	channel_answer(ch, serial, &clock_told_schema, &(struct clock_told){ true });
}

static void on_who(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	const struct who *m = message;
	uint32_t n = run->daemon->who && m->file >= 0 ? run->daemon->who(run, m->file) : 0;

	channel_answer(ch, serial, &who_told_schema, &(struct who_told){ n });
}

static void on_kick(struct channel *ch, uint32_t serial, void *message)
{
	struct run *run = run_of(ch);
	const struct kick *m = message;
	uint32_t n = run->daemon->kick ? run->daemon->kick(run, m->user) : 0;

	channel_answer(ch, serial, &kicked_schema, &(struct kicked){ n });
}

static const struct ipc_handler handlers[] = {
	{ &settings_schema, on_settings }, { &folder_schema, on_folder },     { &walls_schema, on_walls },
	{ &peer_schema, on_peer },	   { &listener_schema, on_listener }, { &start_schema, on_start },
	{ &reload_schema, on_reload },	   { &drain_schema, on_drain },	      { &clock_by_schema, on_clock },
	{ &who_schema, on_who },	   { &kick_schema, on_kick },
};

/* Without master nobody supervises: end, in order where that is possible. */
static void master_gone(struct channel *ch, const char *why)
{
	struct run *run = run_of(ch);

	(void)why;
	loop_stop(run->loop);
	run->draining = true;
	if (!run->inner->started)
		_exit(1);
}

bool control_begin(struct run *run, struct err *err)
{
	struct run_inner *in = run->inner;
	struct channel_peer master = { .daemon = "master" };

	for (const char *const *name = run->daemon->servers; name && *name; name++) {
		struct run_server *s = calloc(1, sizeof(*s));
		ASSERT(s);
		s->name = *name;
		channel_start(&s->ch, run->loop, -1, NULL, run->daemon->from_servers, run->daemon->n_from_servers,
			      server_broken, run);
		s->next = in->servers;
		in->servers = s;
	}
	channel_start(&in->control, run->loop, DAEMON_CONTROL_FD, &master, handlers, COUNT(handlers), master_gone, run);
	while (!in->started)
		loop_once(run->loop, 60000);
	return take_values(run, err);
}

bool control_enter_fence(struct run *run, struct err *err)
{
	struct run_inner *in = run->inner;
	struct fence_folder folders[64];
	size_t n = 0;

	for (const struct run_folder *f = in->folders; f && n < COUNT(folders); f = f->next)
		if (f->fd >= 0)
			folders[n++] = (struct fence_folder){ f->fd, f->write };
	in->fence.folders = folders;
	in->fence.n_folders = n;
	/* From a folder outside of the root, ".." would lead everywhere: a daemon's only folder is its root. */
	if (n == 1 && in->fence.root >= 0) {
		close(in->fence.root);
		in->fence.root = fcntl(folders[0].fd, F_DUPFD_CLOEXEC, 0);
	}
	bool ok = fence_enter(&in->fence, &in->walls, err);
	fd_close(&in->fence.root);
	fd_close(&in->fence.filter);
	in->fence.folders = NULL;
	return ok;
}

void control_serve(struct run *run)
{
	struct run_inner *in = run->inner;
	struct ready ready = { .digest = ipc_digest(), .walls = buf_str(&in->walls) };

	in->serving = true;
	for (struct run_client *c = in->clients; c; c = c->next)
		serve_client(c);
	channel_notify(&in->control, &ready_schema, &ready);
	if (run->draining)
		drain(run);
}
