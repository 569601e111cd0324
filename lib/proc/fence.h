/*
 * fence - the walls of a process: its own uid, an empty root, no new privileges, limits, seccomp, and Landlock where
 * the kernel has it. Once entered there is no way back.
 *
 * seccomp, uid and root carry the promise alone; Landlock is the second lock, and the level reached is told.
 */
#ifndef PROC_FENCE_H
#define PROC_FENCE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* A set of capabilities (linux/capability.h). */
#define FENCE_POWER(cap) (1ull << (cap))

struct fence_folder {
	int fd;
	bool write;
};

struct fence {
	bool drop; /* become uid and gid, take `root` as the file system: needs root */
	uid_t uid;
	gid_t gid;
	int root;   /* -1: keep the root of the process */
	int filter; /* a seccomp program, from offset 0; -1: none */
	bool landlock;
	bool network; /* Landlock lets it connect to other hosts */
	bool dies_with_parent; /* killed at the moment when its parent ends */
	bool keep_privileges; /* a spawner: uid, capabilities and root stay; the filter, limits and no_new_privs hold */
	uint64_t powers;      /* with keep_privileges: the capabilities that it needs; 0: as they are */
	uint64_t memory_bytes; /* RLIMIT_AS; 0: as it is */
	uint32_t descriptors;  /* RLIMIT_NOFILE; 0: as it is */
	uint32_t processes_here; /* RLIMIT_NPROC of the uid; 0: as it is */
	const struct fence_folder *folders; /* what files may be reached, with Landlock */
	size_t n_folders;
};

/*
 * Enters. `walls` gets a text such as "uid=991 root seccomp landlock=7", also in part when it fails. False with err:
 * the process must end at once, it may be half inside.
 */
bool fence_enter(const struct fence *fence, struct buf *walls, struct err *err);

/*
 * Gives up all of root's powers but `own`, for good; programs that are started from here can have no others than
 * `started`. Those that the process does not have are left out.
 */
bool fence_keep_powers(uint64_t own, uint64_t started, struct err *err);

/* The kernel's Landlock ABI, 0: none. */
int fence_landlock_abi(void);

#endif
