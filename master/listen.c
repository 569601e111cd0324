#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/fd.h"

enum { BACKLOG = 1024 };

void listeners_close(struct listeners *l)
{
	for (size_t i = 0; i < l->n; i++)
		fd_close(&l->fds[i]);
	free(l->name);
	free(l);
}

static int bind_one(const struct addrinfo *a)
{
	int on = 1;
	scoped_fd int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	return fd_take(&fd);
}

/* host NULL: every address of the machine. An IPv6 that the kernel does not have is passed over. */
static bool open_host(const char *host, const char *port, struct listeners *out, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM }, *list;
	int bad = getaddrinfo(host, port, &hints, &list);
	size_t before = out->n;

	if (bad)
		return err_set(err, "%s:%s: %s", host ? host : "*", port, gai_strerror(bad));
	bool ok = true;
	for (struct addrinfo *a = list; ok && a && out->n < LISTEN_MAX; a = a->ai_next) {
		int fd = bind_one(a);
		if (fd >= 0)
			out->fds[out->n++] = fd;
		else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
			ok = err_errno(err, "cannot listen on %s:%s", host ? host : "*", port);
	}
	freeaddrinfo(list);
	if (ok && out->n == before)
		ok = err_set(err, "no address of this machine for %s:%s", host ? host : "*", port);
	return ok;
}

static bool open_interfaces(struct str interfaces, const char *port, struct listeners *out, struct err *err)
{
	struct str item;
	bool ok = true;

	while (ok && conf_list_next(&interfaces, &item)) {
		char host[256];
		snprintf(host, sizeof(host), "%.*s", STR_ARG(item));
		if (str_eq(item, STR("all")))
			ok = open_host(NULL, port, out, err);
		else if (str_eq(item, STR("loopback-only")))
			ok = open_host("localhost", port, out, err);
		else
			ok = open_host(host, port, out, err);
	}
	return ok;
}

static bool open_inet(struct str address, struct str interfaces, struct listeners *out, struct err *err)
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
		return open_interfaces(interfaces, port_text, out, err);
	return open_host(host_text, port_text, out, err);
}

int listen_unix(int folder, const char *name, int kind, mode_t mode, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	scoped_fd int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* By the folder's descriptor: a path could be longer than sun_path. */
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s", folder, name);
	if (fd < 0 || n < 0 || (size_t)n >= sizeof(un.sun_path)) {
		err_errno(err, "socket %s", name);
		return -1;
	}
	if (unlinkat(folder, name, 0) < 0 && errno != ENOENT) {
		err_errno(err, "socket %s", name);
		return -1;
	}
	mode_t before = umask(0777 & ~mode);
	int bad = bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, BACKLOG) < 0;
	umask(before);
	if (bad) {
		err_errno(err, "cannot listen on socket %s", name);
		return -1;
	}
	return fd_take(&fd);
}

static bool open_all(const struct config_service *s, struct str interfaces, int public_folder, struct listeners *l,
		     struct err *err)
{
	if (str_eq(s->type, STR("inet")))
		return open_inet(s->address, interfaces, l, err);
	if (s->type.n == 0)
		return true;
	l->fds[0] = listen_unix(public_folder, l->name, SOCK_STREAM, s->public_socket ? 0666 : 0600, err);
	l->n = l->fds[0] >= 0;
	return l->n == 1;
}

struct listeners *listeners_open(const struct config_service *s, struct str interfaces, int public_folder, struct err *err)
{
	struct listeners *l = calloc(1, sizeof(*l));

	if (!l || !(l->name = strndup(s->name.p, s->name.n)))
		panic("out of memory: listeners");
	if (open_all(s, interfaces, public_folder, l, err))
		return l;
	listeners_close(l);
	return NULL;
}
