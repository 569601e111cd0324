/* Channels between daemons: every pair is made here, and who is at the other end is told by us alone. */
#include <errno.h>
#include <unistd.h>

#include "io/fd.h"
#include "ipc/messages.h"
#include "service.h"

static bool asks(const struct service *client, const struct service *server)
{
	if (strcmp(server->facts->daemon->name, "logd") == 0)
		return client != server;
	for (size_t i = 0; client->facts->daemon->servers[i]; i++)
		if (strcmp(client->facts->daemon->servers[i], server->facts->daemon->name) == 0)
			return true;
	return false;
}

static void tell_peer(struct service *to, const struct service *peer, bool server, int fd)
{
	struct peer m = {
		.daemon = str_from(peer->facts->daemon->name),
		.service = str_from(peer->name),
		.authority = peer->facts->authority,
		.pid = (uint32_t)peer->pid,
		.server = server,
		.channel = fd,
	};

	channel_notify(&to->control, &peer_schema, &m);
}

static void join(struct service *client, struct service *server)
{
	int fds[2];

	if (channel_pair(fds) < 0) {
		log_line(&client->master->log, LOG_ERROR, "error: no channel from %s to %s: %m", client->name, server->name);
		return;
	}
	tell_peer(client, server, true, fds[0]);
	tell_peer(server, client, false, fds[1]);
	close(fds[0]);
	close(fds[1]);
}

void wire_log(struct master *m)
{
	struct service *logd = m->services;
	int fds[2];

	while (logd && strcmp(logd->facts->daemon->name, "logd") != 0)
		logd = logd->next;
	if (!logd || !logd->pid || channel_pair(fds) < 0)
		return;
	struct peer peer = { .daemon = STR("master"),
			     .service = STR("master"),
			     .pid = (uint32_t)getpid(),
			     .channel = fds[1] };
	channel_notify(&logd->control, &peer_schema, &peer);
	close(fds[1]);
	fd_close(&m->log.fd);
	m->log.fd = fds[0];
}

void wire_service(struct service *s)
{
	for (struct service *other = s->master->services; other; other = other->next) {
		if (other == s || !other->pid)
			continue;
		if (asks(s, other))
			join(s, other);
		if (asks(other, s))
			join(other, s);
	}
	if (strcmp(s->facts->daemon->name, "logd") == 0)
		wire_log(s->master);
}
