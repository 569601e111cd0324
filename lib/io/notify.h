/* notify - tells the service manager (systemd) how this process fares, by the protocol of sd_notify(3). */
#ifndef IO_NOTIFY_H
#define IO_NOTIFY_H

#include "base/str.h"

/* Sends `state` ("READY=1") to the socket that $NOTIFY_SOCKET names. Nothing when there is none; it never waits. */
void notify_manager(struct str state);

#endif
