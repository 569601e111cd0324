#include "listen.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "io/fd.h"
#include "io/listen.h"

void listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(&l->fds[i]);
	free(l->name);
	free(l);
}

static bool open_interfaces(struct str interfaces, int family, const char *port, struct listeners *out, struct err *err)
{
	struct str item;
	bool ok = true;

	while (ok && conf_list_next(&interfaces, &item)) {
		char host[256];
		snprintf(host, sizeof(host), "%.*s", STR_ARG(item));
		bool all = str_eq(item, STR("all")), loopback = str_eq(item, STR("loopback-only"));
		ok = listen_tcp(all ? NULL : loopback ? "localhost" : host, port, family, out->fds, LISTEN_MAX, &out->n, err);
	}
	return ok;
}

static bool open_inet(struct str address, struct str interfaces, int family, struct listeners *out, struct err *err)
{
	ptrdiff_t colon = str_rfind(address, ':');
	struct str port = str_skip(address, colon < 0 ? 0 : (size_t)colon + 1);
	struct str host = str_head(address, colon < 0 ? 0 : (size_t)colon);
	char port_text[64], host_text[256];

	if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = str_of(host.p + 1, host.n - 2);
	snprintf(port_text, sizeof(port_text), "%.*s", STR_ARG(port));
	snprintf(host_text, sizeof(host_text), "%.*s", STR_ARG(host));
	if (host.n == 0)
		return open_interfaces(interfaces, family, port_text, out, err);
	return listen_tcp(host_text, port_text, AF_UNSPEC, out->fds, LISTEN_MAX, &out->n, err);
}

static bool open_all(const struct config_service *s, struct str interfaces, int family, int public_folder, struct listeners *l,
		     struct err *err)
{
	if (str_eq(s->type, STR("inet")))
		return open_inet(s->address, interfaces, family, l, err);
	if (s->type.n == 0)
		return true;
	l->fds[0] = listen_unix(public_folder, l->name, SOCK_STREAM, s->public_socket ? 0666 : 0600, err);
	l->n = l->fds[0] >= 0;
	return l->n == 1;
}

struct listeners *listeners_open(const struct config_service *s, struct str interfaces, int family, int public_folder,
				 struct err *err)
{
	struct listeners *l = calloc(1, sizeof(*l));

	if (!l || !(l->name = strndup(s->name.p, s->name.n)))
		panic("out of memory: listeners");
	if (open_all(s, interfaces, family, public_folder, l, err))
		return l;
	listeners_close(l);
	return NULL;
}
