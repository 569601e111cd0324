#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/folders.h"
#include "mbox/seen.h"

enum { MOVE_AT_ONCE = 1000 };

static enum mbox_result refuse(struct err *err, const char *why)
{
	err_set(err, "%s", why);
	return MBOX_REFUSED;
}

static enum mbox_result in_the_way(struct str name, struct err *err)
{
	err_set(err, "there is a folder %.*s", STR_ARG(name));
	return MBOX_EXISTS;
}

enum mbox_result mbox_create(struct mbox_user *u, struct str name, struct err *err)
{
	struct mbox_folder f;

	if (!mbox_folder_ok(name))
		return refuse(err, "no name for a folder");
	if (mbox_folder_exists(u->home, name))
		return in_the_way(name, err);
	enum mbox_result r = mbox_folder_open(u->home, name, true, &f, err);
	if (!r)
		mbox_folder_close(&f);
	return r;
}

/* ---- removal ---- */

struct forgotten {
	const char *id;
};

static int forget_rows(struct mbox_tx *tx, void *ctx)
{
	const struct forgotten *f = ctx;
	struct mbox_index_folder d;
	int code = mbox_row_folder(tx, f->id, &d);

	if (code)
		return code == MDB_NOTFOUND ? 0 : code;
	return mbox_row_folder_remove(tx, f->id, d.number);
}

/* What cannot be forgotten now only takes room. */
static void forget(struct mbox_user *u, const char *id)
{
	if (mbox_index_ready(&u->index, NULL))
		return;
	int code = mbox_index_write(&u->index, forget_rows, &(struct forgotten){ id });
	if (code)
		mbox_index_failed(&u->index, code, NULL);
}

/* The folder leaves its name at one stroke; from then on what is left of it is rubbish in tmp/. */
static enum mbox_result move_away(struct mbox_user *u, struct str name, const char *aside, struct err *err)
{
	char path[MBOX_PATH_MAX];
	scoped_fd int tmp = mbox_directory_open(u->home, "tmp");

	mbox_folder_path(name, path);
	if (tmp < 0)
		return mbox_failed(err, "cannot open tmp/");
	if (renameat2(u->home, path, tmp, aside, RENAME_NOREPLACE) < 0)
		return mbox_failed(err, "cannot remove the folder");
	if (fsync(tmp) < 0 || fsync(u->home) < 0)
		return mbox_flush_failed(err, "the removal");
	return MBOX_OK;
}

static enum mbox_result remove_folder(struct mbox_user *u, struct str name, struct err *err)
{
	char aside[64], path[80];
	struct mbox_place p;
	enum mbox_result r = mbox_place_open(u->home, name, false, &p, err);

	if (!r && !(r = mbox_place_lock(&p, err))) {
		snprintf(aside, sizeof(aside), "tayori-gone.%016llx", (unsigned long long)random_u64());
		r = move_away(u, name, aside, err);
		mbox_folder_unlock(&p.f, true);
	}
	if (!r) {
		forget(u, p.record.id);
		snprintf(path, sizeof(path), "tmp/%s", aside);
		mbox_remove_tree(u->home, path);
	}
	mbox_place_close(&p);
	return r;
}

enum mbox_result mbox_delete(struct mbox_user *u, struct str name, struct err *err)
{
	struct mbox_folder inbox;

	if (mbox_is_inbox(name))
		return refuse(err, "INBOX cannot be removed");
	enum mbox_result r = mbox_folder_open(u->home, STR(""), true, &inbox, err); /* for its tmp/ */
	if (r)
		return r;
	mbox_folder_close(&inbox);
	return remove_folder(u, name, err);
}

/* ---- renaming ---- */

struct renames {
	int home;
	struct str from, to;
	struct arena arena;
	struct str *names; /* those of the old ones */
	size_t n, room;
};

static bool is_below(struct str name, struct str parent)
{
	return name.n > parent.n && str_starts(name, parent) && name.p[parent.n] == '.';
}

static bool see_below(void *ctx, struct str file, unsigned char type)
{
	struct renames *r = ctx;
	struct str name;

	(void)type;
	if (!mbox_folder_of(file, &name) || (!str_eq(name, r->from) && !is_below(name, r->from)) ||
	    !mbox_folder_exists(r->home, name))
		return true;
	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 16;
		r->names = reallocarray(r->names, r->room, sizeof(*r->names));
		if (!r->names)
			panic("out of memory: %zu folders", r->room);
	}
	r->names[r->n++] = arena_str(&r->arena, name);
	return true;
}

