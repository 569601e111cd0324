#include "mbox/house.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

void mbox_house_tell(const struct mbox_house *h, struct str folder, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (h->report)
		h->report->tell(h->report->arg, folder, text);
}

void mbox_house_end(struct mbox_house *h, struct str folder, enum mbox_result r, const struct err *why)
{
	h->done += !r;
	h->failed += r != MBOX_OK;
	if (!r)
		return;
	mbox_house_tell(h, folder, "left as it is: %s", why->text);
	if (!h->worst) {
		h->worst = r;
		h->why = *why;
	}
}

int mbox_house_file(int dir, const char *name, size_t limit, struct buf *out)
{
	scoped_fd int fd = mbox_file_open(dir, name, O_RDONLY);
	struct stat st;

	out->limit = limit;
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		buf_reserve(out, (size_t)st.st_size + 1);
	return fd_read_rest(fd, out) < 0 ? -1 : 1;
}

enum mbox_result mbox_house_read(int dir, const char *name, struct buf *out, bool *there, struct err *err)
{
	int got = mbox_house_file(dir, name, FORMER_BYTES_MAX, out);

	*there = got > 0;
	return got < 0 ? mbox_failed(err, "cannot read %s", name) : MBOX_OK;
}

void mbox_house_path(struct str dir, char out[MBOX_NAME_MAX + 2])
{
	snprintf(out, MBOX_NAME_MAX + 2, ".%.*s", STR_ARG(dir));
}

/* ---- control files ---- */

static bool is_control(struct str name)
{
	static const char *const begins[] = { "dovecot-uidlist", "dovecot-uidvalidity", "dovecot-keywords",
					      "dovecot.index",	 "dovecot.list.index",	"dovecot.mailbox.log",
					      "courierimap",	 "courierpop3" };

	for (size_t i = 0; i < COUNT(begins); i++)
		if (str_starts(name, str_from(begins[i])))
			return true;
	return str_eq(name, STR("subscriptions")) || str_eq(name, STR("maildirsize"));
}

struct controls {
	struct arena arena;
	struct str *names;
	size_t n, room;
};

static struct str *grow(struct str *list, size_t n, size_t *room)
{
	if (n < *room)
		return list;
	*room = *room ? *room * 2 : 32;
	list = reallocarray(list, *room, sizeof(*list));
	if (!list)
		panic("out of memory: %zu names", *room);
	return list;
}

static bool see_control(void *ctx, struct str name, unsigned char type)
{
	struct controls *c = ctx;

	(void)type;
	if (!is_control(name))
		return true;
	c->names = grow(c->names, c->n, &c->room);
	c->names[c->n++] = arena_str(&c->arena, name);
	return true;
}

static enum mbox_result move_all(const struct controls *c, int from, int to, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const char *name = c->names[i].p;
		if (mbox_move(from, name, to, name) == 0 || errno == ENOENT)
			continue;
		if (errno != EEXIST)
			return mbox_failed(err, "cannot move %s", name);
		err_set(err,
			"%s lies here and in %s: has the other server run since? Remove the one that does not count",
			name, MBOX_IMPORTED);
		return MBOX_REFUSED;
	}
	if (fsync(to) < 0 || fsync(from) < 0)
		return mbox_flush_failed(err, "the moved files");
	return MBOX_OK;
}

enum mbox_result mbox_house_move_controls(int from, int to, struct err *err)
{
	struct controls c = { 0 };
	enum mbox_result r =
		mbox_walk(from, see_control, &c) < 0 ? mbox_failed(err, "cannot read the folder") : MBOX_OK;

	if (!r)
		r = move_all(&c, from, to, err);
	arena_free(&c.arena);
	free(c.names);
	return r;
}

/* ---- all folders ---- */

