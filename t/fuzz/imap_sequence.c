/* Message sets: what the normalized set holds is what the ranges say, and the text that is made of it means the same. */
#include "base/err.h"
#include "imapd/session/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool holds(const struct sequence *set, uint32_t star, uint32_t n)
{
	for (size_t i = 0; i < set->n; i++) {
		uint32_t a = set->ranges[i].from ? set->ranges[i].from : star;
		uint32_t b = set->ranges[i].to ? set->ranges[i].to : star;
		if ((a <= n && n <= b) || (b <= n && n <= a))
			return true;
	}
	return false;
}

static void write_again(const struct sequence *set, struct arena *arena)
{
	struct buf text = { 0 };
	struct set_writer w = { .out = &text };
	struct sequence again;

	for (size_t i = 0; i < set->n; i++)
		set_add_range(&w, set->ranges[i].from, set->ranges[i].to);
	set_end(&w);
	struct parse p = { .rest = buf_str(&text), .arena = arena };
	ASSERT(parse_sequence(&p, &again) && p.rest.n == 0 && again.n == set->n);
	for (size_t i = 0; i < set->n; i++)
		ASSERT(again.ranges[i].from == set->ranges[i].from && again.ranges[i].to == set->ranges[i].to);
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	uint32_t star = size > 0 ? data[0] + 1u : 1;
	struct str text = str_of(data, size);
	struct parse p = { .rest = str_skip(text, 1), .arena = &arena }, q = p;
	struct sequence set, plain;

	if (parse_sequence(&p, &set)) {
		parse_sequence(&q, &plain);
		sequence_normalize(&set, star);
		for (size_t i = 1; i < set.n; i++)
			ASSERT((uint64_t)set.ranges[i - 1].to + 1 < set.ranges[i].from);
		for (uint32_t n = 1; n <= 300; n++)
			ASSERT(sequence_has(&set, n) == holds(&plain, star, n));
		write_again(&set, &arena);
	} else {
		ASSERT(p.wrong);
	}
	arena_free(&arena);
	return 0;
}
