#include "mbox/items.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { TRIES = 4 };

void mbox_items_begin(struct mbox_items *all, struct mbox_view *v, size_t n)
{
	all->v = v;
	all->items = calloc(n ? n : 1, sizeof(*all->items));
	if (!all->items)
		panic("out of memory: %zu messages", n);
}

void mbox_items_free(struct mbox_items *all)
{
	for (size_t i = 0; i < all->n; i++)
		free(all->items[i].name);
	free(all->items);
	all->items = NULL;
}

static int file_name(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct mbox_facts_row *facts, uint32_t *flags,
		     struct buf *out)
{
	struct mbox_flags_row row;
	int code = mbox_row_flags(tx, folder, uid, &row);

	if (!code)
		code = mbox_row_facts(tx, folder, uid, facts);
	if (code)
		return code;
	*flags = row.flags;
	buf_reset(out);
	mbox_facts_name(facts, row.flags, out);
	return 0;
}

/* *lost counts files that were not as the index says; *failed is errno of what cannot be helped. */
static int run_once(struct mbox_items *all, struct mbox_tx *tx, size_t *lost, int *failed)
{
	const struct mbox_folder *f = &all->v->inner->place.f;
	scoped_buf struct buf name = { 0 };
	struct mbox_facts_row facts;
	uint32_t flags;

	for (size_t i = 0; i < all->n && !*failed; i++) {
		struct mbox_item *item = &all->items[i];
		if (item->state != ITEM_WAITS)
			continue;
		int code = file_name(tx, all->d.number, item->uid, &facts, &flags, &name);
		if (code == MDB_NOTFOUND) {
			item->state = ITEM_GONE;
			continue;
		}
		if (code)
			return code;
		int error = all->act(all, item, &facts, facts.in_new ? f->new : f->cur, buf_cstr(&name), flags);
		if (error == 0) {
			item->state = ITEM_DONE;
			all->from_new |= facts.in_new;
		}
		if (error == ENOENT || error == EEXIST)
			++*lost;
		else
			*failed = error;
	}
	return 0;
}

enum mbox_result mbox_items_run(struct mbox_items *all, struct err *err)
{
	struct mbox_user *u = all->v->user;
	struct mbox_place *p = &all->v->inner->place;
	struct mbox_tx tx;
	enum mbox_result r = mbox_place_look(p, &all->new, &all->cur, err);

	all->opened = u->index.opened;
	for (int try = 0; try < TRIES && !r; try++) {
		size_t lost = 0;
		int failed = 0, code = mbox_index_read(&u->index, &tx);
		if (!code) {
			code = run_once(all, &tx, &lost, &failed);
			mbox_index_end(&tx);
		}
		if (code)
			return mbox_index_failed(&u->index, code, err);
		if (failed)
			return errno = failed, mbox_failed(err, "cannot change a message");
		if (lost == 0)
			return MBOX_OK;
		/* all that we did so far is found with the rest, so the stamp to move on is the one after it */
		if (!(r = mbox_sync_again(u, p, &all->d, err)))
			r = mbox_place_look(p, &all->new, &all->cur, err);
		all->opened = u->index.opened;
		all->read_again = true;
		if (!r && all->again)
			r = all->again(all, err);
	}
	if (r)
		return r;
	err_set(err, "another program changes the folder all the time");
	return MBOX_BUSY;
}

enum mbox_result mbox_items_flush(struct mbox_items *all, struct err *err)
{
	struct mbox_place *p = &all->v->inner->place;
	struct mbox_sight new, cur;
	enum mbox_result r;

	if (fsync(p->f.cur) < 0 || (all->from_new && fsync(p->f.new) < 0))
		return mbox_flush_failed(err, "the folder");
	if ((r = mbox_place_look(p, &new, &cur, err)))
		return r;
	mbox_stamp_move(&all->d.cur, &all->cur, &cur);
	if (all->from_new)
		mbox_stamp_move(&all->d.new, &all->new, &new);
	return MBOX_OK;
}

int mbox_row_folder_for(struct mbox_tx *tx, const char *id, const struct mbox_index_folder *d,
			struct mbox_index_folder *out)
{
	struct mbox_index_folder there;
	int code = mbox_row_folder(tx, id, &there);

	if (code)
		return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
	*out = *d;
	out->recent_from = there.recent_from; /* is claimed without the lock */
	return 0;
}

void mbox_items_write(struct mbox_items *all, int (*work)(struct mbox_tx *tx, void *all))
{
	struct mbox_index *ix = &all->v->user->index;

	if (ix->opened != all->opened || ix->damaged)
		return;
	int code = mbox_index_write(ix, work, all);
	if (code)
		mbox_index_failed(ix, code, NULL);
}

struct mbox_facts_row mbox_facts_renamed(const struct mbox_facts_row *old, const char *text)
{
	struct mbox_name name;
	struct mbox_message m = {
		.name = str_from(text), .arrival = old->arrival, .size = old->size, .vsize = old->vsize
	};

	mbox_name_parse(m.name, &name);
	m.base_n = (uint16_t)name.base.n;
	m.flags = mbox_name_flags(name.flags);
	return mbox_message_facts(&m);
}
