#include "mail/inner.h"

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Some encode in pieces, each with its own padding: after a '=' the next group begins. */
static void base64_some(struct mime_decoder *d, struct str in, char **out)
{
	for (size_t i = 0; i < in.n; i++) {
		int v = base64_value(in.p[i]);
		if (in.p[i] == '=')
			d->n_bits = 0;
		if (v < 0)
			continue;
		d->bits = d->bits << 6 | (uint32_t)v;
		d->n_bits += 6;
		if (d->n_bits >= 8) {
			d->n_bits -= 8;
			*(*out)++ = (char)(d->bits >> d->n_bits);
		}
	}
}

/*
 * Length of the blanks at the beginning of `s` with the line end behind them; 0 when there is something else behind.
 */
static size_t blank_end(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	if (n == s.n)
		return n;
	if (s.p[n] == '\r' && n + 1 < s.n && s.p[n + 1] == '\n')
		return n + 2;
	return s.p[n] == '\n' ? n + 1 : 0;
}

/* What a '=' at the beginning of `s` stands for: octets read; those written are 0 or 1. */
static size_t quoted_escape(struct str s, char **out)
{
	int high = s.n > 2 ? ascii_hex(s.p[1]) : -1, low = s.n > 2 ? ascii_hex(s.p[2]) : -1;

	if (high >= 0 && low >= 0) {
		*(*out)++ = (char)(high << 4 | low);
		return 3;
	}
	size_t soft = blank_end(str_skip(s, 1));
	if (soft > 0 || s.n == 1)
		return 1 + soft;
	*(*out)++ = '=';
	return 1;
}

/* Blanks before a line end were added on the way (RFC 2045, 6.7 (3)). */
static size_t quoted_blanks(struct str s, char **out)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	if (blank_end(str_skip(s, n)) > 0 || n == s.n)
		return n;
	memcpy(*out, s.p, n);
	*out += n;
	return n;
}

static void quoted_some(struct str in, char **out)
{
	while (in.n > 0) {
		size_t n = 1;
		if (in.p[0] == '=')
			n = quoted_escape(in, out);
		else if (in.p[0] == ' ' || in.p[0] == '\t')
			n = quoted_blanks(in, out);
		else
			*(*out)++ = in.p[0];
		in = str_skip(in, n);
	}
}

/* Where to cut quoted-printable so that both pieces can be undone by themselves. */
static size_t quoted_piece(struct str in, size_t most)
{
	struct str head = str_head(in, most);
	ptrdiff_t lf = head.n < in.n ? str_rfind(head, '\n') : -1;
	size_t n = head.n;

	if (lf >= 0)
		return (size_t)lf + 1;
	for (size_t back = 0; back < 2 && n == head.n && n < in.n && n > 2; back++)
		if (head.p[n - 1 - back] == '=')
			n -= 1 + back;
	while (n < in.n && n > 1 && lex_is_blank(head.p[n - 1]))
		n--;
	return n;
}

bool mime_decode_some(struct mime_decoder *d, size_t most, struct buf *out)
{
	bool base64 = str_ieq(d->encoding, STR("base64")), quoted = str_ieq(d->encoding, STR("quoted-printable"));
	size_t n = quoted ? quoted_piece(d->rest, most) : most;
	struct str in = str_head(d->rest, n);

	if (in.n == 0 || !buf_reserve(out, in.n))
		return false;
	char *p = out->p + out->n;
	if (base64) {
		base64_some(d, in, &p);
	} else if (quoted) {
		quoted_some(in, &p);
	} else {
		memcpy(p, in.p, in.n);
		p += in.n;
	}
	out->n = (size_t)(p - out->p);
	d->rest = str_skip(d->rest, in.n);
	return true;
}

void mime_decode(struct str encoding, struct str body, struct buf *out)
{
	struct mime_decoder d = { .encoding = encoding, .rest = body };

	mime_decode_some(&d, SIZE_MAX, out);
}
