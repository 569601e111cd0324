/* home - a mail folder in a temporary directory, for the tests of lib/mbox. */
#ifndef T_MBOX_HOME_H
#define T_MBOX_HOME_H

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/mbox.h"
#include "unit.h"

static char home_path[256];
static int home = -1;

static inline void home_remove(void)
{
	scoped_buf struct buf cmd = { 0 };

	buf_addf(&cmd, "rm -rf '%s'", home_path);
	if (home >= 0 && system(buf_cstr(&cmd)) != 0)
		fprintf(stderr, "cannot remove %s\n", home_path);
	fd_close(&home);
}

static inline void home_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(home_path, sizeof(home_path), "%s/mbox.XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(home_path));
	home = open(home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(home, 0);
}

static inline void home_put(const char *path, const char *text)
{
	scoped_fd int fd = openat(home, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0 && fd_write_all(fd, str_from(text)) == 0, "%s: %m", path);
}

static inline void home_get(const char *path, struct buf *out)
{
	scoped_fd int fd = openat(home, path, O_RDONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0 && fd_read_rest(fd, out) == 0, "%s: %m", path);
}

static inline bool home_has(const char *path)
{
	struct stat st;

	return fstatat(home, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void home_maildir(void)
{
	mkdirat(home, "tmp", 0700);
	mkdirat(home, "new", 0700);
	mkdirat(home, "cur", 0700);
}

static inline struct mbox_order home_order(const char *folder, const char *id, bool again)
{
	return (struct mbox_order){ .folder = str_from(folder), .id = str_from(id), .host = STR("mx.test"), .now_us = 1795327677000042, .again = again };
}

static inline enum mbox_result home_deliver(const char *folder, const char *id, bool again, const char *text,
					    struct err *err)
{
	struct mbox_order o = home_order(folder, id, again);
	scoped_delivery struct mbox_delivery *d = NULL;
	enum mbox_result r = mbox_begin(home, &o, &d, err);

	if (r || (r = mbox_write(d, str_from(text), err)))
		return r;
	return mbox_commit(&d, err);
}

static inline struct mbox *home_open(const char *folder)
{
	struct mbox *m;
	struct err err = { 0 };

	ck_assert_msg(mbox_open(home, str_from(folder), MBOX_SHARED, &m, &err) == MBOX_OK, "%s", err.text);
	return m;
}

static inline size_t home_count(const char *folder)
{
	scoped_mbox struct mbox *m = home_open(folder);

	return m->n;
}

static inline void home_text_is(struct mbox *m, size_t i, const char *want)
{
	scoped_buf struct buf got = { 0 };
	scoped_fd int fd = mbox_message_open(m, i);

	ck_assert_msg(fd >= 0, "message %zu: %m", i);
	ck_assert_int_eq(fd_read_rest(fd, &got), 0);
	ck_assert_str_is(buf_str(&got), str_from(want));
}

#endif
