/* ask - what only the parents of sessions know: who is there; and that a user's sessions shall end. */
#ifndef MASTER_ASK_H
#define MASTER_ASK_H

#include "service.h"

/* Asks all of them; the tool's question `serial` is answered when all have answered. An earlier question is forgotten. */
void ask_sessions(struct master *m, uint32_t serial, const struct control *c);
/* The tool is gone: nobody waits any more. */
void ask_forget(struct master *m);

#endif
