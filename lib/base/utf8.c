#include "base/utf8.h"

bool ascii_only(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] >= 0x80)
			return false;
	return true;
}

/* Length of the sequence that begins with `lead`, and the least second byte and greatest one that it allows. */
static size_t sequence(uint8_t lead, uint8_t *least, uint8_t *most)
{
	*least = 0x80;
	*most = 0xbf;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef) {
		if (lead == 0xe0)
			*least = 0xa0;
		if (lead == 0xed)
			*most = 0x9f;
		return 3;
	}
	if (lead >= 0xf0 && lead <= 0xf4) {
		if (lead == 0xf0)
			*least = 0x90;
		if (lead == 0xf4)
			*most = 0x8f;
		return 4;
	}
	return 0;
}

bool utf8_valid(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	for (size_t i = 0; i < s.n;) {
		uint8_t least, most;
		if (p[i] < 0x80) {
			i++;
			continue;
		}
		size_t n = sequence(p[i], &least, &most);
		if (n == 0 || s.n - i < n || p[i + 1] < least || p[i + 1] > most)
			return false;
		for (size_t k = 2; k < n; k++)
			if ((p[i + k] & 0xc0) != 0x80)
				return false;
		i += n;
	}
	return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four characters into up to three bytes; returns how many, or 0 when it is not base64. */
static size_t decode_group(const char *in, bool last, uint8_t out[3])
{
	int v[4];
	size_t pad = 0;

	if (last && in[3] == '=')
		pad = in[2] == '=' ? 2 : 1;
	for (size_t i = 0; i < 4; i++) {
		v[i] = i >= 4 - pad ? 0 : value(in[i]);
		if (v[i] < 0)
			return 0;
	}
	if ((pad == 1 && (v[2] & 3)) || (pad == 2 && (v[1] & 15)))
		return 0;
	uint32_t bits = (uint32_t)v[0] << 18 | (uint32_t)v[1] << 12 | (uint32_t)v[2] << 6 | (uint32_t)v[3];
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return 3 - pad;
}

bool base64_decode(struct str in, struct buf *out)
{
	size_t before = out->n;

	if (in.n % 4 != 0)
		return false;
	for (size_t i = 0; i < in.n; i += 4) {
		uint8_t bytes[3];
		size_t n = decode_group(in.p + i, i + 4 == in.n, bytes);
		if (n == 0 || !buf_add(out, str_of(bytes, n))) {
			out->n = before;
			return false;
		}
	}
	return true;
}

bool base64_encode(struct str in, struct buf *out)
{
	if (!buf_reserve(out, (in.n + 2) / 3 * 4))
		return false;
	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		uint32_t bits = (uint32_t)(uint8_t)in.p[i] << 16;
		if (left > 1)
			bits |= (uint32_t)(uint8_t)in.p[i + 1] << 8;
		if (left > 2)
			bits |= (uint8_t)in.p[i + 2];
		buf_addc(out, alphabet[bits >> 18]);
		buf_addc(out, alphabet[bits >> 12 & 63]);
		buf_addc(out, left > 1 ? alphabet[bits >> 6 & 63] : '=');
		buf_addc(out, left > 2 ? alphabet[bits & 63] : '=');
	}
	return true;
}
