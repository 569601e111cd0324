#include "append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "forward/head.h"
#include "io/fd.h"

enum { CHUNK = 64 << 10 };

static const struct str from = { "From ", 5 };

struct mailbox_file {
	const struct local_conf *conf;
	const char *path;
	char *lock; /* of the dotlock that we hold; empty: none */
	int lock_fd;
	int fd;
	off_t size; /* before; -1: nothing to undo */
	struct err why;
};

static void let_go(struct mailbox_file *f)
{
	if (f->fd >= 0 && f->size >= 0 && ftruncate(f->fd, f->size) == 0)
		fsync(f->fd);
	fd_close(&f->fd);
	if (f->lock && f->lock[0])
		unlinkat(AT_FDCWD, f->lock, 0);
	fd_close(&f->lock_fd);
}
#define scoped_mailbox_file __attribute__((cleanup(let_go)))

/* ---- locks ---- */

static void pause_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool wants(const struct mailbox_file *f, struct str word)
{
	return conf_list_has(f->conf->mailbox_delivery_lock, word);
}

/* In our dotlocks, which we hold locked: one that nobody holds was left behind by one of us who was killed. */
static const char mark[] = "tayori\n";

static bool is_abandoned(int fd)
{
	char text[sizeof(mark)];

	return pread(fd, text, sizeof(text), 0) == sizeof(mark) - 1 && memcmp(text, mark, sizeof(mark) - 1) == 0 &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* Old ones too; of those of other programs nothing else is known. Two who see one at once may remove each other's, as with all dotlocks. */
static void remove_stale(const struct mailbox_file *f, const char *lock)
{
	scoped_fd int fd = open(lock, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st, own;

	if (fstatat(AT_FDCWD, lock, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	bool ours = fd >= 0 && is_abandoned(fd) && fstat(fd, &own) == 0 && own.st_ino == st.st_ino &&
		    own.st_dev == st.st_dev;
	if (ours || clock_wall_us() / 1000 - (int64_t)st.st_mtime * 1000 > f->conf->stale_lock_time)
		unlinkat(AT_FDCWD, lock, 0);
}

/* Where no file can be made beside it, the other locks must do. */
static bool take_dotlock(struct mailbox_file *f, char *lock)
{
	bool other = wants(f, STR("fcntl")) || wants(f, STR("flock"));

	for (int64_t tries = 0; wants(f, STR("dotlock")); tries++) {
		f->lock_fd = open(lock, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (f->lock_fd >= 0) {
			f->lock = lock;
			/* a full disk leaves it empty, and it counts as another program's */
			if (flock(f->lock_fd, LOCK_EX | LOCK_NB) == 0)
				(void)!fd_write_all(f->lock_fd, str_from(mark));
			return true;
		}
		if ((errno == EACCES || errno == EPERM || errno == EROFS) && other)
			return true;
		if (errno != EEXIST)
			return err_errno(&f->why, "lock %s", lock);
		remove_stale(f, lock);
		if (tries >= f->conf->deliver_lock_attempts)
			return err_set(&f->why, "unable to lock for exclusive access: %s is there", lock);
		if (tries > 0)
			pause_ms(f->conf->deliver_lock_delay);
	}
	return true;
}

static bool try_locks(const struct mailbox_file *f)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (wants(f, STR("fcntl")) && fcntl(f->fd, F_SETLK, &whole) < 0)
		return false;
	return !wants(f, STR("flock")) || flock(f->fd, LOCK_EX | LOCK_NB) == 0;
}

static bool take_locks(struct mailbox_file *f)
{
	for (int64_t tries = 1; !try_locks(f); tries++) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_errno(&f->why, "lock of %s", f->path);
		if (tries >= f->conf->deliver_lock_attempts)
			return err_set(&f->why, "unable to lock for exclusive access: another program holds %s",
				       f->path);
		pause_ms(f->conf->deliver_lock_delay);
	}
	return true;
}

/* ---- the file ---- */

static bool is_mailbox(struct mailbox_file *f, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return err_set(&f->why, "%s is no regular file", f->path);
	if (st->st_nlink != 1)
		return err_set(&f->why, "%s has more than one name", f->path);
	if (st->st_mode & (S_IXUSR | S_IXGRP | S_IXOTH | S_ISUID | S_ISGID))
		return err_set(&f->why, "%s is a program", f->path);
	return true;
}

static bool open_file(struct mailbox_file *f)
{
	struct stat st, now;

	f->fd = open(f->path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (f->fd < 0 || fstat(f->fd, &st) < 0)
		return err_errno(&f->why, "%s", f->path);
	if (!is_mailbox(f, &st) || !take_locks(f))
		return false;
	/* a program that rewrites mailboxes may have put another in its place before we had the lock */
	if (fstat(f->fd, &st) < 0 || fstatat(AT_FDCWD, f->path, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != now.st_ino || st.st_dev != now.st_dev)
		return err_set(&f->why, "%s was replaced meanwhile", f->path);
	f->size = st.st_size;
	return true;
}

static bool flush_folder(struct mailbox_file *f)
{
	scoped_arena struct arena tmp = { 0 };
	const char *slash = strrchr(f->path, '/');
	const char *folder = slash == f->path ? "/" : arena_printf(&tmp, "%.*s", (int)(slash - f->path), f->path);
	scoped_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* one that may be searched but not read: not all can be had */
	return fd < 0 || fsync(fd) == 0 || err_errno(&f->why, "%s", folder);
}

/* ---- the message ---- */

/* Lines that begin with "From " are told from the beginning of a message by a '>' before them. */
struct quoting {
	struct buf out;
	size_t held; /* octets of "From " at the beginning of a line, not yet in `out` */
	bool inside; /* of a line that does not begin so */
};

static void release(struct quoting *q)
{
	buf_add(&q->out, str_head(from, q->held));
	q->held = 0;
	q->inside = true;
}

static void quote(struct quoting *q, struct str chunk)
{
	for (size_t i = 0; i < chunk.n; i++) {
		char c = chunk.p[i];
		if (!q->inside && c == from.p[q->held]) {
			if (++q->held == from.n) {
				buf_addc(&q->out, '>');
				release(q);
			}
			continue;
		}
		if (!q->inside)
			release(q);
		buf_addc(&q->out, c);
		q->inside = c != '\n';
	}
}

static bool write_out(struct mailbox_file *f, struct buf *out)
{
	int rc = fd_write_all(f->fd, buf_str(out));

	buf_reset(out);
	return rc == 0 || err_errno(&f->why, "cannot append to %s", f->path);
}

static bool write_body(struct mailbox_file *f, const struct deliver *m, struct quoting *q)
{
	scoped_buf struct buf chunk = { 0 };

	buf_reserve(&chunk, CHUNK);
	for (uint64_t at = 0; at < m->size;) {
		ssize_t n =
			pread(m->content, chunk.p, m->size - at < CHUNK ? (size_t)(m->size - at) : CHUNK, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(&f->why, "the queue file is shorter than its envelope says");
		quote(q, str_of(chunk.p, (size_t)n));
		at += (uint64_t)n;
		if (q->out.n >= CHUNK && !write_out(f, &q->out))
			return false;
	}
	return true;
}

static bool write_message(struct mailbox_file *f, const struct deliver *m, struct quoting *q)
{
	char last = '\n';

	/* what another program left without an end must not swallow this message */
	if (f->size > 0 && pread(f->fd, &last, 1, f->size - 1) == 1 && last != '\n')
		buf_add(&q->out, STR("\n\n"));
	head_from_line(m->sender, clock_wall_us(), &q->out);
	head_write(m, &q->out);
	if (!write_body(f, m, q))
		return false;
	bool ended = !q->inside && q->held == 0;
	release(q);
	buf_add(&q->out, ended ? STR("\n") : STR("\n\n"));
	return write_out(f, &q->out);
}

static bool append(struct mailbox_file *f, const struct deliver *m, char *lock)
{
	struct quoting q = { 0 };

	if (!take_dotlock(f, lock) || !open_file(f))
		return false;
	bool ok = write_message(f, m, &q);
	buf_free(&q.out);
	if (!ok)
		return false;
	if (fsync(f->fd) < 0)
		return err_errno(&f->why, "cannot flush %s", f->path);
	return f->size > 0 || flush_folder(f);
}

void append_message(const struct deliver *m, const struct local_conf *conf, struct buf *text, struct delivered *out)
{
	scoped_arena struct arena tmp = { 0 };
	const char *path = arena_str(&tmp, m->target).p;
	char *lock = arena_printf(&tmp, "%s.lock", path);
	scoped_mailbox_file struct mailbox_file f = { .conf = conf, .path = path, .lock_fd = -1, .fd = -1, .size = -1 };
	bool full;

	buf_reset(text);
	if (strcmp(path, "/dev/null") == 0 || append(&f, m, lock)) {
		f.size = -1;
		buf_addf(text, "delivered to file: %s", path);
		*out = (struct delivered){ .result = DELIVERY_DONE, .status = STR("2.0.0"), .text = buf_str(text) };
		return;
	}
	full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
	buf_addf(text, "cannot append message to file %s", f.why.text);
	*out = (struct delivered){ .result = DELIVERY_DEFERRED,
				   .status = full ? STR("4.2.2") : STR("4.2.0"),
				   .text = buf_str(text) };
}
