/* outside - what is done for a user outside the mail folder: .forward files, lists and files of aliases. In a process with the user's rights. */
#ifndef LOCAL_OUTSIDE_H
#define LOCAL_OUTSIDE_H

#include "conf.h"
#include "ipc/messages.h"

struct outside_place {
	int parent; /* deliver comes in here, delivered goes out */
	const struct local_conf *conf;
	struct str home; /* of the account */
	uint32_t uid;
	bool alias; /* lookupd has said that the alias has the target; else the user's .forward must */
};

/* The child's whole life: deliveries, one after the other, until the parent closes the channel. */
int outside_loop(void *place);

/* One of them. `forward` and `text` back the answer's slices. */
struct forward;
void outside_deliver(const struct deliver *m, const struct outside_place *place, struct forward *forward,
		     struct buf *text, struct delivered *out);

#endif
