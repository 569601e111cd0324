/* What is asked of the kernel. Harmless when it succeeds: nothing is killed, mounted or overwritten. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "evil.h"
#include "io/fd.h"

enum { FDS_LOOKED_AT = 256, UP = 12, MANY = 17000 };

static struct sockaddr_in loopback = { .sin_family = AF_INET };
static struct timespec bad_time = { 0, -1 };
static char page[4096];
static siginfo_t queued = { .si_code = SI_QUEUE };
static struct iovec own = { page, 16 };
static struct {
	uint32_t version;
	int pid;
	uint32_t data[6];
} caps = { 0x20080522, 0, { 0 } };

/* ---- files ---- */

static bool detail(struct evil *e, const char *what, int fd)
{
	snprintf(e->detail, sizeof(e->detail), "%s (descriptor %d)", what, fd);
	return true;
}

static bool is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* By its own name, from the working folder upwards, and from each folder that is held upwards. */
static bool reach(struct evil *e, const char *path, int flags)
{
	scoped_buf struct buf up = { 0 };
	int last = ENOENT;

	for (int i = 0; i < UP; i++)
		buf_add(&up, STR("../"));
	buf_add(&up, str_from(path + 1));
	for (int at = 2; at < FDS_LOOKED_AT; at++) {
		if (at > 2 && !is_folder(at))
			continue;
		int dir = at == 2 ? AT_FDCWD : at;
		int fd = openat(dir, buf_cstr(&up), flags, 0600);
		if (fd < 0 && at == 2)
			fd = openat(dir, path, flags, 0600);
		if (fd >= 0)
			return detail(e, path, dir);
		if (errno != ENOENT)
			last = errno;
	}
	errno = last;
	return false;
}

static bool reach_in(struct evil *e, const char *below, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", e->dir, below);
	return reach(e, path, flags);
}

static bool open_shadow(struct evil *e) { return reach(e, "/etc/shadow", O_RDONLY); }
static bool open_outside(struct evil *e) { return reach(e, "/etc/passwd", O_RDONLY); }
static bool open_proc(struct evil *e) { return reach(e, "/proc/stat", O_RDONLY); }
static bool open_mailbox(struct evil *e) { return reach_in(e, "mail/example.test/bob/secret", O_RDONLY); }
static bool open_key(struct evil *e) { return reach_in(e, "tls/key.pem", O_RDONLY); }
static bool open_users(struct evil *e) { return reach_in(e, "etc/users", O_RDONLY); }
static bool open_queue(struct evil *e) { return reach_in(e, "queue/secret", O_RDONLY); }
static bool open_log(struct evil *e) { return reach_in(e, "log/secret", O_RDONLY); }
static bool list_mailboxes(struct evil *e) { return reach_in(e, "mail/example.test", O_RDONLY | O_DIRECTORY); }
static bool write_world(struct evil *e) { return reach_in(e, "world/evil", O_WRONLY | O_CREAT); }

static bool open_proc_of(struct evil *e, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)e->victim, what);
	return reach(e, path, O_RDONLY);
}

static bool open_memory(struct evil *e) { return open_proc_of(e, "mem"); }
static bool open_environ(struct evil *e) { return open_proc_of(e, "environ"); }

/* From a held folder upwards there is another one. */
static bool stat_upwards(struct evil *e)
{
	struct stat here, up;

	for (int fd = 3; fd < FDS_LOOKED_AT; fd++)
		if (is_folder(fd) && fstat(fd, &here) == 0 && fstatat(fd, "..", &up, 0) == 0 &&
		    (here.st_dev != up.st_dev || here.st_ino != up.st_ino))
			return detail(e, "a folder outside", fd);
	errno = ENOENT;
	return false;
}

/* Memory files are how filters come: whoever could write one would set the walls of the next process. */
static bool rewrite_filter(struct evil *e)
{
	char octet;

	for (int fd = 3; fd < FDS_LOOKED_AT; fd++)
		if (pread(fd, &octet, 1, 0) == 1 && pwrite(fd, &octet, 1, 0) == 1)
			return detail(e, "a file that was left open", fd);
	errno = EBADF;
	return false;
}

/* Errors are printed there; what comes from there is the admin's. */
static bool read_terminal(struct evil *e)
{
	char octet;

	return pread(2, &octet, 1, 0) >= 0 && detail(e, "reading where errors are printed", 2);
}

