#include "mbox/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "base/utf8.h"
#include "io/fd.h"

enum { TREE_DEPTH_MAX = 8 };

bool mbox_folder_ok(struct str name)
{
	if (name.n > MBOX_FOLDER_NAME_MAX || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool ends_part = i == 0 || i + 1 == name.n || name.p[i + 1] == '.';
		if ((c >= 0 && c < ' ') || c == 0x7f || c == '/' || (c == '.' && ends_part))
			return false;
	}
	return true;
}

bool mbox_is_inbox(struct str name)
{
	return name.n == 0 || str_ieq(name, STR("INBOX"));
}

void mbox_folder_path(struct str name, char out[MBOX_PATH_MAX])
{
	snprintf(out, MBOX_PATH_MAX, ".%.*s", STR_ARG(mbox_is_inbox(name) ? (struct str){ 0 } : name));
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

enum mbox_result mbox_flush_failed(struct err *err, const char *what)
{
	mbox_failed(err, "cannot flush %s", what);
	return MBOX_IO;
}

int mbox_directory_open(int at, const char *name)
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

static int walk(int dir, bool dots, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx)
{
	int fd = mbox_directory_open(dir, "."); /* a place in the directory of its own */
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		fd_close(&fd);
		return -1;
	}
	errno = 0;
	for (struct dirent *e; (e = readdir(d)); errno = 0) {
		struct str name = str_from(e->d_name);
		if (name.p[0] == '.' && (!dots || str_eq(name, STR(".")) || str_eq(name, STR(".."))))
			continue;
		if (!see(ctx, name, e->d_type))
			break;
	}
	int saved = errno;
	closedir(d);
	errno = saved;
	return saved ? -1 : 0;
}

int mbox_walk(int dir, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx)
{
	return walk(dir, false, see, ctx);
}

int mbox_walk_all(int dir, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx)
{
	return walk(dir, true, see, ctx);
}

struct removal {
	int dir, depth, failed; /* errno of the first failure */
};

static int remove_tree(int at, const char *name, int depth);

static bool remove_one(void *ctx, struct str name, unsigned char type)
{
	struct removal *r = ctx;

	(void)type;
	int failed = unlinkat(r->dir, name.p, 0);
	if (failed && (errno == EISDIR || errno == EPERM))
		failed = remove_tree(r->dir, name.p, r->depth + 1);
	if (failed && errno != ENOENT && !r->failed)
		r->failed = errno;
	return true;
}

static int remove_tree(int at, const char *name, int depth)
{
	struct removal r = { .depth = depth };

	if (depth > TREE_DEPTH_MAX)
		return errno = ELOOP, -1;
	scoped_fd int dir = mbox_directory_open(at, name);
	r.dir = dir;
	if (dir < 0 || mbox_walk_all(dir, remove_one, &r) < 0)
		return -1;
	if (r.failed)
		return errno = r.failed, -1;
	return unlinkat(at, name, AT_REMOVEDIR);
}

int mbox_remove_tree(int at, const char *name)
{
	return remove_tree(at, name, 0);
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

enum mbox_result mbox_foreign_mark(int dir, const char **mark, struct err *err)
{
	static const char *const marks[] = { MBOX_IMPORTED, "dovecot-uidlist", "courierimapuiddb",
					     "courierpop3dsizelist" };

	*mark = NULL;
	for (size_t i = 0; i < COUNT(marks) && !*mark; i++) {
		bool there;
		enum mbox_result r = look(dir, marks[i], &there, err);
		if (r)
			return r;
		if (there)
			*mark = marks[i];
	}
	return MBOX_OK;
}

/* Its UIDs would change under the users' clients: they are imported, or the folder stays as it is. */
static enum mbox_result check_foreign(const struct mbox_folder *f, struct err *err)
{
	const char *mark;
	enum mbox_result r = mbox_foreign_mark(f->dir, &mark, err);

	if (r || !mark)
		return r;
	err_set(err, "the folder was kept by another server (%s): it must be imported first", mark);
	return MBOX_REFUSED;
}

enum mbox_result mbox_make_directory(int at, const char *name, struct err *err)
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
		*fds[i] = mbox_directory_open(f->dir, names[i]);
		if (*fds[i] < 0 && errno == ENOENT) {
			enum mbox_result r = mbox_make_directory(f->dir, names[i], err);
			if (r)
				return r;
			*fds[i] = mbox_directory_open(f->dir, names[i]);
			made = true;
		}
		if (*fds[i] < 0)
			return mbox_failed(err, "cannot open %s/", names[i]);
	}
	return made && fsync(f->dir) < 0 ? mbox_flush_failed(err, "a new folder") : MBOX_OK;
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
		return mbox_flush_failed(err, "a new folder");
	return MBOX_OK;
}

static enum mbox_result create_record(struct mbox_folder *f, int home, struct err *err)
{
	struct mbox_record r = { .uidnext = 1 };
	uint8_t id[16];
	enum mbox_result result = mbox_draw_uidvalidity(home, &r.uidvalidity, err);

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
	r = look(f->dir, MBOX_RECORD, &there, err);
	if (!r && !there && !(r = check_foreign(f, err))) /* again: an import may have been under way, and cut off */
		r = create_record(f, home, err);
	mbox_folder_unlock(f, false);
	return r;
}

static enum mbox_result open_all(int home, struct str name, bool create, struct mbox_folder *f, struct err *err)
{
	char path[MBOX_PATH_MAX];
	struct stat st;
	bool there;
	enum mbox_result r = MBOX_OK;

	f->inbox = mbox_is_inbox(name);
	mbox_folder_path(name, path);
	if (!f->inbox && create)
		r = mbox_make_directory(home, path, err);
	if (r)
		return r;
	f->dir = mbox_directory_open(home, path);
	if (f->dir < 0 && errno == ENOENT) {
		err_set(err, "there is no such folder");
		return MBOX_MISSING;
	}
	if (f->dir < 0 || fstat(home, &st) < 0)
		return mbox_failed(err, "cannot open the folder");
	f->home = st.st_ino;
	if ((r = look(f->dir, MBOX_RECORD, &there, err)))
		return r;
	return there ? open_directories(f, err) : prepare(f, home, f->inbox, err);
}

enum mbox_result mbox_folder_open_foreign(int home, const char *path, struct mbox_folder *f, struct err *err)
{
	struct stat st;

	*f = MBOX_FOLDER_CLOSED;
	f->inbox = path[1] == '\0';
	f->dir = mbox_directory_open(home, path);
	if (f->dir < 0 || fstat(home, &st) < 0)
		return mbox_failed(err, "cannot open the folder");
	f->home = st.st_ino;
	return open_directories(f, err);
}

enum mbox_result mbox_folder_there(const struct mbox_folder *f, struct err *err)
{
	struct stat st;

	if (f->inbox || (fstatat(f->dir, "..", &st, 0) == 0 && st.st_ino == f->home))
		return MBOX_OK;
	err_set(err, "the folder has been removed");
	return MBOX_MISSING;
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
