#include "mbox/seen.h"

/* Letters that messages carry: one of them must not get a name, or those messages get the keyword. */
static int used_letters(struct mbox_tx *tx, uint32_t number, uint32_t *used)
{
	struct mbox_flags_row flags;
	struct mbox_walk w;
	uint32_t uid;
	int code = mbox_walk_begin(tx, DB_FLAGS, number, 0, &w);

	*used = 0;
	if (code)
		return code;
	while ((code = mbox_walk_flags(&w, &uid, &flags)) == 0)
		*used |= flags.flags;
	mbox_walk_end(&w);
	return code == MDB_NOTFOUND ? 0 : code;
}

static uint32_t letter_bit(unsigned letter)
{
	return (uint32_t)MBOX_KEYWORD_A << letter;
}

enum mbox_result mbox_place_keyword(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d,
				    struct str name, uint32_t *bit, struct err *err)
{
	struct mbox_tx tx;
	uint32_t used;
	int known = mbox_record_keyword_find(&p->record, name);

	*bit = known >= 0 ? letter_bit((unsigned)known) : 0;
	if (known >= 0 || !mbox_record_keyword_ok(name))
		return MBOX_OK;
	int code = mbox_index_read(&u->index, &tx);
	if (!code) {
		code = used_letters(&tx, d->number, &used);
		mbox_index_end(&tx);
	}
	if (code)
		return mbox_index_failed(&u->index, code, err);
	for (unsigned i = 0; i < MBOX_RECORD_KEYWORDS; i++) {
		if (p->record.keywords[i].n || used & letter_bit(i))
			continue;
		enum mbox_result r = mbox_folder_name_letter(&p->f, &p->record, i, name, err);
		if (!r)
			r = mbox_place_reload(p, err); /* the name must be the record's */
		d->keywords += !r;
		*bit = r ? 0 : letter_bit(i);
		return r;
	}
	return MBOX_OK;
}

struct put_row {
	const char *id;
	const struct mbox_index_folder *d;
};

static int put_row(struct mbox_tx *tx, void *ctx)
{
	struct put_row *put = ctx;

	return mbox_row_folder_put(tx, put->id, put->d);
}

static enum mbox_result make_keyword(struct mbox_view *v, struct str name, uint32_t *bit, struct err *err)
{
	struct mbox_place *p = &v->inner->place;
	struct mbox_index_folder d;
	enum mbox_result r = mbox_view_lock(v, &d, err);

	if (r)
		return r;
	r = mbox_place_keyword(v->user, p, &d, name, bit, err);
	if (!r && *bit) { /* others see by the row that there is one more; if not now, at the next sync */
		int code = mbox_index_write(&v->user->index, put_row, &(struct put_row){ p->record.id, &d });
		if (code)
			mbox_index_failed(&v->user->index, code, NULL);
	}
	return mbox_view_unlock(v, r, err);
}

uint32_t mbox_view_keyword(struct mbox_view *v, struct str name, bool make, struct err *err)
{
	uint32_t bit = 0;
	int known = mbox_record_keyword_find(&v->inner->place.record, name);

	if (known >= 0)
		return letter_bit((unsigned)known);
	if (!make || v->readonly || !mbox_record_keyword_ok(name)) {
		err_set(err, "no such keyword");
		return 0;
	}
	if (make_keyword(v, name, &bit, err))
		return 0;
	if (bit == 0)
		err_set(err, "all letters for keywords are used");
	return bit;
}