static bool make_setuid(struct evil *e)
{
	struct stat st;

	for (int at = 2; at < FDS_LOOKED_AT; at++) {
		if (at > 2 && !is_folder(at))
			continue;
		int dir = at == 2 ? AT_FDCWD : at;
		scoped_fd int fd = openat(dir, "evil-setuid", O_CREAT | O_RDWR, 06755);
		unlinkat(dir, "evil-setuid", 0);
		if (fd >= 0 && fstat(fd, &st) == 0 && st.st_mode & (S_ISUID | S_ISGID))
			return detail(e, "a setuid file", dir);
	}
	errno = EPERM;
	return false;
}

static bool many_descriptors(struct evil *e)
{
	for (int n = 0; n < MANY; n++)
		if (fcntl(2, F_DUPFD_CLOEXEC, 0) < 0)
			return false;
	return detail(e, "more descriptors than a daemon may hold", 2);
}

static bool much_memory(struct evil *e)
{
	void *p = mmap(NULL, (size_t)8 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED && detail(e, "8 GiB of memory", -1);
}

/* ---- sockets ---- */

static int find_listener(void)
{
	int on;
	socklen_t n = sizeof(on);

	for (int fd = 3; fd < FDS_LOOKED_AT; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on)
			return fd;
	errno = ENOTSOCK;
	return -1;
}

/* A listening socket that is shut down can become a client; MSG_FASTOPEN then connects without connect(). */
static bool dial_by_listener(struct evil *e)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(evil_env("TAYORI_EVIL_PORT"))),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = find_listener();

	if (fd < 0)
		return false;
	if (shutdown(fd, SHUT_RD) == 0)
		return detail(e, "the service no longer listens", fd);
	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)) > 0 && detail(e, "a connection", fd);
}

/* Names of this kind belong to no file system: an empty root does not hide them. */
static socklen_t abstract_name(struct sockaddr_un *to)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	int n = snprintf(to->sun_path + 1, sizeof(to->sun_path) - 1, "%s", evil_env("TAYORI_EVIL_ABSTRACT"));

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static bool datagram_by_pair(struct evil *e)
{
	struct sockaddr_un to;
	socklen_t n = abstract_name(&to);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		return false;
	struct iovec iov = { page, 4 };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = n, .msg_iov = &iov, .msg_iovlen = 1 };
	return sendmsg(pair[0], &msg, 0) == 4 && detail(e, "a datagram to an abstract name", pair[0]);
}

/* The same on whatever is held. */
static bool datagram_by_held(struct evil *e)
{
	struct sockaddr_un to;
	socklen_t n = abstract_name(&to);
	struct iovec iov = { page, 4 };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = n, .msg_iov = &iov, .msg_iovlen = 1 };
	int kind, last = ENOTSOCK;

	for (int fd = 3; fd < FDS_LOOKED_AT; fd++) {
		socklen_t room = sizeof(kind);
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &room) < 0 || kind != SOCK_DGRAM)
			continue;
		if (sendmsg(fd, &msg, 0) == 4)
			return detail(e, "a datagram to an abstract name", fd);
		last = errno;
	}
	errno = last;
	return false;
}

/* ---- single calls ---- */

static bool passed(long result) { return result >= 0; }

#define CALL(name, ...)                                                                                                \
	static bool name(struct evil *e)                                                                               \
	{                                                                                                              \
		(void)e;                                                                                               \
		return passed(syscall(__VA_ARGS__));                                                                   \
	}

CALL(call_socket_inet, SYS_socket, AF_INET, SOCK_STREAM, 0)
CALL(call_socket_udp, SYS_socket, AF_INET6, SOCK_DGRAM, 0)
CALL(call_socket_unix, SYS_socket, AF_UNIX, SOCK_STREAM, 0)
CALL(call_socket_raw, SYS_socket, AF_INET, SOCK_RAW, 1)
CALL(call_socket_netlink, SYS_socket, AF_NETLINK, SOCK_RAW, 0)
CALL(call_connect, SYS_connect, 0, &loopback, sizeof(loopback))
CALL(call_bind, SYS_bind, 0, &loopback, sizeof(loopback))
CALL(call_listen, SYS_listen, 0, 1)
CALL(call_sendto, SYS_sendto, 0, "x", 1, 0, &loopback, sizeof(loopback))
CALL(call_fastopen, SYS_sendto, 0, "x", 1, MSG_FASTOPEN, NULL, 0)
CALL(call_shutdown, SYS_shutdown, 0, SHUT_RDWR)
CALL(call_sendmmsg, SYS_sendmmsg, 0, NULL, 0, 0)
CALL(call_ulp, SYS_setsockopt, 0, IPPROTO_TCP, TCP_ULP, "tls", 4)
CALL(call_attach_filter, SYS_setsockopt, 0, SOL_SOCKET, SO_ATTACH_FILTER, page, 16)
CALL(call_bind_device, SYS_setsockopt, 0, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)
CALL(call_pair_dgram, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, page)

