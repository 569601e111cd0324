/* listen - where services listen: inet addresses of master.cf, and sockets in the control directory. */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include <sys/types.h>

#include "house/config.h"

enum { LISTEN_MAX = 16 };

struct listeners {
	int fds[LISTEN_MAX];
	size_t n;
	char *address; /* as written, to see whether a reload changed it */
};

/* Binds all addresses of the service. False with err: none is left open. */
bool listeners_open(const struct config_service *s, struct str interfaces, int control_folder, struct listeners *out,
		    struct err *err);
void listeners_close(struct listeners *l);

/* A listening SOCK_SEQPACKET socket of that name in the folder, replacing an old one. -1 with err. */
int listen_unix(int folder, const char *name, int kind, mode_t mode, struct err *err);

#endif
