#include "mbox/rows.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "mbox/name.h"

enum { KEY_N = 8, LOG_KEY_N = 16 };

struct folder_value {
	struct mbox_index_folder d;
	uint32_t sum;
};

struct flags_value {
	uint64_t modseq;
	uint32_t flags, sum;
};

/* Before the name. */
struct facts_value {
	int64_t arrival, size, vsize;
	uint32_t sum; /* of all, with 0 in its own place */
	uint16_t base_n;
	uint8_t plain, in_new;
};

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static MDB_val message_key(uint8_t room[KEY_N], uint32_t folder, uint32_t uid)
{
	put_u32(room, folder);
	put_u32(room + 4, uid);
	return (MDB_val){ KEY_N, room };
}

static MDB_val log_key(uint8_t room[LOG_KEY_N], uint32_t folder, uint64_t modseq, uint32_t uid)
{
	put_u32(room, folder);
	put_u32(room + 4, (uint32_t)(modseq >> 32));
	put_u32(room + 8, (uint32_t)modseq);
	put_u32(room + 12, uid);
	return (MDB_val){ LOG_KEY_N, room };
}

static struct str str_val(MDB_val v)
{
	return str_of(v.mv_data, v.mv_size);
}

int mbox_row_folder(struct mbox_tx *tx, const char *id, struct mbox_index_folder *out)
{
	MDB_val key = mbox_val(str_from(id)), value;
	struct folder_value v;
	int code = mdb_get(tx->txn, tx->dbi[DB_FOLDERS], &key, &value);

	if (code)
		return code;
	if (value.mv_size != sizeof(v))
		return MDB_CORRUPTED;
	memcpy(&v, value.mv_data, sizeof(v));
	if (v.sum != mbox_index_sum(str_val(key), str_of(&v.d, sizeof(v.d))) || v.d.number == 0)
		return MDB_CORRUPTED;
	*out = v.d;
	return 0;
}

int mbox_row_folder_put(struct mbox_tx *tx, const char *id, const struct mbox_index_folder *d)
{
	struct folder_value v;
	MDB_val key = mbox_val(str_from(id)), value = { sizeof(v), &v };

	memset(&v, 0, sizeof(v));
	v.d = *d;
	v.sum = mbox_index_sum(str_val(key), str_of(&v.d, sizeof(v.d)));
	return mdb_put(tx->txn, tx->dbi[DB_FOLDERS], &key, &value, 0);
}

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

/* Removes all keys of the folder, in a log only those up to `last`; *n says how many. */
static int remove_range(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint64_t last, uint32_t *n)
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
		code = remove_range(tx, dbs[i], number, UINT64_MAX, &n);
	return code;
}

static int read_flags(struct str key, MDB_val value, struct mbox_flags_row *out)
{
	struct flags_value v;

	if (value.mv_size != sizeof(v))
		return MDB_CORRUPTED;
	memcpy(&v, value.mv_data, sizeof(v));
	if (v.sum != mbox_index_sum(key, str_of(&v, offsetof(struct flags_value, sum))))
		return MDB_CORRUPTED;
	*out = (struct mbox_flags_row){ v.modseq, v.flags };
	return 0;
}

int mbox_row_flags(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct mbox_flags_row *out)
{
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, folder, uid), value;
	int code = mdb_get(tx->txn, tx->dbi[DB_FLAGS], &key, &value);

	return code ? code : read_flags(str_val(key), value, out);
}

static int put_flags(struct mbox_tx *tx, uint32_t folder, uint32_t uid, uint64_t modseq, uint32_t flags)
{
	struct flags_value v = { modseq, flags, 0 };
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, folder, uid), value = { sizeof(v), &v };

	v.sum = mbox_index_sum(str_val(key), str_of(&v, offsetof(struct flags_value, sum)));
	return mdb_put(tx->txn, tx->dbi[DB_FLAGS], &key, &value, 0);
}

static uint32_t facts_sum(struct str key, struct facts_value v, struct str name)
{
	v.sum = 0;
	return mbox_index_sum(key, str_of(&v, sizeof(v))) ^ mbox_index_sum((struct str){ 0 }, name);
}

