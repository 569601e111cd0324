/* Each act in a process of its own, since the kernel's answer may be death. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evil.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "proc/inner.h"
#include "proc/spawn.h"

enum { ACT_SECONDS = 10 };

struct result {
	bool ok;
	int error;
	char detail[160];
};

void evil_tell(const struct evil *e, const char *act, int kind, bool ok, int error, int status)
{
	const char *name = strerrorname_np(error);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		dprintf(2, "evil %s %s: refused killed\n", e->who, act);
	else if (status != 0)
		dprintf(2, "evil %s %s: DIED status %d\n", e->who, act, status);
	else if (ok || (kind & ACT_CALL && error != EPERM && error != ENOSYS))
		dprintf(2, "evil %s %s: SUCCEEDED %s\n", e->who, act, ok ? e->detail : name ? name : "?");
	else
		dprintf(2, "evil %s %s: refused %s\n", e->who, act, name ? name : "?");
}

static int perform(struct evil *e, const struct act *a, int to)
{
	struct result r = { 0 };

	errno = 0;
	r.ok = a->run(e);
	r.error = errno;
	snprintf(r.detail, sizeof(r.detail), "%s", e->detail);
	return write(to, &r, sizeof(r)) != sizeof(r);
}

static void collect(struct evil *e, const struct act *a, pid_t pid, int from)
{
	struct result r = { 0 };
	int status = 0;

	(void)!read(from, &r, sizeof(r));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	snprintf(e->detail, sizeof(e->detail), "%s", r.detail);
	evil_tell(e, a->name, a->kind, r.ok, r.error, status);
	e->detail[0] = '\0';
}

static bool is_own(const struct evil *e, const struct act *a)
{
	return strstr(a->own, e->daemon) != NULL;
}

/* ---- behind a daemon's fence, or behind none ---- */

static bool stand(struct evil *e, bool fenced)
{
	struct err err = { 0 };

	signal(SIGALRM, SIG_DFL);
	alarm(ACT_SECONDS);
	if (!fenced || control_enter_fence(e->run, &err))
		return true;
	dprintf(2, "evil %s: no fence: %s\n", e->who, err.text);
	return false;
}

/* The victim stands behind the same fence and waits for its channel to close. */
static pid_t make_victim(struct evil *e, bool fenced, int *hold)
{
	int fds[2];
	char octet;

	if (pipe2(fds, O_CLOEXEC) < 0)
		panic("pipe: %m");
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[1]);
		if (stand(e, fenced))
			(void)!read(fds[0], &octet, 1);
		_exit(0);
	}
	close(fds[0]);
	*hold = fds[1];
	return pid;
}

static void try_all(struct evil *e, bool fenced, int kind)
{
	int hold;

	e->victim = make_victim(e, fenced, &hold);
	for (size_t i = 0; i < n_acts; i++) {
		const struct act *a = &acts[i];
		int fds[2];
		if ((kind && !(a->kind & kind)) || (fenced && is_own(e, a)))
			continue;
		if (pipe2(fds, O_CLOEXEC) < 0)
			panic("pipe: %m");
		pid_t pid = fork();
		if (pid == 0)
			_exit(stand(e, fenced) ? perform(e, a, fds[1]) : 9);
		close(fds[1]);
		collect(e, a, pid, fds[0]);
		close(fds[0]);
	}
	close(hold);
	while (waitpid(e->victim, NULL, 0) < 0 && errno == EINTR)
		;
}

void evil_fenced(struct evil *e)
{
	bool account = strcmp(e->daemon, "accountd") == 0 || strcmp(e->daemon, "commandd") == 0;

	try_all(e, true, account ? ACT_ACCOUNT : evil_is_spawner(e->daemon) ? ACT_PARENT : 0);
}

void evil_free(struct evil *e)
{
	try_all(e, false, 0);
}

/* ---- as a spawner's child ---- */

enum { MAPS_GIB = 4 /* a session of IMAP maps its index */ };

struct job {
	struct evil *e;
	const struct act *act; /* NULL: be the victim */
	int fd;
};

static int work(void *arg)
{
	struct job *j = arg;
	char octet;

	if (j->act)
		return perform(j->e, j->act, j->fd);
	return read(j->fd, &octet, 1) > 0;
}

static pid_t spawn(struct evil *e, const char *user, struct job *job)
{
	const struct run_folder *f = e->run->inner->folders;
	scoped_buf struct buf home = { 0 };
	struct err err = { 0 };
	struct stat st;

	while (f && !str_ends(f->path, STR("/mail")))
		f = f->next;
	if (!f || fstat(f->fd, &st) < 0)
		panic("virtual_mailbox_base was not given");
	buf_addf(&home, "%.*s/example.test/%s", STR_ARG(f->path), user);
	struct spawn_user u = { str_from(user), st.st_uid, st.st_gid, buf_str(&home), true };
	struct spawn_rules rules = { .first_valid_uid = 100, .base = f->path };
	if (strcmp(e->daemon, "imapsession") == 0)
		rules.memory_bytes = (uint64_t)MAPS_GIB << 30;
	pid_t pid = spawn_child(e->run, &u, &rules, work, job, &job->fd, 1, &err);
	if (pid < 0)
		dprintf(2, "evil %s: no child: %s\n", e->who, err.text);
	return pid;
}

/* Pipes are not for spawners: a pair, as they have. */
void evil_spawned(struct evil *e)
{
	int hold[2], fds[2];

	if (channel_pair(hold) < 0)
		panic("socketpair: %m");
	struct job victim = { e, NULL, hold[1] };
	e->victim = spawn(e, "bob", &victim);
	close(hold[1]);
	for (size_t i = 0; i < n_acts; i++) {
		if (channel_pair(fds) < 0)
			panic("socketpair: %m");
		struct job job = { e, &acts[i], fds[1] };
		pid_t pid = spawn(e, "alice", &job);
		close(fds[1]);
		if (pid > 0)
			collect(e, &acts[i], pid, fds[0]);
		close(fds[0]);
	}
	close(hold[0]);
	waitpid(e->victim, NULL, 0);
}
