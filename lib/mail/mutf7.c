#include "mail/mutf7.h"

#include <unistr.h>

#include "base/utf8.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_direct(uint32_t c)
{
	return c >= ' ' && c <= '~';
}

static int value(char c)
{
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* A unit of UTF-16; *high: the surrogate that waits for its second half, or 0. */
static bool add_unit(uint32_t unit, uint32_t *high, struct buf *out)
{
	bool is_low = unit >= 0xdc00 && unit <= 0xdfff;

	if (is_low != (*high != 0))
		return false;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return true;
	}
	if (is_low)
		unit = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
	*high = 0;
	if (is_direct(unit))
		return false;
	uint8_t bytes[4];
	int n = u8_uctomb(bytes, unit, sizeof(bytes));
	return n > 0 && buf_add(out, str_of(bytes, (size_t)n));
}

/* What stands between '&' and '-'. */
static bool decode_shifted(struct str in, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned n = 0;

	for (size_t i = 0; i < in.n; i++) {
		int v = value(in.p[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		n += 6;
		if (n < 16)
			continue;
		n -= 16;
		if (!add_unit(bits >> n & 0xffff, &high, out))
			return false;
	}
	return high == 0 && n < 6 && (bits & ((1u << n) - 1)) == 0;
}

static bool decode(struct str in, struct buf *out)
{
	bool shifted = false; /* just before: then another shift would have been part of it */

	while (in.n > 0) {
		char c = in.p[0];
		if (!is_direct((uint8_t)c))
			return false;
		in = str_skip(in, 1);
		if (c != '&' || str_eat(&in, '-')) {
			buf_addc(out, c);
			shifted = false;
			continue;
		}
		ptrdiff_t end = str_find(in, '-');
		if (shifted || end < 0 || !decode_shifted(str_head(in, (size_t)end), out))
			return false;
		in = str_skip(in, (size_t)end + 1);
		shifted = true;
	}
	return true;
}

bool mutf7_decode(struct str in, struct buf *out)
{
	scoped_buf struct buf name = { 0 };

	return decode(in, &name) && buf_add(out, buf_str(&name));
}

struct shift {
	uint32_t bits;
	unsigned n;
	bool open;
};

static void shift_unit(struct shift *s, uint32_t unit, struct buf *out)
{
	if (!s->open)
		buf_addc(out, '&');
	s->open = true;
	s->bits = s->bits << 16 | unit;
	s->n += 16;
	while (s->n >= 6) {
		s->n -= 6;
		buf_addc(out, alphabet[s->bits >> s->n & 63]);
	}
}

static void shift_end(struct shift *s, struct buf *out)
{
	if (s->n > 0)
		buf_addc(out, alphabet[s->bits << (6 - s->n) & 63]);
	if (s->open)
		buf_addc(out, '-');
	*s = (struct shift){ 0 };
}

static void encode(struct str in, struct buf *out)
{
	struct shift s = { 0 };

	while (in.n > 0) {
		ucs4_t c;
		in = str_skip(in, (size_t)u8_mbtouc(&c, (const uint8_t *)in.p, in.n));
		if (is_direct(c)) {
			shift_end(&s, out);
			buf_addc(out, (char)c);
			if (c == '&')
				buf_addc(out, '-');
		} else if (c < 0x10000) {
			shift_unit(&s, c, out);
		} else {
			shift_unit(&s, 0xd800 + ((c - 0x10000) >> 10), out);
			shift_unit(&s, 0xdc00 + ((c - 0x10000) & 0x3ff), out);
		}
	}
	shift_end(&s, out);
}

bool mutf7_encode(struct str in, struct buf *out)
{
	scoped_buf struct buf name = { 0 };

	if (!utf8_valid(in))
		return false;
	encode(in, &name);
	return buf_add(out, buf_str(&name));
}