static int read_facts(struct str key, MDB_val value, struct mbox_facts_row *out)
{
	struct facts_value v;

	if (value.mv_size <= sizeof(v))
		return MDB_CORRUPTED;
	memcpy(&v, value.mv_data, sizeof(v));
	struct str name = str_skip(str_val(value), sizeof(v));
	if (v.sum != facts_sum(key, v, name) || v.base_n > name.n || name.n > MBOX_NAME_MAX)
		return MDB_CORRUPTED;
	*out = (struct mbox_facts_row){ v.arrival, v.size, v.vsize, name, v.base_n, v.plain, v.in_new };
	return 0;
}

int mbox_row_facts(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct mbox_facts_row *out)
{
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, folder, uid), value;
	int code = mdb_get(tx->txn, tx->dbi[DB_FACTS], &key, &value);

	return code ? code : read_facts(str_val(key), value, out);
}

static int put_facts(struct mbox_tx *tx, uint32_t folder, uint32_t uid, const struct mbox_facts_row *f)
{
	char bytes[sizeof(struct facts_value) + MBOX_NAME_MAX];
	struct facts_value v = { f->arrival, f->size, f->vsize, 0, f->base_n, f->plain, f->in_new };
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, folder, uid), value = { sizeof(v) + f->name.n, bytes };

	ASSERT(f->name.n > 0 && f->name.n <= MBOX_NAME_MAX);
	v.sum = facts_sum(str_val(key), v, f->name);
	memcpy(bytes, &v, sizeof(v));
	memcpy(bytes + sizeof(v), f->name.p, f->name.n);
	return mdb_put(tx->txn, tx->dbi[DB_FACTS], &key, &value, 0);
}

static int read_text(struct str key, MDB_val value, struct str *out)
{
	uint32_t sum;

	if (value.mv_size < sizeof(sum))
		return MDB_CORRUPTED;
	memcpy(&sum, value.mv_data, sizeof(sum));
	*out = str_skip(str_val(value), sizeof(sum));
	return sum == mbox_index_sum(key, *out) ? 0 : MDB_CORRUPTED;
}

int mbox_row_text(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t uid, struct str *out)
{
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, folder, uid), value;
	int code = mdb_get(tx->txn, tx->dbi[db], &key, &value);

	return code ? code : read_text(str_val(key), value, out);
}

int mbox_row_text_put(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t uid, struct str text)
{
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, folder, uid), value = { sizeof(uint32_t) + text.n, NULL };
	uint32_t sum = mbox_index_sum(str_val(key), text);

	if (text.n > MBOX_TEXT_MAX)
		return 0;
	int code = mdb_put(tx->txn, tx->dbi[db], &key, &value, MDB_RESERVE);
	if (code)
		return code;
	memcpy(value.mv_data, &sum, sizeof(sum));
	memcpy((char *)value.mv_data + sizeof(sum), text.p, text.n);
	return 0;
}

int mbox_row_texts_put(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct str envelope, struct str structure)
{
	int code = 0;

	if (envelope.n)
		code = mbox_row_text_put(tx, DB_ENVELOPES, folder, uid, envelope);
	if (structure.n && !code)
		code = mbox_row_text_put(tx, DB_STRUCTURES, folder, uid, structure);
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
	int code = put_flags(tx, d->number, uid, d->modseq, flags);

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
		code = remove_range(tx, DB_CHANGES, d->number, UINT64_MAX, &removed);
		d->changes_floor = d->modseq;
		d->n_changes = 0;
	}
	if (n > MBOX_GONE_MAX && !code) {
		code = remove_range(tx, DB_GONE, d->number, UINT64_MAX, &removed);
		d->gone_floor = d->modseq;
		d->n_gone = 0;
	}
	return code;
}

int mbox_row_add(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint32_t flags,
		 const struct mbox_facts_row *facts)
{
	int code = put_facts(tx, d->number, uid, facts);

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
	return put_facts(tx, d->number, uid, facts);
}

int mbox_row_remove(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid)
{
	uint8_t room[KEY_N];
	MDB_val key = message_key(room, d->number, uid);
	struct mbox_flags_row flags;
	struct mbox_facts_row facts;
	int code;

	if ((code = mbox_row_flags(tx, d->number, uid, &flags)) ||
	    (code = mbox_row_facts(tx, d->number, uid, &facts)) ||
	    (code = drop_change(tx, d, uid, flags.modseq)))
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
	    (code = remove_range(tx, db, folder, last, &removed)))
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

int mbox_walk_begin(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t from, struct mbox_walk *w)
{
	*w = (struct mbox_walk){ .folder = folder, .from = from };
	return mdb_cursor_open(tx->txn, tx->dbi[db], &w->cursor);
}

