/* listen - sockets that wait for clients: TCP on the host's addresses, and named ones in a folder. */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include <sys/types.h>

#include "base/err.h"

/*
 * Binds all addresses of `host` (NULL: all of this machine) of that family (AF_UNSPEC: all) and adds the sockets, not blocking, to fds, which has room
 * for `most`. An IPv6 that the kernel does not have is passed over. False with err: those that were added stay open.
 */
bool listen_tcp(const char *host, const char *port, int family, int fds[], size_t most, size_t *n, struct err *err);

/* A listening socket of that kind and name in the folder, replacing an old one. -1 with err. */
int listen_unix(int folder, const char *name, int kind, mode_t mode, struct err *err);

#endif