CALL(call_execve, SYS_execve, "/nonexistent", NULL, NULL)
CALL(call_execveat, SYS_execveat, -1, "", NULL, NULL, AT_EMPTY_PATH)
CALL(call_clone3, SYS_clone3, page, 0)
CALL(call_unshare, SYS_unshare, CLONE_NEWNET)
CALL(call_unshare_user, SYS_unshare, CLONE_NEWUSER)
CALL(call_setns, SYS_setns, -1, 0)
CALL(call_ptrace, SYS_ptrace, PTRACE_SEIZE, e->victim, 0, 0)
CALL(call_vm_readv, SYS_process_vm_readv, e->victim, &own, 1, &own, 1, 0)
CALL(call_vm_writev, SYS_process_vm_writev, e->victim, &own, 0, &own, 0, 0)
CALL(call_pidfd_open, SYS_pidfd_open, e->victim, 0)
CALL(call_pidfd_getfd, SYS_pidfd_getfd, -1, 2, 0)
CALL(call_pidfd_signal, SYS_pidfd_send_signal, -1, 0, NULL, 0)
CALL(call_kill, SYS_kill, e->victim, 0)
CALL(call_kill_all, SYS_kill, -1, 0)
CALL(call_tgkill, SYS_tgkill, e->victim, e->victim, 0)
CALL(call_tkill, SYS_tkill, e->victim, 0)
CALL(call_sigqueue, SYS_rt_sigqueueinfo, e->victim, 0, &queued)
CALL(call_kcmp, SYS_kcmp, getpid(), e->victim, 0, 0, 0)
CALL(call_prlimit, SYS_prlimit64, e->victim, RLIMIT_NOFILE, NULL, page)
CALL(call_setrlimit, SYS_setrlimit, RLIMIT_NOFILE, NULL)
CALL(call_setpriority, SYS_setpriority, PRIO_PROCESS, e->victim, 19)
CALL(call_scheduler, SYS_sched_setscheduler, e->victim, -1, page)
CALL(call_affinity, SYS_sched_setaffinity, e->victim, 0, page)

CALL(call_mount, SYS_mount, "none", "/", "nosuchfs", 0, NULL)
CALL(call_umount, SYS_umount2, "/nonexistent", 0)
CALL(call_pivot_root, SYS_pivot_root, "/nonexistent", "/nonexistent")
CALL(call_open_tree, SYS_open_tree, -1, "", AT_EMPTY_PATH)
CALL(call_move_mount, SYS_move_mount, -1, "", -1, "", 0)
CALL(call_fsopen, SYS_fsopen, "nosuchfs", 0)
CALL(call_mount_setattr, SYS_mount_setattr, -1, "", 0, page, 32)
CALL(call_chroot, SYS_chroot, ".")
CALL(call_chmod, SYS_chmod, "/nonexistent", 04777)
CALL(call_fchmod, SYS_fchmod, -1, 04777)
CALL(call_fchmodat, SYS_fchmodat, AT_FDCWD, "nonexistent", 04777)
CALL(call_chown, SYS_chown, "/nonexistent", 0, 0)
CALL(call_fchown, SYS_fchown, -1, 0, 0)
CALL(call_setxattr, SYS_setxattr, "/nonexistent", "user.x", "x", 1, 0)
CALL(call_symlink, SYS_symlink, "/etc/shadow", "/nonexistent/x")
CALL(call_symlinkat, SYS_symlinkat, "/etc/shadow", -1, "evil-link")
CALL(call_mknodat, SYS_mknodat, -1, "evil-node", S_IFIFO | 0600, 0)
CALL(call_by_handle, SYS_open_by_handle_at, -1, page, O_RDONLY)
CALL(call_openat2, SYS_openat2, AT_FDCWD, "/etc/passwd", page, 24)
CALL(call_open, SYS_open, "/etc/passwd", O_RDONLY)
CALL(call_creat, SYS_creat, "/nonexistent/x", 0600)
CALL(call_inotify, SYS_inotify_init1, 0)
CALL(call_inotify_old, SYS_inotify_init)
CALL(call_inotify_add, SYS_inotify_add_watch, -1, "/", 1)
CALL(call_inotify_remove, SYS_inotify_rm_watch, -1, 1)
CALL(call_fanotify, SYS_fanotify_init, 0, O_RDONLY)
CALL(call_ioctl_push, SYS_ioctl, 2, 0x5412 /* TIOCSTI */, page)
CALL(call_ioctl_owner, SYS_ioctl, 2, 0x8901 /* FIOSETOWN */, page)
CALL(call_set_owner, SYS_fcntl, 2, F_SETOWN, e->victim)
CALL(call_set_signal, SYS_fcntl, 2, F_SETSIG, SIGKILL)
CALL(call_notify, SYS_fcntl, 2, F_NOTIFY, 0)
CALL(call_seals, SYS_fcntl, 2, F_ADD_SEALS, 0)

