#include "mbox/place.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "io/fd.h"

enum {
	UIDS_AT_ONCE = 32,
	MODSEQS_AT_ONCE = 1000,
	SETTLED_NS = 20000000,
	BOOT_SLACK_US = 2000000,
};

static enum mbox_result read_record(struct mbox_place *p, struct err *err)
{
	struct stat st;

	/* before it is read: what is read may then be newer, and is only read once more */
	if (fstatat(p->f.dir, MBOX_RECORD, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return mbox_failed(err, "cannot read %s", MBOX_RECORD);
	buf_reset(&p->record_bytes);
	arena_free(&p->record_arena);
	p->record_seen = (struct stat){ 0 };
	enum mbox_result r = mbox_folder_load(&p->f, &p->record_bytes, &p->record_arena, &p->record, err);
	if (!r)
		p->record_seen = st;
	return r;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

enum mbox_result mbox_place_reload(struct mbox_place *p, struct err *err)
{
	struct stat st;

	if (fstatat(p->f.dir, MBOX_RECORD, &st, AT_SYMLINK_NOFOLLOW) == 0 && same_file(&st, &p->record_seen) &&
	    !p->record.torn)
		return MBOX_OK;
	return read_record(p, err);
}

enum mbox_result mbox_place_take(int home, struct mbox_folder *f, struct mbox_place *p, struct err *err)
{
	struct stat dir, new, cur;

	*p = (struct mbox_place){ .home = home, .f = *f };
	*f = MBOX_FOLDER_CLOSED;
	if (fstat(p->f.dir, &dir) < 0 || fstat(p->f.new, &new) < 0 || fstat(p->f.cur, &cur) < 0)
		return mbox_failed(err, "cannot read the folder");
	p->dev = dir.st_dev;
	p->ino = dir.st_ino;
	p->ino_new = new.st_ino;
	p->ino_cur = cur.st_ino;
	return read_record(p, err);
}

enum mbox_result mbox_place_open(int home, struct str name, bool create, struct mbox_place *p, struct err *err)
{
	struct mbox_folder f;
	enum mbox_result r = mbox_folder_open(home, name, create, &f, err);

	*p = (struct mbox_place){ .home = home, .f = MBOX_FOLDER_CLOSED };
	return r ? r : mbox_place_take(home, &f, p, err);
}

void mbox_place_close(struct mbox_place *p)
{
	mbox_folder_close(&p->f);
	buf_free(&p->record_bytes);
	arena_free(&p->record_arena);
}

enum mbox_result mbox_place_lock(struct mbox_place *p, struct err *err)
{
	bool dirty;
	enum mbox_result r = mbox_folder_lock(&p->f, &dirty, err);

	if (r)
		return r;
	if ((r = mbox_folder_there(&p->f, err)) || (r = mbox_place_reload(p, err)) ||
	    (dirty && (r = mbox_folder_recover(&p->f, &p->record, err)))) {
		mbox_folder_unlock(&p->f, false);
		return r;
	}
	return MBOX_OK;
}

static int64_t nanoseconds(struct timespec t)
{
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static bool look_at(int dir, const char *name, ino_t ino, struct mbox_sight *out)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*out = (struct mbox_sight){ st.st_ino, nanoseconds(st.st_ctim) };
	return st.st_ino == ino;
}

enum mbox_result mbox_place_look(const struct mbox_place *p, struct mbox_sight *new, struct mbox_sight *cur,
				 struct err *err)
{
	if (look_at(p->f.dir, "new", p->ino_new, new) && look_at(p->f.dir, "cur", p->ino_cur, cur))
		return mbox_folder_there(&p->f, err);
	err_set(err, "the folder has been removed or replaced");
	return MBOX_MISSING;
}

int64_t mbox_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return nanoseconds(now);
}

/* A time that lies ahead (the clock was set back) is as good as one long past. */
bool mbox_sight_settled(const struct mbox_sight *s, int64_t now_ns)
{
	int64_t age = now_ns - s->changed_ns;

	return age > SETTLED_NS || age < -SETTLED_NS;
}

static int64_t boot_us(void)
{
	struct timespec up;

	clock_gettime(CLOCK_BOOTTIME, &up);
	return (mbox_now_ns() - nanoseconds(up)) / 1000;
}

static void forget_modseqs(const struct mbox_record *r, struct mbox_index_folder *d)
{
	if (d->modseq < r->modseq - 1)
		d->modseq = r->modseq - 1;
	d->modseq_end = r->modseq;
}

static void forget_uids(const struct mbox_record *r, struct mbox_index_folder *d)
{
	if (d->uidnext < r->uidnext)
		d->uidnext = r->uidnext;
	d->uid_end = r->uidnext;
}

void mbox_place_reserved(const struct mbox_place *p, struct mbox_index_folder *d)
{
	int64_t boot = boot_us(), off = boot - d->boot_us;
	bool sure = d->modseq_end == p->record.modseq && off < BOOT_SLACK_US && off > -BOOT_SLACK_US;

	if (!sure)
		forget_modseqs(&p->record, d);
	if (!sure || d->uid_end != p->record.uidnext)
		forget_uids(&p->record, d);
	d->boot_us = boot;
}

enum mbox_result mbox_place_uids(struct mbox_place *p, struct mbox_index_folder *d, size_t n, uint32_t *first,
				 struct err *err)
{
	size_t there = d->uid_end - d->uidnext;

	if (n > there) {
		size_t more = n - there, spare = more < UIDS_AT_ONCE ? UIDS_AT_ONCE : more;
		struct mbox_record *r = &p->record;
		if (spare > UINT32_MAX - r->uidnext) /* the last ones */
			spare = more;
		enum mbox_result result = mbox_folder_reserve(&p->f, r, spare, err);
		if (result)
			return result;
		d->uid_end = r->uidnext;
	}
	*first = d->uidnext;
	d->uidnext += (uint32_t)n;
	return MBOX_OK;
}

enum mbox_result mbox_place_modseq(struct mbox_place *p, struct mbox_index_folder *d, struct err *err)
{
	if (d->modseq + 1 >= d->modseq_end) {
		enum mbox_result r = mbox_folder_reserve_modseqs(&p->f, &p->record, MODSEQS_AT_ONCE, err);
		if (r)
			return r;
		d->modseq_end = p->record.modseq;
	}
	d->modseq++;
	return MBOX_OK;
}
