/* control - what an admin asks of the running master: status, reload, stop. */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include "service.h"

/* Serves the socket "master" in the control directory. */
void control_open(struct master *m);
/* Reads the configuration anew. When it is bad, `out` says why and all stays as it is. */
bool control_reload(struct master *m, struct buf *out);
/* All daemons finish what is begun, in the order of who asks before who is asked; then the loop ends. */
void control_stop(struct master *m);
/* After a process has ended: forgets services that were to leave, goes on with a stop. */
void control_sweep(struct master *m);

#endif
