#include "queue/record.h"

#include "base/hash.h"

/* Two bits set: no single flipped bit makes it the zero of a hole. */
enum { END_MARK = '\n' };

static void store_le(char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(uint8_t)(v >> (8 * i));
}

static uint64_t load_le(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(uint8_t)p[i] << (8 * i);
	return v;
}

static void put_le(struct record_writer *w, uint64_t v, size_t n)
{
	char bytes[8];

	store_le(bytes, v, n);
	w->ok = w->ok && buf_add(w->out, str_of(bytes, n));
}

struct record_writer record_start(struct buf *out, uint32_t seed)
{
	struct record_writer w = { .out = out, .start = out->n, .seed = seed };
	char header[RECORD_HEADER] = { 0 };

	w.ok = buf_add(out, str_of(header, sizeof(header)));
	return w;
}

void record_put_u8(struct record_writer *w, uint8_t v)
{
	put_le(w, v, 1);
}

void record_put_u32(struct record_writer *w, uint32_t v)
{
	put_le(w, v, 4);
}

void record_put_u64(struct record_writer *w, uint64_t v)
{
	put_le(w, v, 8);
}

void record_put_str(struct record_writer *w, struct str s, size_t most)
{
	if (s.n > most || s.n > UINT16_MAX)
		w->ok = false;
	put_le(w, s.n, 2);
	w->ok = w->ok && buf_add(w->out, s);
}

bool record_finish(struct record_writer *w, uint8_t type)
{
	record_put_u8(w, END_MARK);
	if (!w->ok || w->out->n - w->start - RECORD_HEADER > RECORD_MAX) {
		w->out->n = w->start;
		return false;
	}
	char *header = w->out->p + w->start;
	struct str payload = str_of(header + RECORD_HEADER, w->out->n - w->start - RECORD_HEADER);
	store_le(header, payload.n, 4);
	store_le(header + 4, crc32c(w->seed, payload), 4);
	store_le(header + 8, type, 1);
	store_le(header + 9, crc32c(w->seed, str_of(header, 9)), 4);
	return true;
}

static uint64_t get_le(struct record_reader *r, size_t n)
{
	if (!r->ok || r->rest.n < n) {
		*r = (struct record_reader){ 0 };
		return 0;
	}
	uint64_t v = load_le(r->rest.p, n);
	r->rest = str_skip(r->rest, n);
	return v;
}

uint8_t record_get_u8(struct record_reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint32_t record_get_u32(struct record_reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t record_get_u64(struct record_reader *r)
{
	return get_le(r, 8);
}

struct str record_get_str(struct record_reader *r, size_t most)
{
	size_t n = get_le(r, 2);

	if (n > most || n > r->rest.n) {
		*r = (struct record_reader){ 0 };
		return (struct str){ 0 };
	}
	struct str s = str_head(r->rest, n);
	r->rest = str_skip(r->rest, n);
	return s;
}

size_t record_solid(struct str bytes)
{
	while (bytes.n > 0 && bytes.p[bytes.n - 1] == 0)
		bytes.n--;
	return bytes.n;
}

enum record_verdict record_read(struct str bytes, size_t solid, size_t at, uint32_t seed, struct record *out)
{
	struct str rest = str_skip(bytes, at);

	if (rest.n < RECORD_HEADER)
		return RECORD_TORN;
	/* A bad header with nothing but zeros behind it was never written whole; with data behind it, it once was. */
	if (load_le(rest.p + 9, 4) != crc32c(seed, str_head(rest, 9)))
		return solid <= at + RECORD_HEADER ? RECORD_TORN : RECORD_DAMAGED;
	size_t n = load_le(rest.p, 4);
	if (n == 0 || n > RECORD_MAX)
		return RECORD_DAMAGED;
	if (rest.n - RECORD_HEADER < n)
		return RECORD_TORN;
	struct str payload = str_of(rest.p + RECORD_HEADER, n);
	size_t next = at + RECORD_HEADER + n;
	if (load_le(rest.p + 4, 4) != crc32c(seed, payload))
		return solid < next ? RECORD_TORN : RECORD_DAMAGED;
	if (payload.p[n - 1] != END_MARK)
		return RECORD_DAMAGED;
	*out = (struct record){ .type = (uint8_t)rest.p[8], .payload = str_head(payload, n - 1), .next = next };
	return RECORD_WHOLE;
}
