/* recipient - a user to whom mail is being delivered: its process, and the deliveries that wait for it. */
#ifndef LOCAL_RECIPIENT_H
#define LOCAL_RECIPIENT_H

#include "base/hash.h"
#include "conf.h"
#include "forward/privs.h"
#include "proc/daemon.h"

struct local {
	struct run *run;
	struct table recipients; /* by what they are for: see recipient.c */
	struct privs privs;
	size_t n_children;
	struct tool *tools; /* tool.h */
};

/* Takes a delivery that qmgr asks for; the answer goes to `ch` under `serial`. Takes the content's descriptor. */
void recipient_deliver(struct local *local, struct channel *ch, uint32_t serial, struct deliver *m);
/* A child has ended. */
void recipient_ended(struct local *local, pid_t pid);
/* qmgr is gone: nobody waits for these answers any more. */
void recipient_forget(struct local *local, const struct channel *ch);

#endif