CALL(call_uring, SYS_io_uring_setup, 1, page)
CALL(call_uring_enter, SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0)
CALL(call_memfd, SYS_memfd_create, "evil", 0)
CALL(call_userfaultfd, SYS_userfaultfd, -1)
CALL(call_bpf, SYS_bpf, -1, page, 8)
CALL(call_perf, SYS_perf_event_open, page, 0, -1, -1, -1)
CALL(call_keyctl, SYS_keyctl, -1, 0, 0, 0, 0)
CALL(call_add_key, SYS_add_key, "user", "evil", NULL, 0, 0)
CALL(call_shmget, SYS_shmget, 4711, 0, 0)
CALL(call_msgget, SYS_msgget, 4711, 0)
CALL(call_mq_open, SYS_mq_open, "nonexistent", O_RDONLY, 0, NULL)

CALL(call_setuid, SYS_setuid, 0)
CALL(call_setresuid, SYS_setresuid, 0, 0, 0)
CALL(call_setgroups, SYS_setgroups, 0, NULL)
CALL(call_capset, SYS_capset, &caps, &caps.data)
CALL(call_dumpable, SYS_prctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0)
CALL(call_personality, SYS_personality, 0x0400000 /* READ_IMPLIES_EXEC */)
CALL(call_seccomp, SYS_seccomp, 1, 0, NULL)
CALL(call_reboot, SYS_reboot, 0, 0, 0, NULL)
CALL(call_kexec, SYS_kexec_load, 0, 17, NULL, 0)
CALL(call_init_module, SYS_init_module, NULL, 0, NULL)
CALL(call_delete_module, SYS_delete_module, "nosuchmodule", 0)
CALL(call_swapon, SYS_swapon, "/nonexistent", 0)
CALL(call_syslog, SYS_syslog, 10, NULL, 0)
CALL(call_acct, SYS_acct, "/nonexistent")
CALL(call_sethostname, SYS_sethostname, page, -1)
CALL(call_iopl, SYS_iopl, 4)
CALL(call_ioperm, SYS_ioperm, 0x10000, 1, 1)
CALL(call_clock_settime, SYS_clock_settime, 0, &bad_time)
CALL(call_settimeofday, SYS_settimeofday, &bad_time, NULL)
CALL(call_adjtimex, SYS_adjtimex, page)
CALL(call_quotactl, SYS_quotactl, 0, "/nonexistent", 0, NULL)

