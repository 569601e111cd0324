/*
 * spawn - the prepared parent of processes that work in one user's mail folder: deliveries, sessions.
 *
 * The parent is root (when master is) and reads fixed records only. A child takes the user's uid, makes the mail folder
 * its root and current folder, and locks itself in with the mailbox sandbox before it sees a byte of mail.
 */
#ifndef PROC_SPAWN_H
#define PROC_SPAWN_H

#include <linux/capability.h>

#include "proc/daemon.h"
#include "proc/fence.h"

/*
 * What a spawner has of root's powers: to make mail folders in another's folder, and processes of users, and to end
 * those.
 */
#define SPAWN_POWERS                                                                                                   \
	(FENCE_POWER(CAP_DAC_OVERRIDE) | FENCE_POWER(CAP_CHOWN) | FENCE_POWER(CAP_SETUID) | FENCE_POWER(CAP_SETGID) |  \
	 FENCE_POWER(CAP_SETPCAP) | FENCE_POWER(CAP_SYS_CHROOT) | FENCE_POWER(CAP_KILL))

/* For spawn_outside alone. */
#define OUTSIDE_POWERS                                                                                                 \
	(FENCE_POWER(CAP_SETUID) | FENCE_POWER(CAP_SETGID) | FENCE_POWER(CAP_SETPCAP) | FENCE_POWER(CAP_KILL))

struct spawn_user {
	struct str user; /* for the log */
	uint32_t uid, gid;
	struct str home; /* the mail folder, absolute; outside of it: the account's home */
	bool virtual_user; /* lies below the base, which is ours; else in the home of a system account */
};

struct spawn_rules {
	int64_t first_valid_uid;
	struct str base; /* virtual_mailbox_base: its folder is held by the run */
	bool dies_with_parent;
	bool own_group; /* outside: it leads a process group, which can be ended whole */
	uint64_t memory_bytes; /* address space of the child; 0: CHILD_MEMORY of spawn.c */
};

/*
 * Forks a child for the user, which runs `body` in "." = the mail folder (made when it is not there) and keeps only
 * `keep`. -1 with err: refused (uid too low, folder outside the base or not the user's) or out of processes.
 */
pid_t spawn_child(struct run *run, const struct spawn_user *user, const struct spawn_rules *rules,
		  int (*body)(void *arg), void *arg, const int keep[], size_t n, struct err *err);

/*
 * The same for what lies outside the mail folder and is guarded by the user's own rights alone: .forward files, mailboxes elsewhere,
 * commands. The child is the user, sees the host's files, and stands in user->home, or in / when that cannot be entered.
 */
pid_t spawn_outside(struct run *run, const struct spawn_user *user, const struct spawn_rules *rules,
		    int (*body)(void *arg), void *arg, const int keep[], size_t n, struct err *err);

#endif