static bool see_folder(void *ctx, struct str file, unsigned char type)
{
	struct mbox_house *h = ctx;
	struct stat st;

	if (file.n < 2 || file.p[0] != '.')
		return true;
	if (type == DT_LNK && fstatat(h->home, file.p, &st, 0) == 0 && S_ISDIR(st.st_mode))
		mbox_house_tell(h, str_skip(file, 1), "passed over: symbolic links are not followed");
	char cur[NAME_MAX + 8];
	snprintf(cur, sizeof(cur), "%.*s/cur", STR_ARG(file));
	if (fstatat(h->home, file.p, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
	    fstatat(h->home, cur, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	h->dirs = grow(h->dirs, h->n + 1, &h->room);
	h->dirs[h->n++] = arena_str(&h->arena, str_skip(file, 1));
	return true;
}

/* What was written down at the import counts before all guesses. */
static bool take_names(struct mbox_house *h, int dir)
{
	scoped_fd int imported = mbox_directory_open(dir, MBOX_IMPORTED);
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf text = { 0 };
	struct mbox_former f;

	if (imported < 0 || mbox_house_file(imported, MBOX_NAMES, FORMER_BYTES_MAX, &text) <= 0 ||
	    !mbox_former_parse(buf_str(&text), &arena, &f, NULL))
		return false;
	h->origin = f.origin;
	h->utf7 = f.utf7;
	return true;
}

static enum mbox_origin guess_origin(int dir)
{
	static const struct {
		const char *name;
		enum mbox_origin origin;
	} files[] = { { "dovecot-uidlist", ORIGIN_DOVECOT },
		      { "courierimapuiddb", ORIGIN_COURIER },
		      { "courierpop3dsizelist", ORIGIN_COURIER } };
	struct stat st;

	for (size_t i = 0; i < COUNT(files); i++)
		if (fstatat(dir, files[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return files[i].origin;
	return ORIGIN_NONE;
}

static enum mbox_result look_at(struct mbox_house *h, struct str name, bool *known, struct err *err)
{
	char path[MBOX_NAME_MAX + 2];
	struct stat st;
	const char *mark;

	mbox_house_path(name, path);
	scoped_fd int dir = mbox_directory_open(h->home, path);
	if (dir < 0)
		return mbox_failed(err, "cannot open %s", path);
	enum mbox_result r = mbox_foreign_mark(dir, &mark, err);
	if (r || !mark)
		return r;
	bool imported = strcmp(mark, MBOX_IMPORTED) == 0;
	h->waiting |= fstatat(dir, MBOX_RECORD, &st, AT_SYMLINK_NOFOLLOW) < 0;
	h->imported |= imported;
	if (imported && !*known)
		*known = take_names(h, dir);
	if (!*known && h->origin == ORIGIN_NONE)
		h->origin = guess_origin(dir);
	return MBOX_OK;
}

/* One name in modified UTF-7 decides; without any, one in UTF-8; without any, it is as both are by default. */
static bool guess_utf7(const struct mbox_house *h)
{
	scoped_buf struct buf name = { 0 };
	bool utf8 = false;

	for (size_t i = 0; i < h->n; i++) {
		buf_reset(&name);
		if (!mbox_former_name(h->dirs[i], &name))
			continue;
		if (!str_eq(buf_str(&name), h->dirs[i]))
			return true;
		for (size_t at = 0; at < name.n && !utf8; at++)
			utf8 = (unsigned char)name.p[at] >= 0x80;
	}
	return !utf8;
}

static int compare(const void *pa, const void *pb)
{
	const struct str *a = pa, *b = pb;

	return str_cmp(*a, *b);
}

enum mbox_result mbox_house_open(int home, const struct mbox_report *report, struct mbox_house *h, struct err *err)
{
	bool known = false;
	enum mbox_result r = MBOX_OK;

	*h = (struct mbox_house){ .home = home, .report = report };
	if (mbox_walk_all(home, see_folder, h) < 0)
		return mbox_failed(err, "cannot read the mail folder");
	if (h->n)
		qsort(h->dirs, h->n, sizeof(*h->dirs), compare);
	h->dirs = grow(h->dirs, h->n, &h->room);
	h->dirs[h->n++] = STR("");
	h->utf7 = guess_utf7(h);
	for (size_t i = h->n; i > 0 && !r; i--)
		r = look_at(h, h->dirs[i - 1], &known, err);
	return r;
}

void mbox_house_close(struct mbox_house *h)
{
	free(h->dirs);
	arena_free(&h->arena);
}
