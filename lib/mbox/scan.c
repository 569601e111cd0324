#include "mbox/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

enum { SCAN_TRIES = 4, READ_CHUNK = 65536 };

void mbox_list_free(struct mbox_list *l)
{
	free(l->m);
	arena_free(&l->names);
	*l = (struct mbox_list){ 0 };
}

void mbox_list_skip(struct mbox_list *l, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(l->trouble.text, sizeof(l->trouble.text), format, ap);
	va_end(ap);
	l->skipped++;
}

static struct mbox_message *list_add(struct mbox_list *l)
{
	if (l->n == l->room) {
		l->room = l->room ? l->room * 2 : 64;
		l->m = reallocarray(l->m, l->room, sizeof(*l->m));
		if (!l->m)
			panic("out of memory: %zu messages", l->room);
	}
	return &l->m[l->n++];
}

struct scan {
	const struct mbox_folder *f;
	struct mbox_list *list;
	uint32_t uidvalidity, uidnext;
	bool in_new, too_many;
};

/* Costs a stat only where the file system does not tell types, or the name has no date. */
static bool look_at_file(struct scan *s, struct str file, unsigned char type, int64_t *seconds)
{
	int dir = s->in_new ? s->f->new : s->f->cur;
	struct stat st;

	if (type == DT_UNKNOWN || (type == DT_REG && *seconds < 0)) {
		if (fstatat(dir, file.p, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false; /* gone meanwhile */
		type = S_ISREG(st.st_mode) ? DT_REG : DT_LNK;
		if (*seconds < 0)
			*seconds = st.st_mtime;
	}
	if (type != DT_REG)
		mbox_list_skip(s->list, "%s/%.*s is no regular file", s->in_new ? "new" : "cur", STR_ARG(file));
	return type == DT_REG;
}

static bool see(void *ctx, struct str file, unsigned char type)
{
	struct scan *s = ctx;
	struct mbox_name name;

	if (!mbox_name_parse(file, &name) || !look_at_file(s, file, type, &name.seconds))
		return true;
	s->too_many = s->list->n >= MBOX_MESSAGES_MAX;
	if (s->too_many)
		return false;
	bool ours = name.uidvalidity == s->uidvalidity && name.uid < s->uidnext;
	*list_add(s->list) = (struct mbox_message){
		.name = arena_str(&s->list->names, file),
		.base_n = (uint16_t)name.base.n,
		.arrival = name.seconds,
		.size = name.size,
		.vsize = name.vsize,
		.uid = ours ? name.uid : 0,
		.flags = mbox_name_flags(name.flags),
		.in_new = s->in_new,
	};
	return true;
}

static int scan(struct scan *s, bool whole)
{
	s->in_new = true;
	if (mbox_walk(s->f->new, see, s) < 0)
		return -1;
	s->in_new = false;
	return whole ? mbox_walk(s->f->cur, see, s) : 0;
}

enum mbox_result mbox_scan_once(const struct mbox_folder *f, uint32_t uidvalidity, uint32_t uidnext, bool whole,
				struct mbox_list *out, struct err *err)
{
	struct scan s = { .f = f, .list = out, .uidvalidity = uidvalidity, .uidnext = uidnext };

	*out = (struct mbox_list){ 0 };
	if (scan(&s, whole) < 0)
		return mbox_failed(err, "cannot read the folder");
	if (!s.too_many)
		return MBOX_OK;
	err_set(err, "more than %d messages in one folder", MBOX_MESSAGES_MAX);
	return MBOX_REFUSED;
}

/*
 * new/ before cur/, since files only move that way. A file that another program renames within cur/ meanwhile (its flags
 * changed) may be seen never or twice: then the folder is read once more, and if that never ends, taken as it is.
 */
enum mbox_result mbox_scan(const struct mbox_folder *f, uint32_t uidvalidity, uint32_t uidnext, struct mbox_list *out,
			   struct err *err)
{
	struct stat before, after;
	enum mbox_result r = MBOX_OK;

	*out = (struct mbox_list){ 0 };
	for (int try = 0; try < SCAN_TRIES && !r; try++) {
		mbox_list_free(out);
		if (fstat(f->cur, &before) < 0)
			return mbox_failed(err, "cannot read the folder");
		r = mbox_scan_once(f, uidvalidity, uidnext, true, out, err);
		if (!r && fstat(f->cur, &after) < 0)
			return mbox_failed(err, "cannot read the folder");
		if (before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec)
			break;
	}
	return r;
}

int64_t mbox_bare_lf(struct str s, char *last)
{
	int64_t n = 0;

	if (s.n == 0)
		return 0;
	char before = *last;
	*last = s.p[s.n - 1];
	for (const char *at = s.p, *end = s.p + s.n; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		n += (at == s.p ? before : at[-1]) != '\r';
	return n;
}

bool mbox_measure(const struct mbox_folder *f, struct mbox_message *m)
{
	scoped_fd int fd = mbox_file_open(mbox_message_dir(f, m), m->name.p, O_RDONLY);
	scoped_buf struct buf chunk = { 0 };
	int64_t size = 0, bare = 0;
	char last = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	buf_reserve(&chunk, READ_CHUNK);
	while ((n = fd_read_full(fd, chunk.p, READ_CHUNK)) > 0) {
		size += n;
		bare += mbox_bare_lf(str_of(chunk.p, (size_t)n), &last);
	}
	if (n < 0)
		return false;
	m->size = size;
	m->vsize = size + bare;
	return true;
}
