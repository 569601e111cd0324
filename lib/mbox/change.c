#include "mbox/keys.h"

/* A number whose folder the index has forgotten, but not its rows, must not be given again. */
static int is_free(struct mbox_tx *tx, uint32_t number)
{
	static const enum mbox_db dbs[] = { DB_FLAGS, DB_FACTS, DB_ENVELOPES, DB_STRUCTURES, DB_CHANGES, DB_GONE };
	uint8_t room[KEY_N];
	int code = 0;

	for (size_t i = 0; i < COUNT(dbs) && !code; i++) {
		MDB_val key = message_key(room, number, 0), value;
		MDB_cursor *c;
		if ((code = mdb_cursor_open(tx->txn, tx->dbi[dbs[i]], &c)))
			return code;
		code = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
		mdb_cursor_close(c);
		code = code == MDB_NOTFOUND ? 0 : code ? code : MDB_CORRUPTED;
	}
	return code;
}

/* Numbers ascend, so nothing may stand at the new one or behind it. */
int mbox_row_number(struct mbox_tx *tx, uint32_t *out)
{
	MDB_val key = mbox_val(STR("about")), value;
	struct mbox_about about;
	int code = mdb_get(tx->txn, tx->dbi[DB_ABOUT], &key, &value);

	if (code)
		return code == MDB_NOTFOUND ? MDB_CORRUPTED : code;
	if ((code = mbox_about_read(str_val(value), &about)))
		return code;
	*out = about.next++;
	if ((code = is_free(tx, *out)))
		return code;
	about.sum = mbox_about_sum(&about);
	value.mv_data = &about;
	return mdb_put(tx->txn, tx->dbi[DB_ABOUT], &key, &value, 0);
}

int mbox_range_remove(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint64_t last, uint32_t *n)
{
	uint8_t room[LOG_KEY_N];
	MDB_val key = message_key(room, folder, 0), value;
	MDB_cursor *c;
	int code = mdb_cursor_open(tx->txn, tx->dbi[db], &c);

	*n = 0;
	if (code)
		return code;
	code = mdb_cursor_get(c, &key, &value, MDB_SET_RANGE);
	while (!code && key.mv_size >= KEY_N && get_u32(key.mv_data) == folder) {
		const uint8_t *p = key.mv_data;
		if (key.mv_size == LOG_KEY_N && ((uint64_t)get_u32(p + 4) << 32 | get_u32(p + 8)) > last)
			break;
		if (!(code = mdb_cursor_del(c, 0)))
			code = mdb_cursor_get(c, &key, &value, MDB_NEXT);
		++*n;
	}
	mdb_cursor_close(c);
	return code == MDB_NOTFOUND ? 0 : code;
}

int mbox_row_folder_remove(struct mbox_tx *tx, const char *id, uint32_t number)
{
	static const enum mbox_db dbs[] = { DB_FLAGS, DB_FACTS, DB_ENVELOPES, DB_STRUCTURES, DB_CHANGES, DB_GONE };
	MDB_val key = mbox_val(str_from(id));
	int code = mdb_del(tx->txn, tx->dbi[DB_FOLDERS], &key, NULL);
	uint32_t n;

	if (code == MDB_NOTFOUND)
		code = 0;
	for (size_t i = 0; i < COUNT(dbs) && !code; i++)
		code = mbox_range_remove(tx, dbs[i], number, UINT64_MAX, &n);
	return code;
}

static int drop(struct mbox_tx *tx, enum mbox_db db, MDB_val key)
{
	int code = mdb_del(tx->txn, tx->dbi[db], &key, NULL);

	return code == MDB_NOTFOUND ? 0 : code;
}

/* The entry of the message's last change goes as another takes its place. */
static int drop_change(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint64_t modseq)
{
	uint8_t room[LOG_KEY_N];

	if (modseq <= d->changes_floor)
		return 0;
	d->n_changes -= d->n_changes > 0;
	return drop(tx, DB_CHANGES, log_key(room, d->number, modseq, uid));
}

static int add_log(struct mbox_tx *tx, enum mbox_db db, const struct mbox_index_folder *d, uint32_t uid)
{
	uint8_t room[LOG_KEY_N];
	MDB_val key = log_key(room, d->number, d->modseq, uid);
	uint32_t sum = mbox_index_sum(str_val(key), (struct str){ 0 });
	MDB_val value = { sizeof(sum), &sum };

	return mdb_put(tx->txn, tx->dbi[db], &key, &value, 0);
}

