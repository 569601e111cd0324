#include <stdlib.h>

#include "mbox/seen.h"

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

static int compare_with(struct mbox_view *v, struct mbox_walk *w, bool quiet, uint32_t *messages)
{
	struct mbox_flags_row flags;
	size_t i = 0, n = v->n;
	uint32_t uid;
	int code;

	for (*messages = 0; (code = mbox_walk_flags(w, &uid, &flags)) == 0; ++*messages) {
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
static int take_all(struct mbox_view *v, struct mbox_tx *tx, const struct mbox_index_folder *d, bool quiet)
{
	struct mbox_walk w;
	uint32_t messages;
	int code = mbox_walk_begin(tx, DB_FLAGS, d->number, 0, &w);

	if (code)
		return code;
	code = compare_with(v, &w, quiet, &messages);
	mbox_walk_end(&w);
	/* a page may be whole, but of another time or place */
	return code || messages == d->messages ? code : MDB_CORRUPTED;
}

/* Rows as they were, should the index turn out to be damaged half-way. */
struct kept {
	struct mbox_row *rows;
	size_t n, n_changed, n_gone;
};

static struct kept keep(const struct mbox_view *v)
{
	struct kept k = { NULL, v->n, v->n_changed, v->n_gone };

	k.rows = malloc((v->n ? v->n : 1) * sizeof(*k.rows));
	if (!k.rows)
		panic("out of memory: %zu messages", v->n);
	if (v->n)
		memcpy(k.rows, v->rows, v->n * sizeof(*k.rows));
	return k;
}

static void put_back(struct mbox_view *v, const struct kept *k)
{
	if (k->n)
		memcpy(v->rows, k->rows, k->n * sizeof(*k->rows));
	v->n = k->n;
	v->n_changed = k->n_changed;
	v->n_gone = k->n_gone;
}

static int take_all_or_nothing(struct mbox_view *v, struct mbox_tx *tx, const struct mbox_index_folder *d, bool quiet)
{
	struct kept k = keep(v);
	int code = take_all(v, tx, d, quiet);

	if (code)
		put_back(v, &k);
	free(k.rows);
	return code;
}

int mbox_view_take_rows(struct mbox_view *v, struct mbox_tx *tx, struct mbox_index_folder *d)
{
	struct mbox_view_inner *in = v->inner;
	size_t n = v->n;
	int code = mbox_row_folder(tx, in->place.record.id, d);

	if (code)
		return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
	bool same = in->opened == v->user->index.opened && in->number == d->number;
	if (same && d->modseq == v->modseq)
		return 0;
	if (same && v->modseq >= d->changes_floor && v->modseq >= d->gone_floor) {
		code = take_log(v, tx, d->number);
		if (code) /* what was marked is right, each row being checked; but not all of the new ones came */
			v->n = n;
	} else {
		code = take_all_or_nothing(v, tx, d, !same);
	}
	if (code)
		return code;
	in->opened = v->user->index.opened;
	in->number = d->number;
	v->modseq = d->modseq;
	return 0;
}
