#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "io/fd.h"

enum {
	ALL = 1 << SANDBOXES, /* bit of "every sandbox" */
};
#define IN(sandbox) (1 << (sandbox))
#define FILES (IN(SANDBOX_STORE) | IN(SANDBOX_MAILBOX) | IN(SANDBOX_LOG) | IN(SANDBOX_SPAWN))
#define READS (FILES | IN(SANDBOX_READ) | IN(SANDBOX_WORK))
#define THREADS (IN(SANDBOX_STORE) | IN(SANDBOX_WORK))

/* Calls that are allowed whatever their arguments, and where. */
static const struct {
	const char *name;
	int where;
} calls[] = {
	{ "read", ALL },	   { "write", ALL },	      { "readv", ALL },		{ "writev", ALL },
	{ "pread64", ALL },	   { "pwrite64", ALL },	      { "recvmsg", ALL },
	{ "recvfrom", ALL },	   { "close", ALL },
	{ "epoll_wait", ALL },	   { "epoll_pwait", ALL },    { "epoll_ctl", ALL },	{ "poll", ALL },
	{ "ppoll", ALL },	   { "futex", ALL },	      { "clock_gettime", ALL }, { "clock_nanosleep", ALL },
	{ "nanosleep", ALL },	   { "gettimeofday", ALL },   { "time", ALL },		{ "getrandom", ALL },
	{ "brk", ALL },		   { "munmap", ALL },	      { "mremap", ALL },	{ "madvise", ALL },
	{ "rt_sigreturn", ALL },   { "rt_sigprocmask", ALL }, { "rt_sigaction", ALL },	{ "sigaltstack", ALL },
	{ "exit", ALL },	   { "exit_group", ALL },     { "getpid", ALL },	{ "gettid", ALL },
	{ "fstat", ALL },	   { "lseek", ALL },	      { "getsockopt", ALL },	{ "getsockname", ALL },
	{ "getpeername", ALL },	   { "restart_syscall", ALL }, { "rseq", ALL },		{ "set_robust_list", ALL },
	{ "uname", ALL },	   { "sched_yield", ALL },    { "newfstatat", ALL },	{ "accept4", ALL },
	{ "getuid", ALL },	   { "geteuid", ALL },	      { "getgid", ALL },	{ "getegid", ALL },
	{ "getrusage", ALL },      { "membarrier", ALL },	{ "getcpu", ALL },
	{ "fchdir", READS },	   { "getdents64", READS },   { "fstatfs", READS },	{ "statfs", READS },
	{ "msync", READS },	   { "statx", READS },	      { "faccessat2", READS },	{ "lstat", READS },
	{ "stat", READS },	   { "fadvise64", READS },    { "copy_file_range", FILES }, { "sendfile", FILES },
	{ "mkdirat", FILES },	   { "unlinkat", FILES },     { "renameat", FILES },	{ "renameat2", FILES },
	{ "linkat", FILES },	   { "fsync", FILES },	      { "fdatasync", FILES },	{ "syncfs", FILES },
	{ "ftruncate", FILES },	   { "fallocate", FILES },    { "flock", FILES },
	{ "utimensat", FILES },	   { "pipe2", THREADS },      { "eventfd2", THREADS },
	/* a spawner prepares its children: ids, root, fences; they drop all this */
	{ "wait4", IN(SANDBOX_SPAWN) },
	{ "setresuid", IN(SANDBOX_SPAWN) },
	{ "setresgid", IN(SANDBOX_SPAWN) },
	{ "setgroups", IN(SANDBOX_SPAWN) },
	{ "setuid", IN(SANDBOX_SPAWN) },
	{ "setgid", IN(SANDBOX_SPAWN) },
	{ "chroot", IN(SANDBOX_SPAWN) },
	{ "prctl", IN(SANDBOX_SPAWN) },
	{ "seccomp", IN(SANDBOX_SPAWN) },
	{ "landlock_create_ruleset", IN(SANDBOX_SPAWN) },
	{ "landlock_add_rule", IN(SANDBOX_SPAWN) },
	{ "landlock_restrict_self", IN(SANDBOX_SPAWN) },
	{ "prlimit64", IN(SANDBOX_SPAWN) },
	{ "close_range", IN(SANDBOX_SPAWN) },
	{ "fchownat", IN(SANDBOX_SPAWN) },
	{ "umask", IN(SANDBOX_SPAWN) | IN(SANDBOX_LOG) },
	{ "kill", IN(SANDBOX_SPAWN) },
	{ "connect", IN(SANDBOX_NET) | IN(SANDBOX_DIAL) },
	{ "bind", IN(SANDBOX_NET) },
	{ "sendmmsg", IN(SANDBOX_NET) },
	{ "recvmmsg", IN(SANDBOX_NET) },
	{ "inotify_init1", IN(SANDBOX_SPAWN) },
	{ "inotify_add_watch", IN(SANDBOX_SPAWN) },
	{ "inotify_rm_watch", IN(SANDBOX_SPAWN) },
#ifdef TAYORI_SANITIZED
	/* what the sanitizers' runtime asks for */
	{ "prctl", ALL },	   { "sched_getaffinity", ALL }, { "readlink", ALL },	{ "prlimit64", ALL },
	{ "openat", ALL },	   { "getppid", ALL },	      { "kill", ALL },		{ "tgkill", ALL },
#endif
};

