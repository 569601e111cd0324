/* lookupd - what its files share. */
#ifndef LOOKUPD_LOOKUPD_H
#define LOOKUPD_LOOKUPD_H

#include "policy.h"
#include "proc/daemon.h"

struct lookupd {
	struct run *run;
	struct policy policy;
	struct dict *accounts, *groups; /* read before the fence; NULL: no parameter names them */
	int64_t refused_ms; /* when it was told last that a table was refused */
	struct timer end;
};

/* The tables as they are now, for one question. */
struct policy *lookupd_policy(struct channel *ch);

extern const struct ipc_handler smtpd_handlers[4];
extern const struct ipc_handler qmgr_handlers[1];
extern const struct ipc_handler smtp_handlers[1];
extern const struct ipc_handler local_handlers[1];

#endif
