#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/items.h"

enum { CHUNK = 65536, US = 1000000 };

struct copy {
	struct mbox_items all; /* of the source; first, so that act finds the rest */
	struct mbox_place own; /* the target, unless it is the source */
	struct mbox_place *to;
	struct mbox_index_folder row, *to_row; /* of the target; to_row may be the source's */
	struct mbox_sight new, cur;	       /* of the target, before */
	uint32_t letters[MBOX_KEYWORDS_MAX];   /* bits there of our letters */
	uint32_t next;			       /* the next UID there; enough of them are reserved */
	bool move;
};

static bool within(const struct copy *c)
{
	return c->to != &c->own;
}

/* ---- files ---- */

static struct str host_of(struct str stem)
{
	str_cut(&stem, '.');
	str_cut(&stem, '.');
	return stem;
}

/* A letter without a name stands for nothing that the other folder could know. */
static uint32_t flags_there(const struct copy *c, uint32_t flags)
{
	uint32_t out = flags & (MBOX_KEYWORD_A - 1);

	for (unsigned i = 0; i < MBOX_KEYWORDS_MAX; i++)
		if (flags & (uint32_t)MBOX_KEYWORD_A << i)
			out |= c->letters[i];
	return out;
}

/* The same date of arrival; a unique part of its own. */
static void make_name(const struct copy *c, const struct mbox_item *item, const struct mbox_facts_row *facts,
		      struct buf *out)
{
	char id[24], letters[MBOX_LETTERS_MAX];
	struct mbox_name old;

	mbox_name_parse(str_head(facts->name, facts->base_n), &old);
	int n = snprintf(id, sizeof(id), "C%016llx", (unsigned long long)random_u64());
	int64_t seconds = facts->arrival > 0 ? facts->arrival : 0;
	mbox_name_stem(seconds * US + c->next % US, str_of(id, (size_t)n), host_of(old.stem), out);
	buf_addf(out, ",S=%lld,W=%lld,T=%u.%u:2,", (long long)facts->size, (long long)facts->vsize,
		 c->to->record.uidvalidity, c->next);
	buf_add(out, str_of(letters, mbox_name_letters(item->flags, letters)));
}

/* -1 with errno; ENOENT is about the source only. */
static int copy_bytes(int from_dir, const char *from, int fd)
{
	scoped_fd int in = mbox_file_open(from_dir, from, O_RDONLY);
	scoped_buf struct buf chunk = { 0 };
	ssize_t n;

	if (in < 0)
		return -1;
	buf_reserve(&chunk, CHUNK);
	while ((n = fd_read_full(in, chunk.p, CHUNK)) > 0)
		if (fd_write_all(fd, str_of(chunk.p, (size_t)n)) < 0)
			return -1;
	return n < 0 ? -1 : fsync(fd);
}

