#include "mail/charset.h"

enum {
	ESC = 0x1b,
	SHIFT_OUT = 0x0e,
	SHIFT_IN = 0x0f,
	SINGLE_SHIFT_2 = 0x8e, /* EUC-JP: half-width katakana follows */
	SINGLE_SHIFT_3 = 0x8f, /* JIS X 0212 follows */
	NO_CHARACTER = 0xff,   /* in none of the charsets to which this leads */
};

enum { SHIFT_NONE, SHIFT_TWO, SHIFT_KANA, SHIFT_0212, SHIFT_OTHER };

static void shift(struct charset_reader *r, uint8_t to)
{
	if (r->second && r->inner.n > 0)
		r->inner.p[r->inner.n - 1] = (char)NO_CHARACTER;
	r->second = false;
	r->shift = to;
}

/* A byte of text in the shift in hand. */
static void add_byte(struct charset_reader *r, uint8_t c)
{
	bool first = !r->second;

	if (c == '\n' || c == '\r')
		shift(r, SHIFT_NONE);
	if (r->shift == SHIFT_NONE || c <= ' ' || c > '~') {
		buf_addc(&r->inner, (char)c);
		return;
	}
	if (r->shift == SHIFT_OTHER) {
		buf_addc(&r->inner, (char)NO_CHARACTER);
		return;
	}
	if (r->shift == SHIFT_KANA)
		buf_addc(&r->inner, (char)SINGLE_SHIFT_2);
	else if (r->shift == SHIFT_0212 && first)
		buf_addc(&r->inner, (char)SINGLE_SHIFT_3);
	buf_addc(&r->inner, (char)(c | 0x80));
	r->second = first && r->shift != SHIFT_KANA;
}

enum { JP_TEXT, JP_ESC, JP_TWO, JP_ONE, JP_MORE };

/* The last byte of an escape: which set it names. JIS X 0213 is read as 0208, which is most of it. */
static uint8_t jp_set(uint8_t escape, uint8_t c)
{
	switch (escape) {
	case JP_ONE: return c == 'I' ? SHIFT_KANA : SHIFT_NONE;
	case JP_TWO: return c == '@' || c == 'B' ? SHIFT_TWO : SHIFT_OTHER;
	default: return c == 'D' ? SHIFT_0212 : strchr("@BOQ", c) ? SHIFT_TWO : SHIFT_OTHER;
	}
}

static void jp_byte(struct charset_reader *r, uint8_t c)
{
	uint8_t escape = r->escape;

	r->escape = JP_TEXT;
	if (c == ESC)
		r->escape = JP_ESC;
	else if (escape == JP_ESC && (c == '$' || c == '('))
		r->escape = c == '$' ? JP_TWO : JP_ONE;
	else if (escape == JP_TWO && c == '(')
		r->escape = JP_MORE;
	else if (escape > JP_ESC && c > ' ' && c <= '~')
		shift(r, jp_set(escape, c));
	else if (c == SHIFT_OUT || c == SHIFT_IN)
		shift(r, c == SHIFT_OUT ? SHIFT_KANA : SHIFT_NONE);
	else
		add_byte(r, c);
}

void charset_unescape_jp(struct charset_reader *r, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		jp_byte(r, (uint8_t)bytes.p[i]);
}

/* The one escape, ESC $ ) C, says only what is known. */
static void kr_byte(struct charset_reader *r, uint8_t c)
{
	if (c == ESC)
		r->escape = 3;
	else if (r->escape > 0 && c > ' ')
		r->escape--;
	else if (c == SHIFT_OUT || c == SHIFT_IN)
		shift(r, c == SHIFT_OUT ? SHIFT_TWO : SHIFT_NONE);
	else
		add_byte(r, c);
}

void charset_unescape_kr(struct charset_reader *r, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		kr_byte(r, (uint8_t)bytes.p[i]);
}

static void hz_byte(struct charset_reader *r, uint8_t c)
{
	bool escaped = r->escape > 0;

	r->escape = 0;
	if (escaped && (c == '{' || c == '}'))
		shift(r, c == '{' ? SHIFT_TWO : SHIFT_NONE);
	else if (escaped && c == '\n')
		return; /* the line goes on */
	else if (!escaped && c == '~' && !r->second)
		r->escape = 1;
	else
		add_byte(r, c);
}

void charset_unescape_hz(struct charset_reader *r, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		hz_byte(r, (uint8_t)bytes.p[i]);
}
