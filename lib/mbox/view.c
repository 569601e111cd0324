#include "mbox/view.h"

#include <errno.h>
#include <stdlib.h>

#include "mbox/seen.h"

static void keep_keywords(struct mbox_view *v)
{
	const struct mbox_record *r = &v->inner->place.record;

	v->inner->n_keywords = 0;
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++) {
		struct str name = r->keywords[i];
		v->inner->n_keywords += name.n > 0;
		if (name.n == 0 || (v->keywords[i] && str_eq(str_from(v->keywords[i]), name)))
			continue;
		free(v->keywords[i]);
		v->keywords[i] = strndup(name.p, name.n);
		if (!v->keywords[i])
			panic("out of memory: a keyword");
		v->keywords_changed++;
	}
}

static enum mbox_result load_keywords(struct mbox_view *v, const struct mbox_index_folder *d, struct err *err)
{
	if (d->keywords == v->inner->n_keywords)
		return MBOX_OK;
	enum mbox_result r = mbox_place_reload(&v->inner->place, err);
	if (!r)
		keep_keywords(v);
	return r;
}

static void mark(struct mbox_view *v, struct mbox_row *row, uint8_t bit)
{
	if (row->marks & bit)
		return;
	row->marks |= bit;
	v->n_changed += bit == ROW_CHANGED;
	v->n_gone += bit == ROW_GONE;
}

static struct mbox_row *add_row(struct mbox_view *v)
{
	struct mbox_view_inner *in = v->inner;

	if (v->n == in->room) {
		in->room = in->room ? in->room * 2 : 256;
		v->rows = reallocarray(v->rows, in->room, sizeof(*v->rows));
		if (!v->rows)
			panic("out of memory: %zu messages", in->room);
	}
	v->rows[v->n] = (struct mbox_row){ 0 };
	return &v->rows[v->n++];
}

static void add_message(struct mbox_view *v, uint32_t uid, const struct mbox_flags_row *flags)
{
	*add_row(v) = (struct mbox_row){ .uid = uid, .modseq = flags->modseq, .flags = flags->flags };
}

/* `quiet`: the index is another one, in which every message has a new modseq: that alone is no news. */
static void update(struct mbox_view *v, struct mbox_row *row, const struct mbox_flags_row *flags, bool quiet)
{
	if (row->flags != flags->flags || (row->modseq != flags->modseq && !quiet))
		mark(v, row, ROW_CHANGED);
	row->flags = flags->flags;
	row->modseq = flags->modseq;
}

