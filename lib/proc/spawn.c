#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "proc/fence.h"

enum {
	CHILD_MEMORY = 512 << 20,
	CHILD_DESCRIPTORS = 64,
	OUTSIDE_DESCRIPTORS = 256,
	OUTSIDE_PROCESSES = 512, /* of that uid */
	DEPTH_MOST = 16,
};

/* Root's, as we make them and without folders: made by one of us who was killed before it was given to the user. */
static bool half_made(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 && st.st_nlink <= 2 && (st.st_mode & 0777) == 0700;
}

/* One step down, never through a link; made for the user when it is missing. */
static int step_into(int parent, const char *name, const struct spawn_user *user, bool own)
{
	scoped_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 ? errno != ENOENT : !own || !half_made(fd))
		return fd_take(&fd);
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -1;
	if (own && fchownat(parent, name, user->uid, user->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	scoped_fd int up = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up < 0 || fsync(up) < 0)
		return -1;
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Below the base every step is ours, so every step belongs to the mail uid. */
static int open_virtual(struct run *run, const struct spawn_user *user, const struct spawn_rules *rules, struct err *err)
{
	struct str rest = user->home;
	scoped_fd int fd = fcntl(run_folder(run, rules->base), F_DUPFD_CLOEXEC, 0);
	char name[256];

	if (fd < 0 || !str_starts(rest, rules->base)) {
		err_set(err, "%.*s is not below virtual_mailbox_base", STR_ARG(user->home));
		return -1;
	}
	rest = str_skip(rest, rules->base.n);
	for (int depth = 0; rest.n > 0; depth++) {
		struct str part = str_cut(&rest, '/');
		if (part.n == 0)
			continue;
		if (part.p[0] == '.' || part.n >= sizeof(name) || str_find(part, '\0') >= 0 || depth > DEPTH_MOST) {
			err_set(err, "%.*s is no name for a mail folder", STR_ARG(user->home));
			return -1;
		}
		snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
		int next = step_into(fd, name, user, run->privileged);
		fd_close(&fd);
		fd = next;
		if (fd < 0) {
			err_errno(err, "mail folder %.*s", STR_ARG(user->home));
			return -1;
		}
	}
	return fd_take(&fd);
}

/* With the user's own rights, so that links and modes in the home mean what they mean to the user. */
static int open_system(struct run *run, const struct spawn_user *user, struct err *err)
{
	scoped_buf struct buf path = { 0 };

	buf_add(&path, user->home);
	if (run->privileged &&
	    (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, 0) < 0 || setresuid((uid_t)-1, user->uid, 0) < 0)) {
		err_errno(err, "becoming %.*s", STR_ARG(user->user));
		return -1;
	}
	if (mkdirat(AT_FDCWD, buf_cstr(&path), 0700) < 0 && errno != EEXIST)
		err_errno(err, "%s", buf_cstr(&path));
	int fd = open(buf_cstr(&path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		err_errno(err, "mail folder %s", buf_cstr(&path));
	if (run->privileged && setresuid((uid_t)-1, 0, 0) < 0)
		panic("root cannot be had back: %m");
	return fd;
}

static bool owned_by(int fd, uint32_t uid)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == uid;
}

struct child {
	struct run *run;
	const struct spawn_user *user;
	const struct spawn_rules *rules;
	int (*body)(void *arg);
	void *arg;
	int home; /* opened by the parent for virtual users */
};

static int fail(const struct child *c, const char *why)
{
	fprintf(stderr, "%s: %.*s: %s\n", c->run->daemon->name, STR_ARG(c->user->user), why);
	return 1;
}

/* In the child: everything that needs root, then the fence, then the work. */
static int child_main(void *arg)
{
	struct child *c = arg;
	struct err err = { 0 };
	scoped_buf struct buf walls = { 0 };

	if (!c->user->virtual_user)
		c->home = open_system(c->run, c->user, &err);
	if (c->home < 0)
		return fail(c, err.text);
	if (c->run->privileged && !owned_by(c->home, c->user->uid))
		return fail(c, "the mail folder does not belong to the user");
	if (fchdir(c->home) < 0)
		return fail(c, "the mail folder cannot be entered");
	struct fence_folder folder = { c->home, true };
	struct fence fence = {
		.drop = c->run->privileged,
		.uid = c->user->uid,
		.gid = c->user->gid,
		.root = c->home,
		.filter = c->run->child_filter,
		.landlock = c->run->landlock,
		.dies_with_parent = c->rules->dies_with_parent,
		.memory_bytes = c->rules->memory_bytes ? c->rules->memory_bytes : CHILD_MEMORY,
		.descriptors = CHILD_DESCRIPTORS,
		.folders = &folder,
		.n_folders = 1,
	};
	if (!fence_enter(&fence, &walls, &err))
		return fail(c, err.text);
	fd_close(&c->home);
	fd_close(&c->run->child_filter);
	return c->body(c->arg);
}

static bool enter(const char *folder)
{
	scoped_fd int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fchdir(fd) == 0;
}

/* As child_main, but its root stays: whatever the body opens, it opens as the user. */
static int outside_main(void *arg)
{
	struct child *c = arg;
	struct err err = { 0 };
	scoped_buf struct buf walls = { 0 }, home = { 0 };
	struct fence fence = {
		.drop = c->run->privileged,
		.uid = c->user->uid,
		.gid = c->user->gid,
		.root = -1,
		.filter = c->run->child_filter,
		.dies_with_parent = c->rules->dies_with_parent,
		.memory_bytes = c->rules->memory_bytes ? c->rules->memory_bytes : CHILD_MEMORY,
		.descriptors = OUTSIDE_DESCRIPTORS,
		.processes_here = OUTSIDE_PROCESSES,
	};

	buf_add(&home, c->user->home);
	/* behind the fence of commands nobody changes his group */
	if (c->rules->own_group && setpgid(0, 0) < 0)
		return fail(c, "no process group of its own");
	if (!fence_enter(&fence, &walls, &err))
		return fail(c, err.text);
	if (!enter(buf_cstr(&home)) && !enter("/"))
		return fail(c, "no current folder");
	fd_close(&c->run->child_filter);
	return c->body(c->arg);
}

/* Of what spawn_child and spawn_outside share: the fork, with `keep` and what prepares the child. */
static pid_t fork_child(struct child *c, int (*child)(void *arg), const int keep[], size_t n, struct err *err)
{
	int all[16];
	size_t n_all = 0;

	ASSERT(n + 2 <= COUNT(all));
	for (; n_all < n; n_all++)
		all[n_all] = keep[n_all];
	if (c->home >= 0)
		all[n_all++] = c->home;
	if (c->run->child_filter >= 0)
		all[n_all++] = c->run->child_filter;
	pid_t pid = run_fork(c->run, child, c, all, n_all);
	if (pid < 0)
		err_errno(err, "fork");
	return pid;
}

static bool may_be(const struct run *run, const struct spawn_user *user, const struct spawn_rules *rules, struct err *err)
{
	if (run->privileged && (user->uid < rules->first_valid_uid || user->uid == 0 || user->gid == 0))
		return err_set(err, "uid %u is below first_valid_uid", user->uid);
	return true;
}

pid_t spawn_child(struct run *run, const struct spawn_user *user, const struct spawn_rules *rules,
		  int (*body)(void *arg), void *arg, const int keep[], size_t n, struct err *err)
{
	struct child c = { run, user, rules, body, arg, -1 };

	if (!may_be(run, user, rules, err))
		return -1;
	if (user->virtual_user && (c.home = open_virtual(run, user, rules, err)) < 0)
		return -1;
	pid_t pid = fork_child(&c, child_main, keep, n, err);
	fd_close(&c.home);
	return pid;
}

pid_t spawn_outside(struct run *run, const struct spawn_user *user, const struct spawn_rules *rules,
		    int (*body)(void *arg), void *arg, const int keep[], size_t n, struct err *err)
{
	struct child c = { run, user, rules, body, arg, -1 };

	if (!may_be(run, user, rules, err))
		return -1;
	return fork_child(&c, outside_main, keep, n, err);
}
