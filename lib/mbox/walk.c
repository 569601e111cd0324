#include "mbox/keys.h"

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
	return mbox_flags_read(str_val(key), value, out);
}

int mbox_walk_facts(struct mbox_walk *w, uint32_t *uid, struct mbox_facts_row *out)
{
	MDB_val key, value;
	int code = step(w, &key, &value);

	if (code)
		return code;
	*uid = get_u32((uint8_t *)key.mv_data + 4);
	return mbox_facts_read(str_val(key), value, out);
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

	return code ? code : mbox_facts_read(str_val(key), value, out);
}

int mbox_walk_text_at(struct mbox_walk *w, uint32_t uid, struct str *out)
{
	MDB_val key, value;
	int code = at(w, uid, &key, &value);

	return code ? code : mbox_text_read(str_val(key), value, out);
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