/* Libraries ask for these now and then and live without them: an error, not death. */
static const char *const refused[] = { "openat", "open",     "socket", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
				       "ioctl",	 "sysinfo",  "stat",   "lstat",	 "statx",     "prctl",	    "getcwd",	"prlimit64",
				       "sched_getaffinity", "getppid", "tgkill", "fcntl", "clone3", "connect", "umask" };

static bool allowed_somehow(const char *name, enum sandbox sandbox)
{
	for (size_t i = 0; i < COUNT(calls); i++)
		if (strcmp(calls[i].name, name) == 0 && calls[i].where & (ALL | IN(sandbox)))
			return true;
	return false;
}

static bool add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned n, const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return true; /* this machine has no such call */
	return seccomp_rule_add_array(ctx, action, nr, n, args) == 0;
}

#define EQUALS(n, value) { n, SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }
#define WITHOUT(n, bits) { n, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(bits), 0 }
#define ARGS(...) COUNT(((struct scmp_arg_cmp[]){ __VA_ARGS__ })), (struct scmp_arg_cmp[]){ __VA_ARGS__ }

/* To other hosts, over TCP and UDP, and nowhere else: no raw packets, no paths of this host, no listener. */
static bool add_net(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_INET, AF_INET6 }, kinds[] = { SOCK_STREAM, SOCK_DGRAM };
	/* libraries set what they like of the old and plain options; behind them come devices, filters, firewalls, ULPs */
	static const int below[][2] = { { SOL_SOCKET, SO_BINDTODEVICE },
					{ IPPROTO_TCP, TCP_ULP },
					{ IPPROTO_IP, IP_MULTICAST_IF },
					{ IPPROTO_IPV6, 64 } };
	static const int more[][2] = { { SOL_SOCKET, SO_SNDBUFFORCE }, { SOL_SOCKET, SO_RCVBUFFORCE }, { IPPROTO_IPV6, IPV6_TCLASS } };
	bool ok = true;

	for (size_t f = 0; f < COUNT(families); f++)
		for (size_t k = 0; k < COUNT(kinds); k++)
			ok &= add(ctx, SCMP_ACT_ALLOW, "socket",
				  ARGS(EQUALS(0, families[f]), { 1, SCMP_CMP_MASKED_EQ, 0xff, (scmp_datum_t)kinds[k] }));
	ok &= add(ctx, SCMP_ACT_ALLOW, "sendto", 0, NULL);
	ok &= add(ctx, SCMP_ACT_ALLOW, "sendmsg", 0, NULL);
	for (size_t i = 0; i < COUNT(below); i++)
		ok &= add(ctx, SCMP_ACT_ALLOW, "setsockopt",
			  ARGS(EQUALS(1, below[i][0]), { 2, SCMP_CMP_LT, (scmp_datum_t)below[i][1], 0 }));
	for (size_t i = 0; i < COUNT(more); i++)
		ok &= add(ctx, SCMP_ACT_ALLOW, "setsockopt", ARGS(EQUALS(1, more[i][0]), EQUALS(2, more[i][1])));
	return ok && add(ctx, SCMP_ACT_ALLOW, "shutdown", 0, NULL);
}

/*
 * Sockets that are held lead where they lead already: a listener that is shut down could dial out (and would be lost for
 * the next process too), as could MSG_FASTOPEN; a datagram socket sends to any name.
 */
