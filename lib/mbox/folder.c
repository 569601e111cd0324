#include "mbox/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "base/utf8.h"
#include "io/fd.h"

enum { FOLDER_NAME_MAX = 200, STALE_LINES_MAX = 1000 };

#define RECORD "tayori-folder"
#define LOCK "tayori-lock"

bool mbox_folder_ok(struct str name)
{
	if (name.n > FOLDER_NAME_MAX || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool ends_part = i == 0 || i + 1 == name.n || name.p[i + 1] == '.';
		if ((c >= 0 && c < ' ') || c == 0x7f || c == '/' || (c == '.' && ends_part))
			return false;
	}
	return true;
}

static bool is_inbox(struct str name)
{
	return name.n == 0 || str_ieq(name, STR("INBOX"));
}

enum mbox_result mbox_failed(struct err *err, const char *format, ...)
{
	char text[160];
	va_list ap;
	int saved = errno;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	errno = saved;
	err_errno(err, "%s", text);
	switch (saved) {
	case ENOSPC:
	case EDQUOT: return MBOX_FULL;
	case ELOOP:
	case ENOTDIR:
	case EACCES:
	case EPERM: return MBOX_REFUSED;
	default: return MBOX_IO;
	}
}

static int directory_open(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int mbox_file_open(int dir, const char *name, int flags)
{
	/* without O_NONBLOCK, a fifo in the place of the file would hold us up */
	scoped_fd int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode))
		return errno = ELOOP, -1;
	return fd_take(&fd);
}

int mbox_walk(int dir, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx)
{
	int fd = directory_open(dir, "."); /* a place in the directory of its own */
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		fd_close(&fd);
		return -1;
	}
	errno = 0;
	for (struct dirent *e; (e = readdir(d)); errno = 0)
		if (e->d_name[0] != '.' && !see(ctx, str_from(e->d_name), e->d_type))
			break;
	int saved = errno;
	closedir(d);
	errno = saved;
	return saved ? -1 : 0;
}

int mbox_move(int from, const char *old, int to, const char *new)
{
	int r = renameat2(from, old, to, new, RENAME_NOREPLACE);

	/* a file system that cannot look first; our names do not meet by chance */
	return r < 0 && errno == EINVAL ? renameat(from, old, to, new) : r;
}

/* Whether there is something of that name. An error is no "no": a record that cannot be seen must not be replaced. */
static enum mbox_result look(int dir, const char *name, bool *there, struct err *err)
{
	struct stat st;

	*there = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return *there || errno == ENOENT ? MBOX_OK : mbox_failed(err, "cannot look for %s", name);
}

/* Not FULL, whatever errno says: something was changed, and may or may not be on disk. */
static enum mbox_result flush_failed(struct err *err, const char *what)
{
	mbox_failed(err, "cannot flush %s", what);
	return MBOX_IO;
}

/* Its UIDs would change under the users' clients: they are imported, or the folder stays as it is. */
static enum mbox_result check_foreign(const struct mbox_folder *f, struct err *err)
{
	static const char *const marks[] = { "dovecot-uidlist", "courierimapuiddb", "courierpop3dsizelist" };

	for (size_t i = 0; i < COUNT(marks); i++) {
		bool there;
		enum mbox_result r = look(f->dir, marks[i], &there, err);
		if (r)
			return r;
		if (there) {
			err_set(err, "the folder was kept by another server (%s): it must be imported first", marks[i]);
			return MBOX_REFUSED;
		}
	}
	return MBOX_OK;
}

static enum mbox_result make_directory(int at, const char *name, struct err *err)
{
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return mbox_failed(err, "cannot create %s", name);
	return MBOX_OK;
}

/* Opens tmp/, new/ and cur/; makes what is not there. */
static enum mbox_result open_directories(struct mbox_folder *f, struct err *err)
{
	static const char *const names[] = { "tmp", "new", "cur" };
	int *fds[] = { &f->tmp, &f->new, &f->cur };
	bool made = false;

