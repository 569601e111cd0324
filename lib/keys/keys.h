/*
 * keys - a daemon's TLS with its certificates and private keys at keyd. keyd must be among the daemon's servers.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "proc/daemon.h"
#include "tls/tls.h"

struct keys {
	struct run *run;
	const char *protocol; /* ALPN name */
	enum tls_version min_version;
	struct tls_server *server; /* NULL: no certificate is configured, or none is in order */
	struct timer again;
	unsigned tries;
};

/* In `prepare`: fetches the chains and loads all of OpenSSL that is ever needed. False: keyd does not answer. */
bool keys_begin(struct keys *k, struct run *run, const char *protocol, enum tls_version min_version, struct err *err);
/*
 * On reload: fetches them anew, also when keyd is just being restarted; until it answers the old ones serve on.
 * Handshakes that have begun end with the chain that they began with.
 */
void keys_reload(struct keys *k, enum tls_version min_version);

#endif
