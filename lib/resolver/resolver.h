/*
 * resolver - answers the house's questions about names (dns_ask) with libunbound, in the loop: for resolverd, and for
 * commands that ask while the suite may be stopped. It never ends before its process does.
 */
#ifndef RESOLVER_RESOLVER_H
#define RESOLVER_RESOLVER_H

#include "base/err.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

struct resolver;

/* As the parameters of resolverd(8) with these names say. */
struct resolver_facts {
	struct str forward, anchor_file;
	int64_t cache_bytes;
};

/*
 * Reads files and loads all that is loaded late: before the fence. `anchor`: a warning when nothing is validated, else
 * untouched. NULL with err.
 */
struct resolver *resolver_new(struct loop *loop, const struct resolver_facts *facts, struct err *anchor,
			      struct err *err);

/* A question of the channel's peer, which is answered later, or now when `most` are at work. A name that is none breaks the channel. */
void resolver_take(struct resolver *r, struct channel *ch, uint32_t serial, const struct dns_ask *m, size_t most);
/* The peer is gone: what it has asked goes into the cache only. */
void resolver_forget(struct resolver *r, struct channel *ch);

#endif