static bool add_sockets(scmp_filter_ctx ctx, enum sandbox sandbox)
{
	static const int options[][2] = { { IPPROTO_TCP, TCP_NODELAY },
					  { SOL_SOCKET, SO_SNDBUF },
					  { SOL_SOCKET, SO_RCVTIMEO },
					  { SOL_SOCKET, SO_SNDTIMEO } };
	int pair = sandbox == SANDBOX_HELD ? SOCK_STREAM : sandbox == SANDBOX_SPAWN ? SOCK_SEQPACKET : 0;
	bool ok = true;

	if (sandbox == SANDBOX_NET)
		return add_net(ctx);
	ok &= add(ctx, SCMP_ACT_ALLOW, "sendto", ARGS(WITHOUT(3, MSG_FASTOPEN), EQUALS(4, 0)));
	ok &= add(ctx, SCMP_ACT_ALLOW, "sendmsg", ARGS(WITHOUT(2, MSG_FASTOPEN)));
	ok &= add(ctx, SCMP_ACT_ALLOW, "shutdown", ARGS(EQUALS(1, SHUT_WR)));
	for (size_t i = 0; i < COUNT(options); i++)
		ok &= add(ctx, SCMP_ACT_ALLOW, "setsockopt", ARGS(EQUALS(1, options[i][0]), EQUALS(2, options[i][1])));
	if (sandbox == SANDBOX_DIAL)
		ok &= add(ctx, SCMP_ACT_ALLOW, "socket", ARGS(EQUALS(0, AF_UNIX), EQUALS(1, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)));
	if (pair)
		ok &= add(ctx, SCMP_ACT_ALLOW, "socketpair", ARGS(EQUALS(0, AF_UNIX), EQUALS(1, pair | SOCK_CLOEXEC)));
	return ok;
}

/* Calls whose arguments decide. */
static bool add_limited(scmp_filter_ctx ctx, enum sandbox sandbox)
{
	static const int fcntls[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC };
	static const int leases[] = { F_SETLEASE, F_GETLEASE, F_SETLK, F_SETLKW, F_GETLK, F_OFD_SETLK };
	bool ok = true;

	/* No memory that can be written and run, now or later. */
	ok &= add(ctx, SCMP_ACT_ALLOW, "mmap", ARGS(WITHOUT(2, PROT_EXEC)));
	ok &= add(ctx, SCMP_ACT_ALLOW, "mprotect", ARGS(WITHOUT(2, PROT_EXEC)));
	for (size_t i = 0; i < COUNT(fcntls); i++)
		ok &= add(ctx, SCMP_ACT_ALLOW, "fcntl", ARGS(EQUALS(1, fcntls[i])));
	if (FILES & IN(sandbox))
		for (size_t i = 0; i < COUNT(leases); i++)
			ok &= add(ctx, SCMP_ACT_ALLOW, "fcntl", ARGS(EQUALS(1, leases[i])));
	if (IN(sandbox) & (IN(SANDBOX_READ) | IN(SANDBOX_WORK)))
		ok &= add(ctx, SCMP_ACT_ALLOW, "openat", ARGS(WITHOUT(2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)));
	/* No file that gives its owner's rights to others. */
	if (FILES & IN(sandbox))
		ok &= add(ctx, SCMP_ACT_ALLOW, "openat", ARGS(WITHOUT(3, S_ISUID | S_ISGID | S_ISVTX)));
	/* clone3 hides its flags behind a pointer: it is refused below, and glibc falls back to clone. */
	if (THREADS & IN(sandbox))
		ok &= add(ctx, SCMP_ACT_ALLOW, "clone", 1,
			  (struct scmp_arg_cmp[]){ SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) });
	if (sandbox == SANDBOX_SPAWN)
		ok &= add(ctx, SCMP_ACT_ALLOW, "clone", ARGS(WITHOUT(0, CLONE_NEWUSER | CLONE_NEWNS | CLONE_PTRACE)));
	return ok;
}

static bool is_limited(const char *name)
{
	return strcmp(name, "fcntl") == 0 || strcmp(name, "openat") == 0;
}

static bool add_all(scmp_filter_ctx ctx, enum sandbox sandbox)
{
	bool ok = true;

	for (size_t i = 0; i < COUNT(calls); i++)
		if (calls[i].where & (ALL | IN(sandbox)))
			ok &= add(ctx, SCMP_ACT_ALLOW, calls[i].name, 0, NULL);
	ok &= add_limited(ctx, sandbox) && add_sockets(ctx, sandbox);
	for (size_t i = 0; i < COUNT(refused); i++) {
		uint32_t action = SCMP_ACT_ERRNO(strcmp(refused[i], "clone3") == 0 ? ENOSYS : EPERM);
		/* openat that one sandbox may use with some arguments: the other arguments mean death, not an error */
		if (allowed_somehow(refused[i], sandbox) || (is_limited(refused[i]) && READS & IN(sandbox)))
			continue;
		if ((sandbox == SANDBOX_NET || sandbox == SANDBOX_DIAL) && strcmp(refused[i], "socket") == 0)
			continue;
		if (strcmp(refused[i], "fcntl") != 0)
			ok &= add(ctx, action, refused[i], 0, NULL);
	}
	return ok;
}

