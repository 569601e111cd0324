#include "mbox/rows.h"

#include "base/arena.h"
#include "mbox/keys.h"
#include "mbox/name.h"

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

int mbox_flags_read(struct str key, MDB_val value, struct mbox_flags_row *out)
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

	return code ? code : mbox_flags_read(str_val(key), value, out);
}

int mbox_flags_put(struct mbox_tx *tx, uint32_t folder, uint32_t uid, uint64_t modseq, uint32_t flags)
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

int mbox_facts_read(struct str key, MDB_val value, struct mbox_facts_row *out)
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

	return code ? code : mbox_facts_read(str_val(key), value, out);
}

int mbox_facts_put(struct mbox_tx *tx, uint32_t folder, uint32_t uid, const struct mbox_facts_row *f)
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

int mbox_text_read(struct str key, MDB_val value, struct str *out)
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

	return code ? code : mbox_text_read(str_val(key), value, out);
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

void mbox_facts_name(const struct mbox_facts_row *facts, uint32_t flags, struct buf *out)
{
	char letters[MBOX_LETTERS_MAX];

	buf_add(out, facts->name);
	if (!facts->plain)
		return;
	buf_add(out, STR(":2,"));
	buf_add(out, str_of(letters, mbox_name_letters(flags, letters)));
}