/* Those below come first: should it end half-way, the same again does the rest. */
static int longest_first(const void *pa, const void *pb)
{
	const struct str *a = pa, *b = pb;

	return a->n < b->n ? 1 : a->n > b->n ? -1 : str_cmp(*a, *b);
}

static bool new_name(const struct renames *r, struct str old, struct buf *out)
{
	buf_reset(out);
	buf_add(out, r->to);
	buf_add(out, str_skip(old, r->from.n));
	return mbox_folder_ok(buf_str(out)) && !mbox_is_inbox(buf_str(out));
}

static enum mbox_result check(const struct renames *r, struct err *err)
{
	scoped_buf struct buf to = { 0 };

	if (r->n == 0) {
		err_set(err, "there is no such folder");
		return MBOX_MISSING;
	}
	for (size_t i = 0; i < r->n; i++) {
		if (!new_name(r, r->names[i], &to))
			return refuse(err, "no name for a folder");
		if (mbox_folder_exists(r->home, buf_str(&to)))
			return in_the_way(buf_str(&to), err);
	}
	return MBOX_OK;
}

/* One of them, to its new name or back. */
static int rename_one(const struct renames *r, struct str old, bool back)
{
	scoped_buf struct buf to = { 0 };
	char from_path[MBOX_PATH_MAX], to_path[MBOX_PATH_MAX];

	new_name(r, old, &to);
	mbox_folder_path(old, from_path);
	mbox_folder_path(buf_str(&to), to_path);
	return renameat2(r->home, back ? to_path : from_path, r->home, back ? from_path : to_path, RENAME_NOREPLACE);
}

static enum mbox_result rename_all(const struct renames *r, struct err *err)
{
	enum mbox_result result = MBOX_OK;
	size_t i = 0;

	while (i < r->n && !result) {
		if (rename_one(r, r->names[i], false) < 0)
			result =
				errno == EEXIST ? in_the_way(r->to, err) : mbox_failed(err, "cannot rename the folder");
		else
			i++;
	}
	while (result && i > 0)
		rename_one(r, r->names[--i], true);
	if (fsync(r->home) < 0 && !result)
		result = mbox_flush_failed(err, "the new name");
	return result;
}

static enum mbox_result rename_folder(struct mbox_user *u, struct str from, struct str to, struct err *err)
{
	struct renames r = { .home = u->home, .from = from, .to = to };
	enum mbox_result result = MBOX_OK;

	if (mbox_walk_all(u->home, see_below, &r) < 0)
		result = mbox_failed(err, "cannot read the mail folder");
	if (!result && !(result = check(&r, err))) {
		qsort(r.names, r.n, sizeof(*r.names), longest_first);
		result = rename_all(&r, err);
	}
	arena_free(&r.arena);
	free(r.names);
	return result;
}

static enum mbox_result move_some(struct mbox_view *v, struct str to, struct err *err)
{
	size_t which[MOVE_AT_ONCE], moved, n = v->n < MOVE_AT_ONCE ? v->n : MOVE_AT_ONCE;
	uint32_t uids[MOVE_AT_ONCE], uidvalidity;

	for (size_t i = 0; i < n; i++)
		which[i] = i;
	enum mbox_result r = mbox_view_copy(v, which, n, to, true, &uidvalidity, uids, &moved, err);
	mbox_view_forget(v);
	return r;
}

/* RFC 3501, 6.3.5: INBOX stays, empty. Doing it again after a crash finds the new folder there. */
static enum mbox_result move_inbox(struct mbox_user *u, struct str to, struct err *err)
{
	struct mbox_view *v;
	enum mbox_result r = mbox_create(u, to, err);

	if (r || (r = mbox_view_open(u, STR(""), true, &v, err)))
		return r;
	while (!r && v->n > 0)
		r = move_some(v, to, err);
	mbox_view_close(&v);
	return r;
}

enum mbox_result mbox_rename(struct mbox_user *u, struct str from, struct str to, struct err *err)
{
	if (!mbox_folder_ok(from) || !mbox_folder_ok(to))
		return refuse(err, "no name for a folder");
	if (mbox_is_inbox(to) || str_eq(from, to))
		return in_the_way(to, err);
	if (mbox_is_inbox(from))
		return move_inbox(u, to, err);
	if (is_below(to, from))
		return refuse(err, "a folder cannot lie below itself");
	return rename_folder(u, from, to, err);
}
