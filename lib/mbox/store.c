#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mbox/items.h"

static uint32_t new_flags(const struct mbox_store *s, uint32_t old)
{
	switch (s->how) {
	case STORE_SET: return s->flags;
	case STORE_ADD: return old | s->flags;
	default: return old & ~s->flags;
	}
}

/* ---- changing flags ---- */

struct store {
	struct mbox_items all; /* first, so that act finds the rest */
	const struct mbox_store *how;
};

/* What has to be changed: rows that are there, may be changed, and are not so already. The view is up to date. */
static void choose(struct store *s, const size_t *which, size_t n, size_t *refused, size_t *n_refused)
{
	struct mbox_items *all = &s->all;

	for (size_t i = 0; i < n; i++) {
		ASSERT(which[i] < all->v->n);
		const struct mbox_row *row = &all->v->rows[which[i]];
		if (row->marks & ROW_GONE)
			continue;
		if (row->modseq > s->how->unchanged_since)
			refused[(*n_refused)++] = which[i];
		else if (new_flags(s->how, row->flags) != row->flags)
			all->items[all->n++].uid = row->uid;
	}
}

static int rename_one(struct mbox_items *all, struct mbox_item *item, const struct mbox_facts_row *facts, int dir,
		      const char *name, uint32_t flags)
{
	scoped_buf struct buf to = { 0 };
	struct mbox_name parsed;
	int cur = all->v->inner->place.f.cur;

	item->flags = new_flags(((struct store *)all)->how, flags); /* `flags` may be newer than the view */
	if (!mbox_name_parse(str_from(name), &parsed))
		return EINVAL;
	mbox_name_reflag(&parsed, item->flags, &to);
	if (dir != cur || !str_eq(str_from(name), buf_str(&to))) {
		if (mbox_move(dir, name, cur, buf_cstr(&to)) < 0)
			return errno;
	}
	if (!facts->plain || !str_starts(buf_str(&to), facts->name)) {
		item->name = strdup(buf_cstr(&to));
		if (!item->name)
			panic("out of memory: a name");
	}
	return 0;
}

static int write_change(struct mbox_tx *tx, struct mbox_index_folder *d, const struct mbox_item *item)
{
	struct mbox_flags_row flags;
	struct mbox_facts_row facts;
	int code = mbox_row_flags(tx, d->number, item->uid, &flags);

	if (code == MDB_NOTFOUND) /* the folder was read again, and has it no more */
		return 0;
	if (!code && flags.flags != item->flags)
		code = mbox_row_change(tx, d, item->uid, item->flags);
	if (code || !item->name)
		return code;
	if ((code = mbox_row_facts(tx, d->number, item->uid, &facts)))
		return code;
	facts = mbox_facts_renamed(&facts, item->name);
	return mbox_row_rename(tx, d, item->uid, &facts);
}

static int write_changes(struct mbox_tx *tx, void *ctx)
{
	struct mbox_items *all = ctx;
	const char *id = all->v->inner->place.record.id;
	struct mbox_index_folder d;
	int code = mbox_row_folder_for(tx, id, &all->d, &d);

	if (!code)
		code = mbox_row_batch(tx, &d, all->n);
	for (size_t i = 0; i < all->n && !code; i++)
		if (all->items[i].state == ITEM_DONE)
			code = write_change(tx, &d, &all->items[i]);
	if (!code)
		code = mbox_row_trim(tx, &d);
	return code ? code : mbox_row_folder_put(tx, id, &d);
}

/* The files first, and durable; what the index then lacks it can have from them. */
static enum mbox_result change_files(struct mbox_items *all, struct err *err)
{
	struct mbox_place *p = &all->v->inner->place;
	enum mbox_result r = mbox_place_modseq(p, &all->d, err);

	if (r)
		return r;
	r = mbox_items_run(all, err);
	enum mbox_result flushed = mbox_items_flush(all, r ? NULL : err);
	if (!flushed && (!all->read_again || !mbox_place_modseq(p, &all->d, NULL)))
		mbox_items_write(all, write_changes);
	return r ? r : flushed;
}

enum mbox_result mbox_view_store(struct mbox_view *v, const size_t *which, size_t n, const struct mbox_store *s,
				 size_t *refused, size_t *n_refused, struct err *err)
{
	struct store store = { .how = s };
	enum mbox_result r = mbox_view_lock(v, &store.all.d, err);

	*n_refused = 0;
	if (r)
		return r;
	mbox_items_begin(&store.all, v, n);
	store.all.act = rename_one;
	choose(&store, which, n, refused, n_refused);
	if (store.all.n > 0)
		r = change_files(&store.all, err);
	mbox_items_free(&store.all);
	return mbox_view_unlock(v, r, err);
}

/* ---- removal ---- */

static int unlink_one(struct mbox_items *all, struct mbox_item *item, const struct mbox_facts_row *facts, int dir,
		      const char *name, uint32_t flags)
{
	(void)all;
	(void)item;
	(void)facts;
	(void)flags;
	return unlinkat(dir, name, 0) < 0 ? errno : 0;
}

static int write_removal(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid)
{
	int code = mbox_row_remove(tx, d, uid);

	return code == MDB_NOTFOUND ? 0 : code; /* as above */
}

static int write_removals(struct mbox_tx *tx, void *ctx)
{
	struct mbox_items *all = ctx;
	const char *id = all->v->inner->place.record.id;
	struct mbox_index_folder d;
	int code = mbox_row_folder_for(tx, id, &all->d, &d);

	if (!code)
		code = mbox_row_batch(tx, &d, all->n);
	for (size_t i = 0; i < all->n && !code; i++)
		if (all->items[i].state == ITEM_DONE)
			code = write_removal(tx, &d, all->items[i].uid);
	if (!code)
		code = mbox_row_trim(tx, &d);
	return code ? code : mbox_row_folder_put(tx, id, &d);
}

/* The number is drawn last: on a full disk, removing must go on. */
static enum mbox_result remove_files(struct mbox_items *all, struct err *err)
{
	enum mbox_result r = mbox_items_run(all, err);
	enum mbox_result flushed = mbox_items_flush(all, r ? NULL : err);

	if (!flushed && !mbox_place_modseq(&all->v->inner->place, &all->d, NULL))
		mbox_items_write(all, write_removals);
	return r ? r : flushed;
}

enum mbox_result mbox_view_expunge(struct mbox_view *v, const size_t *which, size_t n, struct err *err)
{
	struct mbox_items all = { 0 };
	enum mbox_result r = mbox_view_lock(v, &all.d, err);

	if (r)
		return r;
	mbox_items_begin(&all, v, n);
	all.act = unlink_one;
	for (size_t i = 0; i < n; i++) {
		ASSERT(which[i] < v->n);
		if (!(v->rows[which[i]].marks & ROW_GONE))
			all.items[all.n++].uid = v->rows[which[i]].uid;
	}
	if (all.n > 0)
		r = remove_files(&all, err);
	mbox_items_free(&all);
	return mbox_view_unlock(v, r, err);
}