static int set_flags(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint32_t flags)
{
	int code = mbox_flags_put(tx, d->number, uid, d->modseq, flags);

	if (code || d->modseq <= d->changes_floor)
		return code;
	d->n_changes++;
	return add_log(tx, DB_CHANGES, d, uid);
}

static void count_flags(struct mbox_index_folder *d, uint32_t flags, uint32_t sign)
{
	d->unseen += flags & MBOX_SEEN ? 0 : sign;
	d->deleted += flags & MBOX_TRASHED ? sign : 0;
}

int mbox_row_batch(struct mbox_tx *tx, struct mbox_index_folder *d, size_t n)
{
	uint32_t removed;
	int code = 0;

	if (n > MBOX_CHANGES_MAX / 2) {
		code = mbox_range_remove(tx, DB_CHANGES, d->number, UINT64_MAX, &removed);
		d->changes_floor = d->modseq;
		d->n_changes = 0;
	}
	if (n > MBOX_GONE_MAX && !code) {
		code = mbox_range_remove(tx, DB_GONE, d->number, UINT64_MAX, &removed);
		d->gone_floor = d->modseq;
		d->n_gone = 0;
	}
	return code;
}

int mbox_row_add(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint32_t flags,
		 const struct mbox_facts_row *facts)
{
	int code = mbox_facts_put(tx, d->number, uid, facts);

	if (code)
		return code;
	d->messages++;
	d->octets += (uint64_t)facts->vsize;
	d->in_new += facts->in_new;
	count_flags(d, flags, 1);
	return set_flags(tx, d, uid, flags);
}

int mbox_row_change(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint32_t flags)
{
	struct mbox_flags_row old;
	int code = mbox_row_flags(tx, d->number, uid, &old);

	if (!code)
		code = drop_change(tx, d, uid, old.modseq);
	if (code)
		return code;
	count_flags(d, old.flags, (uint32_t)-1);
	count_flags(d, flags, 1);
	return set_flags(tx, d, uid, flags);
}

int mbox_row_rename(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, const struct mbox_facts_row *facts)
{
	struct mbox_facts_row old;
	int code = mbox_row_facts(tx, d->number, uid, &old);

	if (code)
		return code;
	d->in_new += (uint32_t)facts->in_new - (uint32_t)old.in_new;
	return mbox_facts_put(tx, d->number, uid, facts);
}

int mbox_row_remove(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid)
{
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, d->number, uid);
	struct mbox_flags_row flags;
	struct mbox_facts_row facts;
	int code;

	if ((code = mbox_row_flags(tx, d->number, uid, &flags)) ||
	    (code = mbox_row_facts(tx, d->number, uid, &facts)) || (code = drop_change(tx, d, uid, flags.modseq)))
		return code;
	d->messages--;
	d->octets -= (uint64_t)facts.vsize;
	d->in_new -= facts.in_new;
	count_flags(d, flags.flags, (uint32_t)-1);
	if ((code = drop(tx, DB_FLAGS, key)) || (code = drop(tx, DB_FACTS, key)) ||
	    (code = drop(tx, DB_ENVELOPES, key)) || (code = drop(tx, DB_STRUCTURES, key)))
		return code;
	if (d->modseq <= d->gone_floor)
		return 0;
	d->n_gone++;
	return add_log(tx, DB_GONE, d, uid);
}

/* The modseq of the entry that is `n` after the first one; all up to it may go. */
static int nth_modseq(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t n, uint64_t *out)
{
	struct mbox_walk w;
	uint32_t uid;
	int code = mbox_walk_begin(tx, db, folder, 0, &w);

	if (code)
		return code;
	for (*out = 0; n > 0 && !code; n--)
		code = mbox_walk_log(&w, 0, out, &uid);
	mbox_walk_end(&w);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int trim(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t most, uint32_t *n, uint64_t *floor)
{
	uint64_t last;
	uint32_t removed;
	int code;

	if (*n <= most)
		return 0;
	if ((code = nth_modseq(tx, db, folder, *n - most + most / 4, &last)) ||
	    (code = mbox_range_remove(tx, db, folder, last, &removed)))
		return code;
	*n -= removed < *n ? removed : *n;
	*floor = last > *floor ? last : *floor;
	return 0;
}

int mbox_row_trim(struct mbox_tx *tx, struct mbox_index_folder *d)
{
	int code = trim(tx, DB_CHANGES, d->number, MBOX_CHANGES_MAX, &d->n_changes, &d->changes_floor);

	return code ? code : trim(tx, DB_GONE, d->number, MBOX_GONE_MAX, &d->n_gone, &d->gone_floor);
}