	for (size_t i = 0; i < COUNT(names); i++) {
		*fds[i] = directory_open(f->dir, names[i]);
		if (*fds[i] < 0 && errno == ENOENT) {
			enum mbox_result r = make_directory(f->dir, names[i], err);
			if (r)
				return r;
			*fds[i] = directory_open(f->dir, names[i]);
			made = true;
		}
		if (*fds[i] < 0)
			return mbox_failed(err, "cannot open %s/", names[i]);
	}
	return made && fsync(f->dir) < 0 ? flush_failed(err, "a new folder") : MBOX_OK;
}

/* Another process may have made them and not flushed yet: as long as there is no record, each flushes. */
static enum mbox_result make_directories(struct mbox_folder *f, int home, bool inbox, struct err *err)
{
	enum mbox_result r = open_directories(f, err);

	if (r)
		return r;
	if (!inbox) { /* by this a Maildir++ program knows it for a folder */
		scoped_fd int mark = mbox_file_open(f->dir, "maildirfolder", O_WRONLY | O_CREAT);
		if (mark < 0)
			return mbox_failed(err, "cannot create maildirfolder");
	}
	if (fsync(f->dir) < 0 || (!inbox && fsync(home) < 0))
		return flush_failed(err, "a new folder");
	return MBOX_OK;
}

static int lock_wait(int fd)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	int64_t until = clock_mono_ms() + MBOX_LOCK_WAIT_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (clock_mono_ms() >= until)
			return errno = EWOULDBLOCK, -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static enum mbox_result lock_open(int dir, const char *name, int *out, struct err *err)
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
	enum mbox_result r = lock_open(f->dir, LOCK, &f->lock, err);

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

/*
 * Two folders of one user never share a UIDVALIDITY, so that a tag tells which folder it is of, and a folder created anew
 * gets a higher one (RFC 9051, 2.3.1.1): the home remembers the last. Should that file be lost, the clock alone is
 * enough, unless folders are created faster than one a second.
 */
static enum mbox_result draw_uidvalidity(int home, uint32_t *out, struct err *err)
{
	scoped_fd int fd = -1;
	char text[16] = "";
	uint64_t last = 0, now = (uint64_t)(clock_wall_us() / 1000000);
	enum mbox_result r = lock_open(home, "tayori-uidvalidity", &fd, err);

	if (r)
		return r;
	ssize_t n = pread(fd, text, sizeof(text), 0);
	struct str line = str_of(text, n > 0 ? (size_t)n : 0);
	str_u64(str_cut(&line, '\n'), UINT32_MAX - 1, &last);
	*out = (uint32_t)(last >= now ? last + 1 : now);
	int length = snprintf(text, sizeof(text), "%u\n", *out);
	if (pwrite(fd, text, (size_t)length, 0) != length || fsync(fd) < 0)
		return mbox_failed(err, "cannot write tayori-uidvalidity");
	return MBOX_OK;
}

static enum mbox_result create_record(struct mbox_folder *f, int home, struct err *err)
{
	struct mbox_record r = { .uidnext = 1 };
	uint8_t id[16];
	enum mbox_result result = draw_uidvalidity(home, &r.uidvalidity, err);

	if (result)
		return result;
	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), r.id);
	return mbox_folder_store(f, &r, err);
}

static enum mbox_result prepare(struct mbox_folder *f, int home, bool inbox, struct err *err)
{
	bool dirty, there;
	enum mbox_result r;

	if ((r = check_foreign(f, err)) || (r = make_directories(f, home, inbox, err)) ||
	    (r = mbox_folder_lock(f, &dirty, err)))
		return r;
	r = look(f->dir, RECORD, &there, err);
	if (!r && !there)
		r = create_record(f, home, err);
	mbox_folder_unlock(f, false);
	return r;
}

static enum mbox_result open_all(int home, struct str name, bool create, struct mbox_folder *f, struct err *err)
{
	char path[FOLDER_NAME_MAX + 2] = ".";
	bool inbox = is_inbox(name);
	bool there;
	enum mbox_result r = MBOX_OK;

