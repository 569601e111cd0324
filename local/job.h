/* job - one delivery, in the recipient's own process: a message into the mail folder that is the current one. */
#ifndef LOCAL_JOB_H
#define LOCAL_JOB_H

#include "ipc/messages.h"

struct job_place {
	int parent; /* deliver comes in here, delivered goes out */
	const char *host;
};

/* The child's whole life: deliveries, one after the other, until the parent closes the channel. */
int job_loop(void *place);

/*
 * The same with any work: `one` does it and answers, -1 when it cannot. Ends at once when the parent is gone: what it asked last, another
 * parent's child may be doing.
 */
int job_serve(int parent, int (*one)(void *arg, uint32_t serial, const struct deliver *m), void *arg);

/* Delivers one message and says how it went; `text` backs the answer's. */
void job_deliver(const struct deliver *m, int home, const char *host, struct buf *text, struct delivered *out);

#endif
