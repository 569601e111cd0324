/* routing - asks lookupd for the final recipients, a chunk of them at a time. */
#ifndef QMGR_ROUTING_H
#define QMGR_ROUTING_H

#include "qmgr.h"

/* A question, embedded in whoever asks, who fills in the first five. */
struct routing {
	struct qmgr *qmgr;
	uint32_t authority;
	struct str sender;
	struct strs given;   /* lives until `done` */
	struct arena *arena; /* of the answers */
	/* Code 250: take them with routing_take. Else why not; then call routing_cancel. */
	void (*done)(struct routing *r, const struct reply *why);
	size_t at;	   /* of what was asked */
	size_t asked;	   /* where the chunk in question begins */
	bool again;	   /* it is asked a second time */
	struct buf found;  /* struct env_recipient, one behind the other */
	struct buf senders; /* struct str: who is the sender for each */
	struct table seen; /* their addresses and targets: each chunk's answer knows nothing of the others */
	struct call call;
};

/* `done` is not called from here. */
void routing_start(struct routing *r);
/*
 * The recipients, in the arena, at least one; their number. `senders`, may be NULL: for each the sender that the message
 * has for it.
 */
uint32_t routing_take(struct routing *r, struct env_recipient **out, struct str **senders);
void routing_cancel(struct routing *r);

#endif