	if (!inbox)
		snprintf(path, sizeof(path), ".%.*s", STR_ARG(name));
	if (!inbox && create)
		r = make_directory(home, path, err);
	if (r)
		return r;
	f->dir = directory_open(home, path);
	if (f->dir < 0 && errno == ENOENT) {
		err_set(err, "there is no such folder");
		return MBOX_MISSING;
	}
	if (f->dir < 0)
		return mbox_failed(err, "cannot open the folder");
	if ((r = look(f->dir, RECORD, &there, err)))
		return r;
	return there ? open_directories(f, err) : prepare(f, home, inbox, err);
}

enum mbox_result mbox_folder_open(int home, struct str name, bool create, struct mbox_folder *f, struct err *err)
{
	*f = MBOX_FOLDER_CLOSED;
	if (!mbox_folder_ok(name)) {
		err_set(err, "no name for a folder");
		return MBOX_REFUSED;
	}
	enum mbox_result r = open_all(home, name, create, f, err);
	if (r)
		mbox_folder_close(f);
	return r;
}

void mbox_folder_close(struct mbox_folder *f)
{
	fd_close(&f->lock);
	fd_close(&f->cur);
	fd_close(&f->new);
	fd_close(&f->tmp);
	fd_close(&f->dir);
}

enum mbox_result mbox_folder_load(const struct mbox_folder *f, struct buf *bytes, struct arena *arena,
				  struct mbox_record *out, struct err *err)
{
	scoped_fd int fd = mbox_file_open(f->dir, RECORD, O_RDONLY);
	struct err why = { .at = -1 };

	bytes->limit = MBOX_RECORD_BYTES_MAX;
	if (fd < 0 || fd_read_rest(fd, bytes) < 0)
		return mbox_failed(err, "cannot read %s", RECORD);
	why.start = bytes->p;
	if (mbox_record_parse(buf_str(bytes), arena, out, &why))
		return MBOX_OK;
	err_set(err, "%s is damaged at octet %td (%s): restore it, or the folder's UIDs are lost", RECORD, why.at,
		why.text);
	return MBOX_REFUSED;
}

/* Written in tmp/, so that what a crash leaves there is swept as any other leftover. */
enum mbox_result mbox_folder_store(const struct mbox_folder *f, const struct mbox_record *r, struct err *err)
{
	scoped_buf struct buf text = { 0 };
	char name[64];

	mbox_record_format(r, &text);
	snprintf(name, sizeof(name), "%s.%016llx", RECORD, (unsigned long long)random_u64());
	scoped_fd int fd = mbox_file_open(f->tmp, name, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return mbox_failed(err, "cannot create %s", RECORD);
	if (fd_write_all(fd, buf_str(&text)) < 0 || fsync(fd) < 0 || renameat(f->tmp, name, f->dir, RECORD) < 0) {
		enum mbox_result result = mbox_failed(err, "cannot write %s", RECORD);
		unlinkat(f->tmp, name, 0);
		return result;
	}
	return fsync(f->dir) < 0 ? flush_failed(err, RECORD) : MBOX_OK;
}

static enum mbox_result append_uidnext(const struct mbox_folder *f, uint32_t uidnext, struct err *err)
{
	scoped_buf struct buf line = { 0 };
	scoped_fd int fd = mbox_file_open(f->dir, RECORD, O_WRONLY | O_APPEND);

	mbox_record_uidnext(uidnext, &line);
	if (fd < 0 || fd_write_all(fd, buf_str(&line)) < 0) /* at worst half a line, which nobody believes */
		return mbox_failed(err, "cannot reserve UIDs in %s", RECORD);
	return fsync(fd) < 0 ? flush_failed(err, RECORD) : MBOX_OK;
}

enum mbox_result mbox_folder_reserve(const struct mbox_folder *f, struct mbox_record *r, size_t n, struct err *err)
{
	uint32_t next;

	if (__builtin_add_overflow(r->uidnext, n, &next)) {
		err_set(err, "the folder has used up its UIDs");
		return MBOX_REFUSED;
	}
	struct mbox_record after = *r;
	after.uidnext = next;
	enum mbox_result result = r->torn || r->stale > STALE_LINES_MAX ? mbox_folder_store(f, &after, err)
									: append_uidnext(f, next, err);
	if (!result)
		r->uidnext = next;
	return result;
}
