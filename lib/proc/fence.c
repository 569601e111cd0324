#include "proc/fence.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's header ends at ABI 2: what came later is written out here and masked by the ABI of the running kernel. */
enum {
	FS_READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	FS_WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		   LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG,
	FS_ALL_ABI1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,
	FS_TRUNCATE = 1 << 14,
	FS_IOCTL_DEV = 1 << 15,
	NET_ALL = 3,   /* bind and connect of TCP: ABI 4 */
	SCOPE_ALL = 3, /* abstract sockets and signals: ABI 6 */
};

struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

int fence_landlock_abi(void)
{
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static uint64_t known_rights(int abi)
{
	uint64_t rights = FS_ALL_ABI1;

	if (abi >= 2)
		rights |= FS_REFER;
	if (abi >= 3)
		rights |= FS_TRUNCATE;
	if (abi >= 5)
		rights |= FS_IOCTL_DEV;
	return rights;
}

static bool add_folder(int rules, const struct fence_folder *f, int abi, struct err *err)
{
	struct landlock_path_beneath_attr path = { .parent_fd = f->fd };

	path.allowed_access = FS_READ;
	if (f->write)
		path.allowed_access |= FS_WRITE | FS_REFER | FS_TRUNCATE;
	path.allowed_access &= known_rights(abi);
	if (syscall(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &path, 0) < 0)
		return err_errno(err, "landlock_add_rule");
	return true;
}

static bool enter_landlock(const struct fence *fence, int abi, struct err *err)
{
	struct ruleset set = { .handled_access_fs = known_rights(abi) };
	size_t size = abi >= 6 ? sizeof(set) : abi >= 4 ? offsetof(struct ruleset, scoped) : 8;

	if (abi >= 4 && !fence->network)
		set.handled_access_net = NET_ALL;
	if (abi >= 6)
		set.scoped = SCOPE_ALL;
	long rules = syscall(__NR_landlock_create_ruleset, &set, size, 0);
	if (rules < 0)
		return err_errno(err, "landlock_create_ruleset");
	bool ok = true;
	for (size_t i = 0; ok && i < fence->n_folders; i++)
		ok = add_folder((int)rules, &fence->folders[i], abi, err);
	if (ok && syscall(__NR_landlock_restrict_self, rules, 0) < 0)
		ok = err_errno(err, "landlock_restrict_self");
	close((int)rules);
	return ok;
}

static bool set_limit(int what, rlim_t value, struct err *err)
{
	struct rlimit now, limit = { value, value };

	/* Lowering needs no privilege; a limit that stands lower already is left there. */
	if (getrlimit((__rlimit_resource_t)what, &now) == 0 && now.rlim_max < value)
		limit.rlim_cur = limit.rlim_max = now.rlim_max;
	return setrlimit((__rlimit_resource_t)what, &limit) == 0 || err_errno(err, "setrlimit %d", what);
}

/* A parent's children have limits of their own, which may be higher: they could not go above its hard one. */
static bool limit_memory(const struct fence *fence, struct err *err)
{
	struct rlimit now;

#ifdef TAYORI_SANITIZED /* the sanitizer's shadow is terabytes of address space */
	return true;
#endif
	if (!fence->keep_privileges)
		return set_limit(RLIMIT_AS, fence->memory_bytes, err);
	if (getrlimit(RLIMIT_AS, &now) < 0)
		return err_errno(err, "getrlimit");
	if (now.rlim_max > fence->memory_bytes)
		now.rlim_cur = fence->memory_bytes;
	return setrlimit(RLIMIT_AS, &now) == 0 || err_errno(err, "setrlimit");
}

static bool enter_limits(const struct fence *fence, struct err *err)
{
	if (fence->memory_bytes && !limit_memory(fence, err))
		return false;
	if (fence->descriptors && !set_limit(RLIMIT_NOFILE, fence->descriptors, err))
		return false;
	if (fence->processes_here && !set_limit(RLIMIT_NPROC, fence->processes_here, err))
		return false;
	return set_limit(RLIMIT_CORE, 0, err);
}

static bool enter_root(int root, struct err *err)
{
	if (fchdir(root) < 0 || chroot(".") < 0)
		return err_errno(err, "chroot");
	return true;
}

/* What is not in the bounding set no exec can bring back. */
static bool bound_powers(uint64_t started, struct err *err)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(started & FENCE_POWER(cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_errno(err, "dropping capability %d", cap);
	return true;
}

bool fence_keep_powers(uint64_t own, uint64_t started, struct err *err)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct now[2];

	if (!bound_powers(started, err))
		return false;
	if (syscall(__NR_capget, &head, now) < 0)
		return err_errno(err, "capget");
	for (size_t i = 0; i < COUNT(now); i++) {
		now[i].permitted &= (uint32_t)(own >> 32 * i);
		now[i].effective = now[i].permitted;
		now[i].inheritable = 0;
	}
	return syscall(__NR_capset, &head, now) == 0 || err_errno(err, "capset");
}

static bool enter_uid(const struct fence *fence, struct err *err)
{
	if (!bound_powers(0, err))
		return false;
	if (setgroups(0, NULL) < 0 || setresgid(fence->gid, fence->gid, fence->gid) < 0 ||
	    setresuid(fence->uid, fence->uid, fence->uid) < 0)
		return err_errno(err, "becoming uid %u gid %u", (unsigned)fence->uid, (unsigned)fence->gid);
	if (fence->uid != 0 && (setuid(0) == 0 || setgid(0) == 0))
		return err_set(err, "root can be had back");
	return true;
}

static bool enter_filter(int fd, struct err *err)
{
	scoped_buf struct buf program = { 0 };
	size_t most = BPF_MAXINSNS * sizeof(struct sock_filter);

	buf_reserve(&program, most);
	ssize_t n = pread(fd, program.p, most, 0);
	if (n <= 0 || (size_t)n % sizeof(struct sock_filter) != 0)
		return err_set(err, "the seccomp program cannot be read");
	struct sock_fprog prog = { (unsigned short)((size_t)n / sizeof(struct sock_filter)), (void *)program.p };
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_errno(err, "seccomp");
	return true;
}

bool fence_enter(const struct fence *fence, struct buf *walls, struct err *err)
{
	int abi = fence->landlock ? fence_landlock_abi() : 0;

	umask(077);
	if (!enter_limits(fence, err))
		return false;
	if (fence->drop && fence->root >= 0) {
		if (!enter_root(fence->root, err))
			return false;
		buf_add(walls, STR("root "));
	}
	if (fence->drop && !fence->keep_privileges) {
		if (!enter_uid(fence, err))
			return false;
		buf_addf(walls, "uid=%u ", (unsigned)fence->uid);
	}
	if (fence->drop && fence->powers && !fence_keep_powers(fence->powers, 0, err))
		return false;
	/* the kernel forgets this at a change of uid */
	if (fence->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_errno(err, "death with the parent");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno(err, "no_new_privs");
	/* A spawner's children take other folders than their parent could name: they lock themselves in. */
	if (abi > 0 && !fence->keep_privileges) {
		if (!enter_landlock(fence, abi, err))
			return false;
		buf_addf(walls, "landlock=%d ", abi);
	}
	if (fence->filter >= 0) {
		if (!enter_filter(fence->filter, err))
			return false;
		buf_add(walls, STR("seccomp "));
	}
	return true;
}
