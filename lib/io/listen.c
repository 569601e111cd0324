#include "io/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/fd.h"

enum { BACKLOG = 1024 };

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

bool listen_tcp(const char *host, const char *port, int family, int fds[], size_t most, size_t *n, struct err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_family = family, .ai_socktype = SOCK_STREAM }, *list;
	int bad = getaddrinfo(host, port, &hints, &list);
	size_t before = *n;

	if (bad)
		return err_set(err, "%s:%s: %s", host ? host : "*", port, gai_strerror(bad));
	bool ok = true;
	for (struct addrinfo *a = list; ok && a && *n < most; a = a->ai_next) {
		int fd = bind_one(a);
		if (fd >= 0)
			fds[(*n)++] = fd;
		else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
			ok = err_errno(err, "cannot listen on %s:%s", host ? host : "*", port);
	}
	freeaddrinfo(list);
	if (ok && *n == before)
		ok = err_set(err, "no address of this machine for %s:%s", host ? host : "*", port);
	return ok;
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