CALL(call_run_memory, SYS_mmap, NULL, sizeof(page), PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
CALL(call_run_data, SYS_mprotect, ((uintptr_t)page & ~(uintptr_t)4095), sizeof(page), PROT_READ | PROT_EXEC)
CALL(call_run_pkey, SYS_pkey_mprotect, ((uintptr_t)page & ~(uintptr_t)4095), sizeof(page), PROT_READ | PROT_EXEC, -1)
#ifdef __x86_64__
CALL(call_x32, 0x40000000 | SYS_getpid)

/* The other table of calls of this machine: a filter that looks at numbers alone takes it for something else. */
static bool call_i386(struct evil *e)
{
	long pid = 20; /* getpid there */

	(void)e;
	__asm__ volatile("int $0x80" : "+a"(pid)::"memory", "r8", "r9", "r10", "r11");
	if (pid < 0)
		errno = (int)-pid;
	return pid > 0;
}
#endif

static bool make_process(long flags)
{
	long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	return pid > 0;
}

static bool call_fork(struct evil *e)
{
	(void)e;
	return make_process(SIGCHLD);
}

static bool call_vfork(struct evil *e)
{
	(void)e;
	return make_process(CLONE_VFORK | SIGCHLD);
}

static bool call_clone_user(struct evil *e)
{
	(void)e;
	return make_process(CLONE_NEWUSER | SIGCHLD);
}

#define C ACT_CALL
#define P (ACT_CALL | ACT_PARENT)
#define A (ACT_CALL | ACT_PARENT | ACT_ACCOUNT)
/* the parents of sessions watch the folders of those that sleep; local has the same sandbox */
#define WATCHERS "pop3session imapsession local"

const struct act acts[] = {
	{ "open_shadow", open_shadow, 0, "" },
	{ "open_outside", open_outside, 0, "" },
	{ "open_environ", open_environ, 0, "" },
	{ "open_proc", open_proc, 0, "" },
	{ "open_memory", open_memory, 0, "" },
	{ "open_mailbox", open_mailbox, 0, "" },
	{ "open_key", open_key, 0, "" },
	{ "open_users", open_users, 0, "authd lookupd" },
	{ "open_queue", open_queue, 0, "qmgr" },
	{ "open_log", open_log, 0, "logd" },
	{ "list_mailboxes", list_mailboxes, 0, "" },
	{ "write_world", write_world, 0, "" },
	{ "stat_upwards", stat_upwards, 0, "" },
	{ "rewrite_filter", rewrite_filter, ACT_PARENT, "" },
	{ "read_terminal", read_terminal, ACT_PARENT | ACT_ACCOUNT, "" },
	{ "make_setuid", make_setuid, ACT_PARENT, "" },
	{ "many_descriptors", many_descriptors, ACT_PARENT | ACT_ACCOUNT, "" },
	{ "much_memory", much_memory, ACT_PARENT | ACT_ACCOUNT, "" },
	{ "datagram_by_pair", datagram_by_pair, ACT_PARENT, "" },
	{ "datagram_by_held", datagram_by_held, ACT_PARENT, "" },
	{ "socket_inet", call_socket_inet, P, "smtp resolverd" },
	{ "socket_udp", call_socket_udp, P, "smtp resolverd" },
	{ "socket_unix", call_socket_unix, P, "" },
	{ "socket_raw", call_socket_raw, P, "" },
	{ "socket_netlink", call_socket_netlink, P, "" },
	{ "connect", call_connect, P, "smtp resolverd dialer" },
	{ "bind", call_bind, P, "smtp resolverd" },
	{ "listen", call_listen, P, "" },
	{ "sendto_address", call_sendto, P, "smtp resolverd" },
	{ "sendto_fastopen", call_fastopen, P, "smtp resolverd" },
	{ "shutdown_both", call_shutdown, P, "smtp resolverd" },
	{ "sendmmsg", call_sendmmsg, P, "smtp resolverd" },
	{ "setsockopt_ulp", call_ulp, P, "" },
	{ "setsockopt_filter", call_attach_filter, P, "" },
	{ "setsockopt_device", call_bind_device, P, "" },
	{ "socketpair_dgram", call_pair_dgram, P, "" },
	{ "execve", call_execve, P, "" },
	{ "execveat", call_execveat, P, "" },
	{ "fork", call_fork, C, "" },
	{ "vfork", call_vfork, C, "" },
	{ "clone3", call_clone3, P, "" },
	{ "clone_newuser", call_clone_user, P, "" },
	{ "unshare", call_unshare, A, "" },
	{ "unshare_user", call_unshare_user, A, "" },
	{ "setns", call_setns, A, "" },
	{ "ptrace", call_ptrace, A, "" },
	{ "process_vm_readv", call_vm_readv, A, "" },
	{ "process_vm_writev", call_vm_writev, A, "" },
	{ "pidfd_open", call_pidfd_open, P, "" },
	{ "pidfd_getfd", call_pidfd_getfd, A, "" },
	{ "pidfd_send_signal", call_pidfd_signal, P, "" },
	{ "kill", call_kill, C, "" },
	{ "kill_all", call_kill_all, C, "" },
	{ "tgkill", call_tgkill, P, "" },
	{ "tkill", call_tkill, P, "" },
	{ "rt_sigqueueinfo", call_sigqueue, P, "" },
	{ "kcmp", call_kcmp, P, "" },
	{ "prlimit_other", call_prlimit, C, "" },
	{ "setrlimit", call_setrlimit, P, "" },
	{ "setpriority", call_setpriority, P, "" },
	{ "sched_setscheduler", call_scheduler, P, "" },
	{ "sched_setaffinity", call_affinity, P, "" },
	{ "mount", call_mount, A, "" },
	{ "umount2", call_umount, A, "" },
	{ "pivot_root", call_pivot_root, A, "" },
	{ "open_tree", call_open_tree, A, "" },
	{ "move_mount", call_move_mount, A, "" },
	{ "fsopen", call_fsopen, A, "" },
	{ "mount_setattr", call_mount_setattr, A, "" },
	{ "chroot", call_chroot, C, "" },
	{ "chmod", call_chmod, P, "" },
	{ "fchmod", call_fchmod, P, "" },
	{ "fchmodat", call_fchmodat, P, "" },
	{ "chown", call_chown, P, "" },
	{ "fchown", call_fchown, P, "" },
	{ "setxattr", call_setxattr, P, "" },
	{ "symlink", call_symlink, P, "" },
	{ "symlinkat", call_symlinkat, P, "" },
	{ "mknodat", call_mknodat, P, "" },
	{ "open_by_handle_at", call_by_handle, A, "" },
	{ "openat2", call_openat2, P, "" },
	{ "open_old", call_open, P, "" },
	{ "creat", call_creat, P, "" },
	{ "inotify", call_inotify, P, WATCHERS },
	{ "inotify_init", call_inotify_old, P, "" },
	{ "inotify_add_watch", call_inotify_add, P, WATCHERS },
	{ "inotify_rm_watch", call_inotify_remove, P, WATCHERS },
	{ "fanotify", call_fanotify, P, "" },
	{ "ioctl_tiocsti", call_ioctl_push, P, "" },
	{ "ioctl_setown", call_ioctl_owner, P, "" },
	{ "fcntl_setown", call_set_owner, P, "" },
	{ "fcntl_setsig", call_set_signal, P, "" },
	{ "fcntl_notify", call_notify, P, "" },
	{ "fcntl_seals", call_seals, P, "" },
	{ "io_uring", call_uring, A, "" },
	{ "io_uring_enter", call_uring_enter, A, "" },
	{ "memfd_create", call_memfd, P, "" },
	{ "userfaultfd", call_userfaultfd, A, "" },
	{ "bpf", call_bpf, A, "" },
	{ "perf_event_open", call_perf, A, "" },
	{ "keyctl", call_keyctl, A, "" },
	{ "add_key", call_add_key, A, "" },
	{ "shmget", call_shmget, P, "" },
	{ "msgget", call_msgget, P, "" },
	{ "mq_open", call_mq_open, P, "" },
	{ "setuid", call_setuid, C, "" },
	{ "setresuid", call_setresuid, C, "" },
	{ "setgroups", call_setgroups, C, "" },
	{ "capset", call_capset, P, "" },
	{ "prctl_dumpable", call_dumpable, C, "" },
	{ "personality", call_personality, P, "" },
	{ "seccomp", call_seccomp, C, "" },
	{ "reboot", call_reboot, A, "" },
	{ "kexec_load", call_kexec, A, "" },
	{ "init_module", call_init_module, A, "" },
	{ "delete_module", call_delete_module, A, "" },
	{ "swapon", call_swapon, A, "" },
	{ "syslog", call_syslog, P, "" },
	{ "acct", call_acct, P, "" },
	{ "sethostname", call_sethostname, P, "" },
	{ "iopl", call_iopl, A, "" },
	{ "ioperm", call_ioperm, A, "" },
	{ "clock_settime", call_clock_settime, A, "" },
	{ "settimeofday", call_settimeofday, A, "" },
	{ "adjtimex", call_adjtimex, P, "" },
	{ "quotactl", call_quotactl, P, "" },
	{ "mmap_exec", call_run_memory, P, "" },
	{ "mprotect_exec", call_run_data, P, "" },
	{ "pkey_mprotect_exec", call_run_pkey, P, "" },
#ifdef __x86_64__
	{ "x32_calls", call_x32, A, "" },
	{ "i386_calls", call_i386, A, "" },
#endif
	/* the last: it takes the listener away from all who share it */
	{ "dial_by_listener", dial_by_listener, ACT_PARENT, "" },
};
const size_t n_acts = COUNT(acts);