/* Where no second link can be made, the bytes are written once more. */
static int copy_file(const struct mbox_folder *to, int from_dir, const char *from, const char *name)
{
	char temp[64];

	snprintf(temp, sizeof(temp), "copy.T%016llx", (unsigned long long)random_u64());
	scoped_fd int fd = mbox_file_open(to->tmp, temp, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return -1;
	if (copy_bytes(from_dir, from, fd) == 0 && mbox_move(to->tmp, temp, to->cur, name) == 0)
		return 0;
	int saved = errno;
	unlinkat(to->tmp, temp, 0);
	return errno = saved, -1;
}

static int link_file(const struct mbox_folder *to, int from_dir, const char *from, const char *name)
{
	if (linkat(from_dir, from, to->cur, name, 0) == 0)
		return 0;
	if (errno == EXDEV || errno == EMLINK || errno == EPERM)
		return copy_file(to, from_dir, from, name);
	return -1;
}

static int move_file(const struct mbox_folder *to, int from_dir, const char *from, const char *name)
{
	if (mbox_move(from_dir, from, to->cur, name) == 0)
		return 0;
	if (errno != EXDEV)
		return -1;
	return copy_file(to, from_dir, from, name) == 0 ? unlinkat(from_dir, from, 0) : -1;
}

static int put_one(struct mbox_items *all, struct mbox_item *item, const struct mbox_facts_row *facts, int dir,
		   const char *name, uint32_t flags)
{
	struct copy *c = (struct copy *)all;
	scoped_buf struct buf to = { 0 };

	item->flags = flags_there(c, flags);
	make_name(c, item, facts, &to);
	int failed = (c->move ? move_file : link_file)(&c->to->f, dir, name, buf_cstr(&to));
	if (failed)
		return errno;
	item->name = strdup(buf_cstr(&to));
	if (!item->name)
		panic("out of memory: a name");
	item->to_uid = c->next++;
	return 0;
}

/* In one and the same folder, UIDs were given to new mail meanwhile: the rest come after them. */
static enum mbox_result reserve(struct mbox_items *all, struct err *err)
{
	struct copy *c = (struct copy *)all;
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->items[i].state == ITEM_WAITS;
	return within(c) || !all->read_again ? mbox_place_uids(c->to, c->to_row, n, &c->next, err) : MBOX_OK;
}

static void take_back(struct copy *c)
{
	for (size_t i = 0; i < c->all.n; i++) {
		struct mbox_item *item = &c->all.items[i];
		if (item->state == ITEM_DONE)
			unlinkat(c->to->f.cur, item->name, 0);
		item->state = ITEM_WAITS;
	}
}

/* ---- the index ---- */

static int copy_text(struct mbox_tx *tx, enum mbox_db db, uint32_t from, uint32_t uid, uint32_t to, uint32_t to_uid)
{
	scoped_buf struct buf kept = { 0 };
	struct str text;
	int code = mbox_row_text(tx, db, from, uid, &text);

	if (code)
		return code == MDB_NOTFOUND ? 0 : code;
	buf_add(&kept, text); /* the page may be written anew under it */
	return mbox_row_text_put(tx, db, to, to_uid, buf_str(&kept));
}

static int add_one(struct mbox_tx *tx, const struct mbox_item *item, uint32_t from, struct mbox_index_folder *to)
{
	struct mbox_facts_row facts;
	struct mbox_name name;
	int code = mbox_row_facts(tx, from, item->uid, &facts);

	if (code == MDB_NOTFOUND) { /* the folder was read again: the name tells what is there */
		mbox_name_parse(str_from(item->name), &name);
		facts = (struct mbox_facts_row){ .arrival = name.seconds, .size = name.size, .vsize = name.vsize };
		code = 0;
	}
	if (code)
		return code;
	facts = mbox_facts_renamed(&facts, item->name);
	return mbox_row_add(tx, to, item->to_uid, item->flags, &facts);
}

static int write_one(struct mbox_tx *tx, const struct copy *c, const struct mbox_item *item,
		     struct mbox_index_folder *from, struct mbox_index_folder *to)
{
	struct mbox_flags_row flags;
	int code = mbox_row_flags(tx, to->number, item->to_uid, &flags);

	if (code == MDB_NOTFOUND) /* else it was found already when the folder was read again */
		code = add_one(tx, item, from->number, to);
	if (code || (code = copy_text(tx, DB_ENVELOPES, from->number, item->uid, to->number, item->to_uid)) ||
	    (code = copy_text(tx, DB_STRUCTURES, from->number, item->uid, to->number, item->to_uid)))
		return code;
	code = c->move ? mbox_row_remove(tx, from, item->uid) : 0;
	return code == MDB_NOTFOUND ? 0 : code;
}

static int write_all(struct mbox_tx *tx, void *ctx)
{
	struct copy *c = ctx;
	const char *from_id = c->all.v->inner->place.record.id, *to_id = c->to->record.id;
	struct mbox_index_folder from, other, *to = within(c) ? &from : &other;
	int code = mbox_row_folder_for(tx, from_id, &c->all.d, &from);

	if (!code && !within(c))
		code = mbox_row_folder_for(tx, to_id, &c->row, to);
	if (!code && (c->move || within(c)))
		code = mbox_row_batch(tx, &from, c->all.n);
	if (!code && !within(c))
		code = mbox_row_batch(tx, to, c->all.n);
	for (size_t i = 0; i < c->all.n && !code; i++)
		if (c->all.items[i].state == ITEM_DONE)
			code = write_one(tx, c, &c->all.items[i], &from, to);
	if (!code && !(code = mbox_row_trim(tx, &from)))
		code = mbox_row_folder_put(tx, from_id, &from);
	if (!code && !within(c) && !(code = mbox_row_trim(tx, to)))
		code = mbox_row_folder_put(tx, to_id, to);
	return code;
}

/* ---- both folders ---- */

static bool before(const struct mbox_place *a, const struct mbox_place *b)
{
	return a->dev != b->dev ? a->dev < b->dev : a->ino < b->ino;
}

/* Always in the same order, so that two who copy in opposite directions do not wait for each other. */
static enum mbox_result lock_both(struct copy *c, struct err *err)
{
	struct mbox_view *v = c->all.v;
	struct mbox_place *from = &v->inner->place;
	bool first = within(c) || before(from, c->to);
	enum mbox_result r =
		first ? mbox_view_lock(v, &c->all.d, err) : mbox_sync_lock(v->user, c->to, false, &c->row, err);
	unsigned opened = v->user->index.opened;

	if (r || within(c))
		return r;
	r = first ? mbox_sync_lock(v->user, c->to, false, &c->row, err) : mbox_view_lock(v, &c->all.d, err);
	if (!r && v->user->index.opened == opened)
		return MBOX_OK;
	if (!r) { /* the index was built anew in between, so the first row is void */
		mbox_folder_unlock(first ? &c->to->f : &from->f, true);
		err_set(err, "the index was damaged");
		r = MBOX_IO;
	}
	mbox_folder_unlock(first ? &from->f : &c->to->f, true);
	return r;
}

static enum mbox_result lock_both_again(struct copy *c, struct err *err)
{
	unsigned opened = c->all.v->user->index.opened;
	enum mbox_result r = lock_both(c, err);

	return r && c->all.v->user->index.opened != opened ? lock_both(c, err) : r;
}

static enum mbox_result map_letters(struct copy *c, struct err *err)
{
	const struct mbox_record *r = &c->all.v->inner->place.record;
	const struct mbox_items *all = &c->all;
	uint32_t used = 0;
	enum mbox_result result = MBOX_OK;

	for (size_t i = 0; i < all->n; i++)
		used |= all->items[i].flags;
	for (unsigned i = 0; i < MBOX_KEYWORDS_MAX && !result; i++) {
		uint32_t bit = (uint32_t)MBOX_KEYWORD_A << i;
		if (within(c))
			c->letters[i] = bit;
		else if (used & bit && r->keywords[i].n)
			result = mbox_place_keyword(all->v->user, c->to, &c->row, r->keywords[i], &c->letters[i], err);
	}
	return result;
}

static enum mbox_result flush_there(struct copy *c, struct err *err)
{
	struct mbox_sight new, cur;

	if (fsync(c->to->f.cur) < 0)
		return mbox_flush_failed(err, "the other folder");
	enum mbox_result r = mbox_place_look(c->to, &new, &cur, err);
	if (!r && !within(c))
		mbox_stamp_move(&c->row.cur, &c->cur, &cur);
	return r;
}

static enum mbox_result draw_modseqs(struct copy *c, struct err *err)
{
	enum mbox_result r = MBOX_OK;

	if (c->move || within(c))
		r = mbox_place_modseq(&c->all.v->inner->place, &c->all.d, err);
	return r || within(c) ? r : mbox_place_modseq(c->to, &c->row, err);
}

/* Both locks are held. The target is soiled until the index knows what was given. */
static enum mbox_result copy_files(struct copy *c, bool *clean, struct err *err)
{
	enum mbox_result r;

	if ((r = map_letters(c, err)) || (r = mbox_folder_soil(&c->to->f, err)) || (r = reserve(&c->all, err)) ||
	    (r = mbox_place_look(c->to, &c->new, &c->cur, err)))
		return r;
	r = mbox_items_run(&c->all, err);
	if (r && !c->move)
		take_back(c);
	/* the target first: a message that is in both is better than one that is in none */
	enum mbox_result flushed = flush_there(c, r ? NULL : err);
	if (flushed && !r && !c->move)
		take_back(c);
	if (c->move || within(c)) {
		enum mbox_result here = mbox_items_flush(&c->all, r || flushed ? NULL : err);
		flushed = flushed ? flushed : here;
	}
	if (flushed || (r && !c->move))
		return r ? r : flushed;
	struct mbox_index *ix = &c->all.v->user->index;
	if (!draw_modseqs(c, NULL) && ix->opened == c->all.opened && !ix->damaged) {
		int code = mbox_index_write(ix, write_all, c);
		if (code)
			mbox_index_failed(ix, code, NULL);
		*clean = !code;
	}
	return r;
}

static void choose(struct copy *c, const size_t *which, size_t n, uint32_t *uids)
{
	const struct mbox_view *v = c->all.v;

	for (size_t i = 0; i < n; i++) {
		ASSERT(which[i] < v->n);
		const struct mbox_row *row = &v->rows[which[i]];
		uids[i] = 0;
		c->all.items[c->all.n++] = (struct mbox_item){
			.uid = row->uid,
			.flags = row->flags,
			.state = row->marks & ROW_GONE ? ITEM_GONE : ITEM_WAITS,
		};
	}
}

static void tell(const struct copy *c, uint32_t *uidvalidity, uint32_t *uids, size_t *moved)
{
	*uidvalidity = c->to->record.uidvalidity;
	for (size_t i = 0; i < c->all.n; i++) {
		if (c->all.items[i].state == ITEM_DONE)
			uids[i] = c->all.items[i].to_uid;
		if (c->all.items[i].state != ITEM_WAITS && *moved == i)
			*moved = i + 1;
	}
}

static enum mbox_result run(struct copy *c, const size_t *which, size_t n, uint32_t *uidvalidity, uint32_t *uids,
			    size_t *moved, struct err *err)
{
	bool clean = false;
	enum mbox_result r = lock_both_again(c, err);

	if (r)
		return r;
	mbox_items_begin(&c->all, c->all.v, n);
	c->all.act = put_one;
	c->all.again = reserve;
	choose(c, which, n, uids);
	c->to_row = within(c) ? &c->all.d : &c->row;
	r = copy_files(c, &clean, err);
	tell(c, uidvalidity, uids, moved);
	if (!within(c))
		mbox_folder_unlock(&c->to->f, clean);
	mbox_items_free(&c->all);
	return mbox_view_unlock(c->all.v, r, err);
}

enum mbox_result mbox_view_copy(struct mbox_view *v, const size_t *which, size_t n, struct str to, bool move,
				uint32_t *uidvalidity, uint32_t *uids, size_t *moved, struct err *err)
{
	struct copy c = { .all = { .v = v }, .move = move };
	enum mbox_result r = mbox_place_open(v->user->home, to, false, &c.own, err);

	*moved = 0;
	*uidvalidity = 0;
	for (size_t i = 0; i < n; i++)
		uids[i] = 0;
	c.to = mbox_place_same(&c.own, &v->inner->place) ? &v->inner->place : &c.own;
	if (!r)
		r = run(&c, which, n, uidvalidity, uids, moved, err);
	mbox_place_close(&c.own);
	return r;
}
