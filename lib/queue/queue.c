#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/time.h"
#include "io/fd.h"

/* Ours, and nobody else can put files there. */
static bool check_owner(int fd, const char *name, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, "%s", name);
	if (st.st_uid != geteuid())
		return err_set(err, "%s belongs to uid %u, not to %u: run as its owner", name, (unsigned)st.st_uid,
			       (unsigned)geteuid());
	if (st.st_mode & 022)
		return err_set(err, "%s can be written by others: chmod 0700 it", name);
	return true;
}

static bool flush_folder(const struct queue *q, int fd, const char *name, struct err *err)
{
	return q->fsync(fd) == 0 || err_errno(err, "cannot flush %s", name);
}

static bool open_top(struct queue *q, int at, const char *path, struct err *err)
{
	bool created = q->mode == QUEUE_OWN && mkdirat(at, path, 0700) == 0;

	q->dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->dir < 0)
		return err_errno(err, "cannot open the queue %s", path);
	if (!created)
		return true;
	scoped_fd int parent = openat(q->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return err_errno(err, "cannot open the folder of %s", path);
	return flush_folder(q, parent, path, err);
}

/*
 * A lock on the folder itself leaves no file behind. A reader only looks whether an owner is there; as it holds the
 * lock for that moment, an owner tries more than once.
 */
static bool take_lock(const struct queue *q, const char *path, struct err *err)
{
	int kind = q->mode == QUEUE_OWN ? LOCK_EX : LOCK_SH, rc = -1;

	for (int tries = 0; tries < 3 && rc < 0; tries++) {
		if (tries > 0)
			usleep(5000);
		rc = flock(q->dir, kind | LOCK_NB);
	}
	if (rc < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, "the queue %s is in use by another process: the suite is running", path);
		return err_errno(err, "cannot lock the queue %s", path);
	}
	if (q->mode == QUEUE_READ)
		flock(q->dir, LOCK_UN);
	return true;
}

static bool open_folder(const struct queue *q, const char *name, int *out, bool *created, struct err *err)
{
	if (q->mode == QUEUE_OWN && mkdirat(q->dir, name, 0700) == 0)
		*created = true;
	*out = openat(q->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*out < 0)
		return err_errno(err, "cannot open the queue's folder %s", name);
	return q->mode == QUEUE_READ || check_owner(*out, name, err);
}

static bool open_folders(struct queue *q, const char *path, struct err *err)
{
	bool created = false;

	return open_folder(q, "tmp", &q->tmp, &created, err) && open_folder(q, "new", &q->new, &created, err) &&
	       open_folder(q, "cur", &q->cur, &created, err) && open_folder(q, "env", &q->env, &created, err) &&
	       (!created || flush_folder(q, q->dir, path, err));
}

/*
 * ext4 commits the transaction that created a file when the file is flushed, and its name was made in that same
 * transaction; without a journal it flushes the folders of a new file by itself (ext4_sync_parent). POSIX promises
 * nothing of the kind, so everywhere else the folders are flushed too. The magic is also that of ext2 and ext3,
 * which kernels of our time mount with the ext4 driver.
 */
static bool names_by_fsync(int dir)
{
	struct statfs fs;

	return fstatfs(dir, &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC;
}

bool queue_open(int at, const char *path, enum queue_mode mode, struct queue *q, struct err *err)
{
	*q = (struct queue){ .mode = mode,
			     .dir = -1,
			     .tmp = -1,
			     .new = -1,
			     .cur = -1,
			     .env = -1,
			     .fsync = fsync,
			     .syncfs = syncfs,
			     .tail = (uint32_t)random_u64() };
	crc32c(0, STR("-")); /* draws up its table before there is a second thread */
	bool ok = open_top(q, at, path, err) && (mode == QUEUE_READ || check_owner(q->dir, path, err)) &&
		  take_lock(q, path, err) && open_folders(q, path, err);
	if (ok)
		q->names_by_fsync = names_by_fsync(q->dir);
	else
		queue_close(q);
	return ok;
}

void queue_close(struct queue *q)
{
	fd_close(&q->tmp);
	fd_close(&q->new);
	fd_close(&q->cur);
	fd_close(&q->env);
	fd_close(&q->dir);
}

int queue_space(const struct queue *q, struct queue_space *out)
{
	struct statvfs fs;

	if (fstatvfs(q->dir, &fs) < 0)
		return -1;
	*out = (struct queue_space){ .bytes = (uint64_t)fs.f_bavail * fs.f_frsize,
				     .inodes = fs.f_files == 0 ? UINT64_MAX : fs.f_favail };
	return 0;
}

struct queue_id queue_id_new(struct queue *q)
{
	return queue_id_make(clock_wall_us(), q->tail++);
}
