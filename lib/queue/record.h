/*
 * record - the framing of envelope files: checked records, one after the other.
 *
 *   u32 length of the payload    u32 crc32c of the payload    u8 type    u32 crc32c of the 9 bytes before    payload
 *
 * All little endian; both checksums start from a seed, so that a record that belongs to another file (a stale disk
 * block) is no record here. The header has a checksum of its own and the payload ends with a byte that is not zero,
 * so that three things can be told apart: a whole record, one that a crash cut short or left filled with zeros, and
 * one that was damaged later. Only the second may ever be thrown away.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "base/buf.h"

enum { RECORD_HEADER = 13, RECORD_MAX = 1 << 20 };

struct record_writer {
	struct buf *out;
	size_t start;
	uint32_t seed;
	bool ok;
};

/* Begins a record at the end of `out`; fields follow; record_finish closes it, or takes it back and says false. */
struct record_writer record_start(struct buf *out, uint32_t seed);
void record_put_u8(struct record_writer *w, uint8_t v);
void record_put_u32(struct record_writer *w, uint32_t v);
void record_put_u64(struct record_writer *w, uint64_t v);
/* u16 length and the bytes; longer than `most` spoils the record. */
void record_put_str(struct record_writer *w, struct str s, size_t most);
bool record_finish(struct record_writer *w, uint8_t type);

/* The fields of a payload. After a read past the end `ok` is false and every value is 0 or empty. */
struct record_reader {
	struct str rest;
	bool ok;
};

uint8_t record_get_u8(struct record_reader *r);
uint32_t record_get_u32(struct record_reader *r);
uint64_t record_get_u64(struct record_reader *r);
struct str record_get_str(struct record_reader *r, size_t most);

enum record_verdict { RECORD_WHOLE, RECORD_TORN, RECORD_DAMAGED };

struct record {
	uint8_t type;
	struct str payload; /* without the last byte, borrowed */
	size_t next;	    /* where the next record begins */
};

/* How many bytes stand before the zeros at the end. */
size_t record_solid(struct str bytes);
/* The record at `at` < bytes.n. `solid` is record_solid(bytes), taken once. */
enum record_verdict record_read(struct str bytes, size_t solid, size_t at, uint32_t seed, struct record *out);

#endif
