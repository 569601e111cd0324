#include "queue/id.h"

/* no vowels: an id never spells a word; ASCII order is the order of values */
static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
enum { BASE = sizeof(digits) - 1, TIME_DIGITS = 10, TAIL_DIGITS = 6 };

static void put_number(uint64_t v, char *out, int width)
{
	while (width-- > 0) {
		out[width] = digits[v % BASE];
		v /= BASE;
	}
}

struct queue_id queue_id_make(int64_t wall_us, uint32_t tail)
{
	struct queue_id id = { { 0 } };

	put_number((uint64_t)wall_us, id.text, TIME_DIGITS);
	put_number(tail, id.text + TIME_DIGITS, TAIL_DIGITS);
	return id;
}

bool queue_id_parse(struct str s, struct queue_id *out)
{
	if (s.n < QUEUE_ID_LEAST || s.n > QUEUE_ID_MOST)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!memchr(digits, s.p[i], BASE))
			return false;
	*out = (struct queue_id){ { 0 } };
	memcpy(out->text, s.p, s.n);
	return true;
}
