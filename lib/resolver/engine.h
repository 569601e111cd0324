/* engine - libunbound on our loop: one cache for all, validating. */
#ifndef RESOLVER_ENGINE_H
#define RESOLVER_ENGINE_H

#include "base/err.h"
#include "io/loop.h"

struct engine;

struct engine_facts {
	const char *const *forwards; /* "ADDRESS" or "ADDRESS@PORT", NULL-ended; none: it resolves from the root on */
	bool system;		     /* those of /etc/resolv.conf instead */
	const char *anchor;	     /* file of trust anchors, or NULL */
	int64_t cache_bytes;
};

/* Before the fence: files are read and all that is loaded late is loaded. NULL with err. */
struct engine *engine_new(struct loop *loop, const struct engine_facts *facts, struct err *err);

struct engine_answer {
	int rcode;	   /* of the DNS */
	struct str packet; /* the whole answer, empty when there is none */
	bool secure, bogus;
	const char *why; /* when bogus, else "" */
};
/* `done` may be called before this returns. False: it cannot be asked. *id: for engine_cancel, 0 when it is over already. */
bool engine_ask(struct engine *e, const char *name, uint16_t type,
		void (*done)(void *arg, const struct engine_answer *a), void *arg, int *id);
void engine_cancel(struct engine *e, int id);

#endif
