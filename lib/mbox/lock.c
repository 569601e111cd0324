#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "mbox/folder.h"

#define LOCK "tayori-lock"
#define HOME_LOCK "tayori-uidvalidity"

static int lock_wait(int fd)
{
	struct timespec pause = { .tv_nsec = 250000 };
	int64_t until = clock_mono_ms() + MBOX_LOCK_WAIT_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (clock_mono_ms() >= until)
			return errno = EWOULDBLOCK, -1;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 10000000) /* most hold it for a moment only */
			pause.tv_nsec *= 2;
	}
	return 0;
}

enum mbox_result mbox_lock_open(int dir, const char *name, int *out, struct err *err)
{
	scoped_fd int fd = mbox_file_open(dir, name, O_RDWR | O_CREAT);

	if (fd < 0)
		return mbox_failed(err, "cannot open %s", name);
	if (lock_wait(fd) < 0) {
		if (errno != EWOULDBLOCK)
			return mbox_failed(err, "cannot lock %s", name);
		err_set(err, "%s is held by another process for more than %d s", name, MBOX_LOCK_WAIT_MS / 1000);
		return MBOX_BUSY;
	}
	*out = fd_take(&fd);
	return MBOX_OK;
}

enum mbox_result mbox_folder_lock(struct mbox_folder *f, bool *dirty, struct err *err)
{
	struct stat st;
	enum mbox_result r = mbox_lock_open(f->dir, LOCK, &f->lock, err);

	if (r)
		return r;
	if (fstat(f->lock, &st) < 0) {
		r = mbox_failed(err, "cannot read %s", LOCK);
		fd_close(&f->lock);
		return r;
	}
	*dirty = f->soiled = st.st_size > 0;
	return MBOX_OK;
}

/* A killed process leaves what it wrote in the page cache, where the next one would take it for durable. */
enum mbox_result mbox_folder_soil(struct mbox_folder *f, struct err *err)
{
	if (ftruncate(f->lock, 1) < 0)
		return mbox_failed(err, "cannot mark %s", LOCK);
	f->soiled = true;
	return MBOX_OK;
}

void mbox_folder_unlock(struct mbox_folder *f, bool clean)
{
	/* should this fail, the next one flushes once more than it must */
	if (clean && f->soiled && ftruncate(f->lock, 0) == 0)
		f->soiled = false;
	fd_close(&f->lock);
}

enum mbox_result mbox_home_lock(int home, int *out, struct err *err)
{
	return mbox_lock_open(home, HOME_LOCK, out, err);
}

/*
 * Two folders of one user never share a UIDVALIDITY, so that a tag tells which folder it is of, and a folder created anew
 * gets a higher one (RFC 9051, 2.3.1.1): the home remembers the last. Should that file be lost, the clock alone is
 * enough, unless folders are created faster than one a second.
 */
static uint32_t last_uidvalidity(int fd)
{
	char text[16] = "";
	uint64_t last = 0;
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct str line = str_of(text, n > 0 ? (size_t)n : 0);

	str_u64(str_cut(&line, '\n'), UINT32_MAX - 1, &last);
	return (uint32_t)last;
}

static enum mbox_result write_uidvalidity(int fd, uint32_t v, struct err *err)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u\n", v);

	if (pwrite(fd, text, (size_t)length, 0) != length || fsync(fd) < 0)
		return mbox_failed(err, "cannot write %s", HOME_LOCK);
	return MBOX_OK;
}

enum mbox_result mbox_draw_uidvalidity(int home, uint32_t *out, struct err *err)
{
	scoped_fd int fd = -1;
	uint64_t now = (uint64_t)(clock_wall_us() / 1000000);
	enum mbox_result r = mbox_home_lock(home, &fd, err);

	if (r)
		return r;
	uint32_t last = last_uidvalidity(fd);
	*out = last >= now ? last + 1 : (uint32_t)now;
	return write_uidvalidity(fd, *out, err);
}

enum mbox_result mbox_raise_uidvalidity(int home, uint32_t least, struct err *err)
{
	scoped_fd int fd = -1;
	enum mbox_result r = mbox_home_lock(home, &fd, err);

	if (r || last_uidvalidity(fd) >= least)
		return r;
	return write_uidvalidity(fd, least, err);
}
