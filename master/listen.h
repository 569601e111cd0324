/* listen - where services listen: inet addresses of master.cf, and sockets in the control directory. */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include "house/config.h"

enum { LISTEN_MAX = 16 };

/* The sockets of one service. */
struct listeners {
	struct listeners *next;
	char *name; /* of the service */
	int fds[LISTEN_MAX];
	size_t n;
	bool wanted; /* for the owner's own marks */
};

/* Binds all addresses of the service; `family` counts for those that name only a port. NULL with err. */
struct listeners *listeners_open(const struct config_service *s, struct str interfaces, int family, int public_folder,
				 struct err *err);
void listeners_close(struct listeners *l);

#endif
