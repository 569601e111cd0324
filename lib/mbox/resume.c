#include <stdlib.h>

#include "mbox/seen.h"

static int compare_u32(const void *pa, const void *pb)
{
	const uint32_t *a = pa, *b = pb;

	return *a < *b ? -1 : *a > *b;
}

static int walk_gone(struct mbox_tx *tx, struct mbox_view *v, uint64_t modseq, struct buf *out)
{
	struct mbox_walk w;
	uint32_t uid;
	uint64_t at;
	int code = mbox_walk_begin(tx, DB_GONE, v->inner->number, 0, &w);

	if (code)
		return code;
	/* a UID is given once, so it is gone once */
	while ((code = mbox_walk_log(&w, modseq + 1, &at, &uid)) == 0)
		buf_add(out, str_of(&uid, sizeof(uid)));
	mbox_walk_end(&w);
	return code == MDB_NOTFOUND ? 0 : code;
}

bool mbox_view_vanished(struct mbox_view *v, uint64_t modseq, struct buf *out)
{
	struct mbox_index_folder d;
	struct mbox_tx tx;
	size_t before = out->n;

	if (v->inner->opened != v->user->index.opened || mbox_index_read(&v->user->index, &tx))
		return false;
	int code = mbox_row_folder(&tx, v->inner->place.record.id, &d);
	if (!code && modseq >= d.gone_floor)
		code = walk_gone(&tx, v, modseq, out);
	else
		code = MDB_NOTFOUND;
	mbox_index_end(&tx);
	if (code) {
		out->n = before;
		return false;
	}
	if (out->n > before)
		qsort(out->p + before, (out->n - before) / sizeof(uint32_t), sizeof(uint32_t), compare_u32);
	return true;
}

static bool in_ranges(const struct mbox_uid_range *ranges, size_t n, size_t *at, uint32_t uid)
{
	while (*at < n && ranges[*at].to < uid)
		++*at;
	return *at < n && ranges[*at].from <= uid;
}

/* The rows that the client knew: those of now among them, and rows for those that are no more. */
struct restored {
	struct mbox_row *rows;
	size_t n, room;
};

static void put(struct restored *r, struct mbox_row row)
{
	if (r->n >= MBOX_MESSAGES_MAX)
		return;
	if (r->n == r->room) {
		r->room = r->room ? r->room * 2 : 256;
		r->rows = reallocarray(r->rows, r->room, sizeof(*r->rows));
		if (!r->rows)
			panic("out of memory: %zu messages", r->room);
	}
	r->rows[r->n++] = row;
}

/* UIDs from `from` to before `end`. */
static void put_gone(struct restored *r, uint64_t from, uint64_t end)
{
	for (uint64_t uid = from; uid < end && r->n < MBOX_MESSAGES_MAX; uid++)
		put(r, (struct mbox_row){ .uid = (uint32_t)uid, .marks = ROW_GONE });
}

static void put_range(const struct mbox_view *v, const struct mbox_uid_range *range, uint64_t modseq,
		      struct restored *r)
{
	uint64_t next = range->from;

	for (size_t i = mbox_view_find(v, range->from); i < v->n && v->rows[i].uid <= range->to; i++) {
		struct mbox_row row = v->rows[i];
		put_gone(r, next, row.uid);
		row.marks = (uint8_t)((row.marks & ROW_GONE) | (row.modseq > modseq ? ROW_CHANGED : 0));
		put(r, row);
		next = (uint64_t)row.uid + 1;
	}
	put_gone(r, next, (uint64_t)range->to + 1);
}

static void count_marks(struct mbox_view *v)
{
	v->n_changed = v->n_gone = 0;
	for (size_t i = 0; i < v->n; i++) {
		v->n_changed += (v->rows[i].marks & ROW_CHANGED) != 0;
		v->n_gone += (v->rows[i].marks & ROW_GONE) != 0;
	}
}

void mbox_view_restore(struct mbox_view *v, const struct mbox_uid_range *known, size_t n_known,
		       const struct mbox_uid_range *recent, size_t n_recent, uint64_t modseq)
{
	uint32_t last = n_known ? known[n_known - 1].to : 0;
	struct restored r = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < n_known; i++)
		put_range(v, &known[i], modseq, &r);
	for (size_t i = 0; i < r.n; i++)
		if (in_ranges(recent, n_recent, &at, r.rows[i].uid))
			r.rows[i].marks |= ROW_RECENT;
	for (size_t i = mbox_view_find(v, last); i < v->n; i++)
		if (v->rows[i].uid > last)
			put(&r, v->rows[i]);
	free(v->rows);
	v->rows = r.rows;
	v->n = r.n;
	v->inner->room = r.room;
	count_marks(v);
}
