#include "base/hash.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/random.h"

static uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static uint64_t load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t siphash(const uint8_t key[16], struct str s)
{
	uint64_t k0 = load64(key), k1 = load64(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
			  k1 ^ 0x7465646279746573 };
	uint64_t last = (uint64_t)s.n << 56;

	while (s.n >= 8) {
		uint64_t m = load64(s.p);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
		s = str_skip(s, 8);
	}
	for (size_t i = 0; i < s.n; i++)
		last |= (uint64_t)(uint8_t)s.p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_str(struct str s)
{
	static uint8_t key[16];
	static bool drawn;

	if (!drawn) {
		random_bytes(key, sizeof(key));
		drawn = true;
	}
	return siphash(key, s);
}

uint32_t crc32c(uint32_t crc, struct str s)
{
	static uint32_t rows[256];

	if (!rows[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;
			for (int bit = 0; bit < 8; bit++)
				c = c & 1 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
			rows[i] = c;
		}
	crc = ~crc;
	for (size_t i = 0; i < s.n; i++)
		crc = rows[(crc ^ (uint8_t)s.p[i]) & 0xff] ^ (crc >> 8);
	return ~crc;
}

struct table_slot {
	char *key; /* NULL: never used; DEAD: removed */
	size_t n;
	uint64_t hash;
	void *value;
};

static char dead_key;
#define DEAD (&dead_key)

static bool in_use(const struct table_slot *s)
{
	return s->key && s->key != DEAD;
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->room; i++)
		if (in_use(&t->slots[i]))
			free(t->slots[i].key);
	free(t->slots);
	*t = (struct table){ 0 };
}

static struct table_slot *find(const struct table *t, struct str key, uint64_t hash)
{
	if (t->room == 0)
		return NULL;
	for (size_t i = hash & (t->room - 1);; i = (i + 1) & (t->room - 1)) {
		struct table_slot *s = &t->slots[i];
		if (!s->key)
			return NULL;
		if (s->key != DEAD && s->hash == hash && str_eq(str_of(s->key, s->n), key))
			return s;
	}
}

void *table_get(const struct table *t, struct str key)
{
	struct table_slot *s = find(t, key, hash_str(key));

	return s ? s->value : NULL;
}

static struct table_slot *free_slot(struct table *t, uint64_t hash)
{
	size_t i = hash & (t->room - 1);

	while (in_use(&t->slots[i]))
		i = (i + 1) & (t->room - 1);
	return &t->slots[i];
}

static void grow(struct table *t)
{
	struct table old = *t;

	t->room = 16;
	while (t->room < old.n * 4)
		t->room *= 2;
	t->slots = calloc(t->room, sizeof(*t->slots));
	if (!t->slots)
		panic("out of memory: table of %zu", t->room);
	t->dead = 0;
	for (size_t i = 0; i < old.room; i++)
		if (in_use(&old.slots[i]))
			*free_slot(t, old.slots[i].hash) = old.slots[i];
	free(old.slots);
}

void *table_set(struct table *t, struct str key, void *value)
{
	uint64_t hash = hash_str(key);
	struct table_slot *s = find(t, key, hash);

	ASSERT(value);
	if (s) {
		void *before = s->value;
		s->value = value;
		return before;
	}
	if ((t->n + t->dead + 1) * 3 >= t->room * 2)
		grow(t);
	s = free_slot(t, hash);
	if (s->key == DEAD)
		t->dead--;
	*s = (struct table_slot){ malloc(key.n + 1), key.n, hash, value };
	if (!s->key)
		panic("out of memory: key of %zu bytes", key.n);
	if (key.n)
		memcpy(s->key, key.p, key.n);
	t->n++;
	return NULL;
}

void *table_remove(struct table *t, struct str key)
{
	struct table_slot *s = find(t, key, hash_str(key));

	if (!s)
		return NULL;
	free(s->key);
	s->key = DEAD;
	t->n--;
	t->dead++;
	return s->value;
}

bool table_next(const struct table *t, size_t *at, struct str *key, void **value)
{
	for (; *at < t->room; (*at)++) {
		const struct table_slot *s = &t->slots[*at];
		if (!in_use(s))
			continue;
		if (key)
			*key = str_of(s->key, s->n);
		if (value)
			*value = s->value;
		(*at)++;
		return true;
	}
	return false;
}
