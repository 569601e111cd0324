/* keys - how the index's rows are laid out; for rows.c, walk.c and change.c only. */
#ifndef MBOX_KEYS_H
#define MBOX_KEYS_H

#include "mbox/rows.h"

enum { KEY_N = 8, LOG_KEY_N = 16 };

static inline void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline MDB_val message_key(uint8_t room[KEY_N], uint32_t folder, uint32_t uid)
{
	put_u32(room, folder);
	put_u32(room + 4, uid);
	return (MDB_val){ KEY_N, room };
}

static inline MDB_val log_key(uint8_t room[LOG_KEY_N], uint32_t folder, uint64_t modseq, uint32_t uid)
{
	put_u32(room, folder);
	put_u32(room + 4, (uint32_t)(modseq >> 32));
	put_u32(room + 8, (uint32_t)modseq);
	put_u32(room + 12, uid);
	return (MDB_val){ LOG_KEY_N, room };
}

static inline struct str str_val(MDB_val v)
{
	return str_of(v.mv_data, v.mv_size);
}

/* What a value says, if it fits its key. */
int mbox_flags_read(struct str key, MDB_val value, struct mbox_flags_row *out);
int mbox_facts_read(struct str key, MDB_val value, struct mbox_facts_row *out);
int mbox_text_read(struct str key, MDB_val value, struct str *out);
int mbox_flags_put(struct mbox_tx *tx, uint32_t folder, uint32_t uid, uint64_t modseq, uint32_t flags);
int mbox_facts_put(struct mbox_tx *tx, uint32_t folder, uint32_t uid, const struct mbox_facts_row *f);

/* Removes all keys of the folder, in a log only those up to `last`; *n says how many. */
int mbox_range_remove(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint64_t last, uint32_t *n);

#endif