static size_t find_among(const struct mbox_view *v, size_t n, uint32_t uid)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (v->rows[mid].uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

size_t mbox_view_find(const struct mbox_view *v, uint32_t uid)
{
	return find_among(v, v->n, uid);
}

/* Among the first `n`, which are in order. */
static struct mbox_row *find_row(struct mbox_view *v, size_t n, uint32_t uid)
{
	size_t i = find_among(v, n, uid);

	return i < n && v->rows[i].uid == uid ? &v->rows[i] : NULL;
}

static int compare_rows(const void *pa, const void *pb)
{
	const struct mbox_row *a = pa, *b = pb;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

/* Messages that were added come in the order of their last change: they are sorted behind the others. */
static int take_changes(struct mbox_view *v, struct mbox_tx *tx, struct mbox_walk *w)
{
	struct mbox_flags_row flags;
	size_t n = v->n;
	uint32_t uid, last = n ? v->rows[n - 1].uid : 0;
	uint64_t modseq;
	int code;

	while ((code = mbox_walk_log(w, v->modseq + 1, &modseq, &uid)) == 0) {
		if ((code = mbox_row_flags(tx, w->folder, uid, &flags)))
			return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
		struct mbox_row *row = find_row(v, n, uid);
		if (row)
			update(v, row, &flags, false);
		else if (uid > last)
			add_message(v, uid, &flags);
	}
	if (v->n > n)
		qsort(v->rows + n, v->n - n, sizeof(*v->rows), compare_rows);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int take_gone(struct mbox_view *v, struct mbox_walk *w)
{
	uint32_t uid;
	uint64_t modseq;
	int code;

	while ((code = mbox_walk_log(w, v->modseq + 1, &modseq, &uid)) == 0) {
		struct mbox_row *row = find_row(v, v->n, uid);
		if (row)
			mark(v, row, ROW_GONE);
	}
	return code == MDB_NOTFOUND ? 0 : code;
}

static int take_log(struct mbox_view *v, struct mbox_tx *tx, uint32_t number)
{
	struct mbox_walk w;
	int code = mbox_walk_begin(tx, DB_CHANGES, number, 0, &w);

	if (code)
		return code;
	code = take_changes(v, tx, &w);
	mbox_walk_end(&w);
	if (code || (code = mbox_walk_begin(tx, DB_GONE, number, 0, &w)))
		return code;
	code = take_gone(v, &w);
	mbox_walk_end(&w);
	return code;
}

static int compare_with(struct mbox_view *v, struct mbox_walk *w, bool quiet)
{
	struct mbox_flags_row flags;
	size_t i = 0, n = v->n;
	uint32_t uid;
	int code;

	while ((code = mbox_walk_flags(w, &uid, &flags)) == 0) {
		for (; i < n && v->rows[i].uid < uid; i++)
			mark(v, &v->rows[i], ROW_GONE);
		if (i < n && v->rows[i].uid == uid)
			update(v, &v->rows[i++], &flags, quiet);
		else if (i == n)
			add_message(v, uid, &flags);
	}
	for (; i < n; i++)
		mark(v, &v->rows[i], ROW_GONE);
	return code == MDB_NOTFOUND ? 0 : code;
}

/* All rows against all of the index: at the beginning, and where the log does not reach back far enough. */
static int take_all(struct mbox_view *v, struct mbox_tx *tx, uint32_t number, bool quiet)
{
	struct mbox_walk w;
	int code = mbox_walk_begin(tx, DB_FLAGS, number, 0, &w);

	if (code)
		return code;
	code = compare_with(v, &w, quiet);
	mbox_walk_end(&w);
	return code;
}

static int take_rows(struct mbox_view *v, struct mbox_tx *tx, struct mbox_index_folder *d)
{
	struct mbox_view_inner *in = v->inner;
	int code = mbox_row_folder(tx, in->place.record.id, d);

	if (code)
		return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
	bool same = in->opened == v->user->index.opened && in->number == d->number;
	if (same && d->modseq == v->modseq)
		return 0;
	if (same && v->modseq >= d->changes_floor && v->modseq >= d->gone_floor)
		code = take_log(v, tx, d->number);
	else
		code = take_all(v, tx, d->number, !same);
	if (code)
		return code;
	in->opened = v->user->index.opened;
	in->number = d->number;
	v->modseq = d->modseq;
	return 0;
}

/* ---- \Recent: the first session that is told of a message, and no other ---- */

struct claim {
	const char *id;
	uint32_t from, to;
};

static int claim(struct mbox_tx *tx, void *ctx)
{
	struct claim *c = ctx;
	struct mbox_index_folder d;
	int code = mbox_row_folder(tx, c->id, &d);

	if (code)
		return code;
	c->from = d.recent_from;
	if (d.recent_from >= c->to)
		return 0;
	d.recent_from = c->to;
	return mbox_row_folder_put(tx, c->id, &d);
}

/* Rows from `first` on are new here. Should the claim not come to the disk, another session may show them too. */
static void take_recent(struct mbox_view *v, size_t first, const struct mbox_index_folder *d)
{
	struct claim c = { v->inner->place.record.id, d->recent_from, d->uidnext };

	if (v->n == first || v->rows[v->n - 1].uid < d->recent_from)
		return;
	if (!v->readonly) {
		int code = mbox_index_write(&v->user->index, claim, &c);
		if (code && code != MDB_NOTFOUND)
			mbox_index_failed(&v->user->index, code, NULL);
	}
	for (size_t i = v->n; i > first && v->rows[i - 1].uid >= c.from; i--)
		v->rows[i - 1].marks |= ROW_RECENT;
}

enum mbox_result mbox_view_take_in(struct mbox_view *v, const struct mbox_index_folder *d, struct err *err)
{
	struct mbox_index_folder now = *d;
	struct mbox_tx tx;
	size_t n = v->n;
	int code = mbox_index_read(&v->user->index, &tx);

	if (!code) {
		code = take_rows(v, &tx, &now);
		mbox_index_end(&tx);
	}
	if (code)
		return mbox_index_failed(&v->user->index, code, err);
	v->uidnext = now.uidnext;
	take_recent(v, n, &now);
	return load_keywords(v, &now, err);
}

enum mbox_result mbox_view_sync(struct mbox_view *v, struct err *err)
{
	struct mbox_index_folder d;
	enum mbox_result r = MBOX_IO;

	for (int try = 0; try < 2 && r; try++) {
		r = mbox_sync(v->user, &v->inner->place, &d, err);
		if (!r)
			r = mbox_view_take_in(v, &d, err);
		if (r && !v->user->index.damaged)
			break;
	}
	return r;
}

enum mbox_result mbox_view_lock(struct mbox_view *v, struct mbox_index_folder *d, struct err *err)
{
	struct mbox_place *p = &v->inner->place;
	enum mbox_result r = MBOX_IO;

	for (int try = 0; try < 2 && r; try++) {
		if ((r = mbox_sync_lock(v->user, p, false, d, err)))
			return r;
		if (!(r = mbox_view_take_in(v, d, err)))
			return r;
		mbox_folder_unlock(&p->f, true);
		if (!v->user->index.damaged)
			break;
	}
	return r;
}

enum mbox_result mbox_view_unlock(struct mbox_view *v, enum mbox_result r, struct err *err)
{
	mbox_folder_unlock(&v->inner->place.f, !r);
	enum mbox_result later = mbox_view_sync(v, r ? NULL : err);
	return r ? r : later;
}

static void copy_about(struct mbox_view *v)
{
	const struct mbox_record *r = &v->inner->place.record;

	v->uidvalidity = r->uidvalidity;
	memcpy(v->id, r->id, sizeof(v->id));
	keep_keywords(v);
}

/* A folder that turned out to be a copy of another one has become itself meanwhile. */
static enum mbox_result open_view(struct mbox_view *v, struct err *err)
{
	struct mbox_view_inner *in = v->inner;
	struct mbox_index_folder d;
	enum mbox_result r = mbox_place_open(v->user->home, v->name, false, &in->place, err);

	if (r || (r = mbox_sync(v->user, &in->place, &d, err)))
		return r;
	mbox_sweep(&in->place.f);
	copy_about(v);
	return mbox_view_sync(v, err);
}

enum mbox_result mbox_view_open(struct mbox_user *u, struct str name, bool readonly, struct mbox_view **out,
				struct err *err)
{
	struct mbox_view *v = calloc(1, sizeof(*v));
	struct mbox_view_inner *in = calloc(1, sizeof(*in));

	if (!v || !in)
		panic("out of memory: view");
	v->inner = in;
	v->user = u;
	v->readonly = readonly;
	in->place.f = MBOX_FOLDER_CLOSED;
	in->name = strndup(name.n ? name.p : "INBOX", name.n ? name.n : 5);
	if (!in->name)
		panic("out of memory: view");
	v->name = str_from(in->name);
	enum mbox_result r = open_view(v, err);
	if (r)
		mbox_view_close(&v);
	*out = v;
	return r;
}

void mbox_view_close(struct mbox_view **vp)
{
	struct mbox_view *v = *vp;

	if (!v)
		return;
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++)
		free(v->keywords[i]);
	mbox_place_close(&v->inner->place);
	free(v->inner->name);
	free(v->inner);
	free(v->rows);
	free(v);
	*vp = NULL;
}

void mbox_view_forget(struct mbox_view *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->rows[i].marks & ROW_GONE)
			v->n_changed -= (v->rows[i].marks & ROW_CHANGED) != 0;
		else
			v->rows[kept++] = v->rows[i];
	}
	v->n = kept;
	v->n_gone = 0;
}

void mbox_view_directories(const struct mbox_view *v, int fds[2])
{
	fds[0] = v->inner->place.f.new;
	fds[1] = v->inner->place.f.cur;
}
