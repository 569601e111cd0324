/* Whoever may ask the daemon in whose place it stands is let in, and gets no answer. */
#include "evil.h"
#include "house/house.h"

enum { CLIENTS_MAX = 32 };

static bool asks(const struct house_daemon *d, const char *server)
{
	if (strcmp(server, "logd") == 0)
		return true;
	for (size_t i = 0; d->servers[i]; i++)
		if (strcmp(d->servers[i], server) == 0)
			return true;
	return false;
}

const struct daemon_client *evil_clients(const char *daemon, size_t *n)
{
	static struct daemon_client clients[CLIENTS_MAX];

	*n = 0;
	clients[(*n)++].daemon = "master";
	for (size_t i = 0; i < house_daemons_n && *n < CLIENTS_MAX; i++)
		if (asks(&house_daemons[i], daemon))
			clients[(*n)++].daemon = house_daemons[i].name;
	return clients;
}
