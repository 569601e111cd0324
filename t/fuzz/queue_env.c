/*
 * The envelope decoder. The first byte says how the rest is taken: even, as a file; odd, as a list of { type, length
 * (2 bytes), payload } that get right checksums, so that the fields behind them are reached.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "queue/env.h"
#include "queue/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct queue_id ID = { "0BCDFGHJKL012345" };

static void frame(struct str in, struct buf *out)
{
	while (in.n >= 3) {
		uint8_t type = (uint8_t)in.p[0];
		struct str payload = str_head(str_skip(in, 3), (uint8_t)in.p[1] | (size_t)(uint8_t)in.p[2] << 8);
		struct record_writer w = record_start(out, crc32c(0, queue_id_str(&ID)));
		for (size_t i = 0; i < payload.n; i++)
			record_put_u8(&w, (uint8_t)payload.p[i]);
		record_finish(&w, type);
		in = str_skip(in, 3 + payload.n);
	}
}

/* What is whole can be written afresh, printed, and reads back as the same. */
static void check_whole(const struct env *env, struct arena *a)
{
	scoped_buf struct buf again = { 0 }, text = { 0 }, third = { 0 };
	struct env back;
	size_t valid;

	ASSERT(env_encode(env, &again));
	ASSERT(env_print(env, &text));
	ASSERT(env_decode(&ID, buf_str(&again), a, &back, &valid, NULL) == ENV_WHOLE);
	ASSERT(valid == again.n && back.n == env->n);
	ASSERT(env_encode(&back, &third));
	ASSERT(str_eq(buf_str(&again), buf_str(&third)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_arena struct arena a = { .budget = 16 << 20 };
	scoped_buf struct buf framed = { 0 };
	struct str in = str_skip(str_of(data, size), 1);
	struct env env;
	struct err err;
	size_t valid;

	if (size > 0 && data[0] % 2) {
		frame(in, &framed);
		in = buf_str(&framed);
	}
	enum env_verdict verdict = env_decode(&ID, in, &a, &env, &valid, &err);
	ASSERT(valid <= in.n);
	if (verdict == ENV_WHOLE)
		check_whole(&env, &a);
	return 0;
}
