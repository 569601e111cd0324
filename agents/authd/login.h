/* login - one question about a user, from a service to its answer. */
#ifndef AUTHD_LOGIN_H
#define AUTHD_LOGIN_H

#include "conf.h"
#include "penalty.h"
#include "proc/daemon.h"
#include "users.h"
#include "worker.h"

struct authd {
	struct run *run;
	struct users users;
	bool unread; /* the passwd-file could not be read yet: who is not found may be in it */
	struct {
		int64_t checked_ms;
		uint64_t device, inode;
		int64_t mtime_ns, size;
	} file; /* the passwd-file that was read */
	struct penalties penalties;
	struct workers *workers;
	uint32_t mail_uid, mail_gid;
	char dummy[WORKER_HASH_MAX];
	struct question *questions;
};

/* In begin: reads the passwd-file, starts the workers. */
void login_begin(struct authd *a);

void login_ask(struct authd *a, struct channel *ch, uint32_t serial, const struct login *m);
void login_find(struct authd *a, struct channel *ch, uint32_t serial, const struct mailbox_find *m);
/* The service is gone: its answers are dropped. */
void login_forget(struct authd *a, const struct channel *ch);

#endif
