/* tool - connections of 'tayori mailbox': what an admin asks of a user's mailbox is done by a process of that user. */
#ifndef LOCAL_TOOL_H
#define LOCAL_TOOL_H

#include "recipient.h"

/* A connection to the socket "mailbox", which only root can open. */
void tool_accept(struct run *run, int fd, unsigned service);
/* A child has ended; false: it was none of a tool's. */
bool tool_ended(struct local *local, pid_t pid, int status);

#endif
