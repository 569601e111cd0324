/*
 * hash - keyed hashing, and a table from byte strings to pointers.
 *
 * SipHash-2-4 with a random key of the process, so that nobody outside can choose colliding keys.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/str.h"

uint64_t siphash(const uint8_t key[16], struct str s);
/* With the key of this process, drawn at the first call. */
uint64_t hash_str(struct str s);

/* CRC-32C (Castagnoli) of `s`, continuing from `crc` (0 at first): for records on disk, not against an attacker. */
uint32_t crc32c(uint32_t crc, struct str s);

/* Open addressing; keys are copied, values are the caller's. {0} is an empty table. */
struct table {
	struct table_slot *slots;
	size_t n, room, dead;
};

#define scoped_table __attribute__((cleanup(table_free)))

void table_free(struct table *t);
/* The value, or NULL. */
void *table_get(const struct table *t, struct str key);
/* Sets and returns the value that stood there before, or NULL. `value` must not be NULL. */
void *table_set(struct table *t, struct str key, void *value);
/* Removes and returns what was removed, or NULL. */
void *table_remove(struct table *t, struct str key);
/*
 * Walks all pairs in no order: start with *at = 0; false at the end. Removing the pair just seen is allowed, adding
 * is not. `key` and `value` may be NULL.
 */
bool table_next(const struct table *t, size_t *at, struct str *key, void **value);

#endif