/* No file gives its owner's rights to others, whatever makes it. */
static bool deny_setuid_files(scmp_filter_ctx ctx)
{
	static const struct {
		const char *name;
		unsigned mode; /* which argument is the mode */
	} makers[] = { { "chmod", 1 }, { "fchmod", 1 }, { "fchmodat", 2 }, { "open", 2 }, { "openat", 3 }, { "creat", 1 },
		       { "mkdir", 1 }, { "mkdirat", 2 }, { "mknod", 1 }, { "mknodat", 2 } };
	static const unsigned bits[] = { S_ISUID, S_ISGID };
	bool ok = true;

	for (size_t i = 0; i < COUNT(makers); i++)
		for (size_t k = 0; k < COUNT(bits); k++)
			ok &= add(ctx, SCMP_ACT_ERRNO(EPERM), makers[i].name,
				  ARGS({ makers[i].mode, SCMP_CMP_MASKED_EQ, bits[k], bits[k] }));
	return ok;
}

/* A user's command: no new powers, no namespaces (in which everybody is root), and it stays in its group, which ends as a whole. */
static bool deny_command(scmp_filter_ctx ctx)
{
	static const char *const escapes[] = { "setsid", "setpgid", "chroot", "acct", "quotactl" };
	static const unsigned long spaces[] = { CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP };
	/* their modes and flags lie behind a pointer; libraries fall back to the older calls. 452: fchmodat2 */
	static const int hidden[] = { __NR_clone3, __NR_openat2, 452 };
	bool ok = deny_setuid_files(ctx);

	for (size_t i = 0; i < COUNT(escapes); i++)
		ok &= add(ctx, SCMP_ACT_ERRNO(EPERM), escapes[i], 0, NULL);
	for (size_t i = 0; i < COUNT(spaces); i++)
		ok &= add(ctx, SCMP_ACT_ERRNO(EPERM), "clone", ARGS({ 0, SCMP_CMP_MASKED_EQ, spaces[i], spaces[i] }));
	for (size_t i = 0; i < COUNT(hidden); i++)
		ok &= seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), hidden[i], 0, NULL) == 0;
	return ok;
}

/* For libraries that nobody can foresee (PAM): all but what takes over the machine or other processes. */
static bool deny_worst(scmp_filter_ctx ctx)
{
	static const char *const worst[] = { "ptrace", "process_vm_readv", "process_vm_writev", "mount", "umount2", "pivot_root", "move_mount", "fsopen", "fspick", "fsconfig", "fsmount", "mount_setattr", "open_tree", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf", "perf_event_open", "io_uring_setup", "io_uring_enter", "io_uring_register", "reboot", "swapon", "swapoff", "setns", "unshare", "userfaultfd", "keyctl", "add_key", "request_key", "open_by_handle_at", "iopl", "ioperm", "settimeofday", "clock_settime", "pidfd_getfd" };
	bool ok = true;

	for (size_t i = 0; i < COUNT(worst); i++)
		ok &= add(ctx, SCMP_ACT_ERRNO(EPERM), worst[i], 0, NULL);
	return ok;
}

int filter_build(enum sandbox sandbox, struct err *err)
{
	bool open_minded = sandbox == SANDBOX_ACCOUNT || sandbox == SANDBOX_RUN || sandbox == SANDBOX_COMMAND;
	scmp_filter_ctx ctx = seccomp_init(open_minded ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
	scoped_fd int fd = memfd_create("filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (!ctx || fd < 0) {
		err_errno(err, "seccomp filter");
		return -1;
	}
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	bool ok = open_minded ? deny_worst(ctx) : add_all(ctx, sandbox);
	if (sandbox == SANDBOX_COMMAND)
		ok = ok && deny_command(ctx);
	ok = ok && seccomp_export_bpf(ctx, fd) == 0;
	seccomp_release(ctx);
	/* Many processes hold it: whoever could write it would choose the walls of the next one. */
	ok = ok && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
	if (!ok) {
		err_set(err, "the seccomp filter of sandbox %d cannot be built", (int)sandbox);
		return -1;
	}
	return fd_take(&fd);
}