void mbox_walk_end(struct mbox_walk *w)
{
	mdb_cursor_close(w->cursor);
}

/* MDB_NOTFOUND behind the folder's last. */
static int step(struct mbox_walk *w, MDB_val *key, MDB_val *value)
{
	uint8_t room[KEY_N];
	int code;

	if (w->begun) {
		code = mdb_cursor_get(w->cursor, key, value, MDB_NEXT);
	} else {
		*key = message_key(room, w->folder, w->from);
		code = mdb_cursor_get(w->cursor, key, value, MDB_SET_RANGE);
		w->begun = true;
	}
	if (code)
		return code;
	if (key->mv_size != KEY_N)
		return MDB_CORRUPTED;
	uint32_t uid = get_u32((uint8_t *)key->mv_data + 4);
	if (get_u32(key->mv_data) != w->folder)
		return get_u32(key->mv_data) > w->folder ? MDB_NOTFOUND : MDB_CORRUPTED;
	if (uid <= w->last || uid < w->from)
		return MDB_CORRUPTED;
	w->last = uid;
	return 0;
}

int mbox_walk_flags(struct mbox_walk *w, uint32_t *uid, struct mbox_flags_row *out)
{
	MDB_val key, value;
	int code = step(w, &key, &value);

	if (code)
		return code;
	*uid = get_u32((uint8_t *)key.mv_data + 4);
	return read_flags(str_val(key), value, out);
}

int mbox_walk_facts(struct mbox_walk *w, uint32_t *uid, struct mbox_facts_row *out)
{
	MDB_val key, value;
	int code = step(w, &key, &value);

	if (code)
		return code;
	*uid = get_u32((uint8_t *)key.mv_data + 4);
	return read_facts(str_val(key), value, out);
}

/* Most are asked for in order: then the next one is it. */
static int at(struct mbox_walk *w, uint32_t uid, MDB_val *key, MDB_val *value)
{
	uint8_t room[KEY_N];

	if (w->begun && mdb_cursor_get(w->cursor, key, value, MDB_NEXT) == 0 && key->mv_size == KEY_N &&
	    get_u32(key->mv_data) == w->folder && get_u32((uint8_t *)key->mv_data + 4) == uid)
		return 0;
	w->begun = true;
	*key = message_key(room, w->folder, uid);
	return mdb_cursor_get(w->cursor, key, value, MDB_SET_KEY);
}

int mbox_walk_facts_at(struct mbox_walk *w, uint32_t uid, struct mbox_facts_row *out)
{
	MDB_val key, value;
	int code = at(w, uid, &key, &value);

	return code ? code : read_facts(str_val(key), value, out);
}

int mbox_walk_text_at(struct mbox_walk *w, uint32_t uid, struct str *out)
{
	MDB_val key, value;
	int code = at(w, uid, &key, &value);

	return code ? code : read_text(str_val(key), value, out);
}

int mbox_walk_log(struct mbox_walk *w, uint64_t from, uint64_t *modseq, uint32_t *uid)
{
	uint8_t room[LOG_KEY_N];
	MDB_val key, value;
	uint32_t sum;
	int code;

	if (w->begun) {
		code = mdb_cursor_get(w->cursor, &key, &value, MDB_NEXT);
	} else {
		key = log_key(room, w->folder, from, 0);
		code = mdb_cursor_get(w->cursor, &key, &value, MDB_SET_RANGE);
		w->begun = true;
	}
	if (code)
		return code;
	const uint8_t *p = key.mv_data;
	if (key.mv_size != LOG_KEY_N || value.mv_size != sizeof(sum))
		return MDB_CORRUPTED;
	memcpy(&sum, value.mv_data, sizeof(sum));
	if (sum != mbox_index_sum(str_val(key), (struct str){ 0 }))
		return MDB_CORRUPTED;
	if (get_u32(p) != w->folder)
		return get_u32(p) > w->folder ? MDB_NOTFOUND : MDB_CORRUPTED;
	*modseq = (uint64_t)get_u32(p + 4) << 32 | get_u32(p + 8);
	*uid = get_u32(p + 12);
	return 0;
}

void mbox_facts_name(const struct mbox_facts_row *facts, uint32_t flags, struct buf *out)
{
	char letters[MBOX_LETTERS_MAX];

	buf_add(out, facts->name);
	if (!facts->plain)
		return;
	buf_add(out, STR(":2,"));
	buf_add(out, str_of(letters, mbox_name_letters(flags, letters)));
}
