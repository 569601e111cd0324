#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/fd.h"
#include "mbox/delivery.h"
#include "mbox/seen.h"
#include "mbox/texts.h"

struct append {
	struct mbox_user *u;
	struct mbox_delivery *d;
	struct mbox_place place;
	struct mbox_index_folder row;
	struct mbox_texts texts;
	struct buf name;
	uint32_t uid, flags;
};

/* Letters for the names; one for which none is left is not kept. */
static enum mbox_result take_keywords(struct append *a, const struct str *keywords, size_t n, struct err *err)
{
	enum mbox_result r = MBOX_OK;
	uint32_t bit;

	for (size_t i = 0; i < n && !r; i++) {
		r = mbox_place_keyword(a->u, &a->place, &a->row, keywords[i], &bit, err);
		a->flags |= bit;
	}
	return r;
}

/* The same form of name that a message in new/ gets when it is taken in. */
static void make_name(struct append *a)
{
	const struct mbox_delivery *d = a->d;
	char letters[MBOX_LETTERS_MAX];

	buf_reset(&a->name);
	buf_addf(&a->name, "%.*s,S=%lld,W=%lld,T=%u.%u:2,", STR_ARG(buf_str(&d->stem)), (long long)d->size,
		 (long long)(d->size + d->bare_lf), a->place.record.uidvalidity, a->uid);
	buf_add(&a->name, str_of(letters, mbox_name_letters(a->flags, letters)));
}

/* The message takes its place, name and all on disk; else nothing is left of it there. */
static enum mbox_result put_file(struct append *a, struct err *err)
{
	const struct mbox_folder *f = &a->place.f;
	struct mbox_sight new, cur, after;
	enum mbox_result r = mbox_place_look(&a->place, &new, &cur, err);

	if (r)
		return r;
	make_name(a);
	if (mbox_move(f->tmp, a->d->temp, f->cur, buf_cstr(&a->name)) < 0)
		return mbox_failed(err, "cannot move the message to cur/");
	if (fsync(f->cur) < 0) {
		r = mbox_flush_failed(err, "cur/");
		unlinkat(f->cur, buf_cstr(&a->name), 0);
		return r;
	}
	a->d->temp[0] = '\0';
	if (!mbox_place_look(&a->place, &new, &after, NULL))
		mbox_stamp_move(&a->row.cur, &cur, &after);
	return MBOX_OK;
}

static int write_row(struct mbox_tx *tx, void *ctx)
{
	const struct append *a = ctx;
	const char *id = a->place.record.id;
	struct mbox_index_folder d;
	struct mbox_name name;
	struct mbox_message m = { .name = buf_str(&a->name), .flags = a->flags, .uid = a->uid };
	int code = mbox_row_folder_for(tx, id, &a->row, &d);

	if (code)
		return code;
	mbox_name_parse(m.name, &name);
	m.base_n = (uint16_t)name.base.n;
	m.arrival = name.seconds;
	m.size = name.size;
	m.vsize = name.vsize;
	struct mbox_facts_row facts = mbox_message_facts(&m);
	if ((code = mbox_row_batch(tx, &d, 1)) || (code = mbox_row_add(tx, &d, a->uid, a->flags, &facts)) ||
	    (code = mbox_row_texts_put(tx, d.number, a->uid, buf_str(&a->texts.envelope),
				       buf_str(&a->texts.structure))) ||
	    (code = mbox_row_trim(tx, &d)))
		return code;
	return mbox_row_folder_put(tx, id, &d);
}

/* New mail first, so that UIDs ascend as messages came. True in *clean: the index knows it all. */
static enum mbox_result place_locked(struct append *a, const struct str *keywords, size_t n, bool *clean,
				     struct err *err)
{
	enum mbox_result r = take_keywords(a, keywords, n, err);

	if (r || (r = mbox_folder_soil(&a->place.f, err)) ||
	    (r = mbox_place_uids(&a->place, &a->row, 1, &a->uid, err)) ||
	    (r = mbox_place_modseq(&a->place, &a->row, err)) || (r = put_file(a, err)))
		return r;
	int code = mbox_index_write(&a->u->index, write_row, a);
	if (code)
		mbox_index_failed(&a->u->index, code, NULL);
	*clean = !code;
	return MBOX_OK;
}

static enum mbox_result append(struct append *a, const struct str *keywords, size_t n, struct err *err)
{
	bool clean = false;
	enum mbox_result r = mbox_drain(a->d, err);

	if (r)
		return r;
	if (fsync(a->d->fd) < 0)
		return mbox_flush_failed(err, "the message");
	/* before the lock, since a large message takes its time */
	if (mbox_texts_read(a->d->fd, WANT_ENVELOPE | WANT_STRUCTURE, &a->texts) < 0)
		mbox_texts_free(&a->texts);
	if ((r = mbox_place_take(a->u->home, &a->d->folder, &a->place, err)) ||
	    (r = mbox_sync_lock(a->u, &a->place, false, &a->row, err)))
		return r;
	r = place_locked(a, keywords, n, &clean, err);
	mbox_folder_unlock(&a->place.f, clean);
	return r;
}

enum mbox_result mbox_append(struct mbox_user *u, struct mbox_delivery **d, uint32_t flags, const struct str *keywords,
			     size_t n_keywords, uint32_t *uidvalidity, uint32_t *uid, struct err *err)
{
	struct append a = { .u = u, .d = *d, .flags = flags & (MBOX_KEYWORD_A - 1), .place.f = MBOX_FOLDER_CLOSED };
	enum mbox_result r = append(&a, keywords, n_keywords, err);

	*uidvalidity = r ? 0 : a.place.record.uidvalidity;
	*uid = r ? 0 : a.uid;
	if (a.d->temp[0] && a.place.f.tmp >= 0) {
		unlinkat(a.place.f.tmp, a.d->temp, 0);
		a.d->temp[0] = '\0';
	}
	mbox_place_close(&a.place);
	mbox_texts_free(&a.texts);
	buf_free(&a.name);
	mbox_abort(d);
	return r;
}
