#include "mail/text.h"

#include "mail/charset.h"
#include "mail/inner.h"

enum { WORD_CHARSET_MAX = 64 };

/* An encoded word (RFC 2047). */
struct word {
	struct str charset, text;
	bool base64;
	size_t n; /* octets of all of it */
};

/* Index of the first `a` with `b` behind it, or s.n. */
static size_t find_pair(struct str s, char a, char b)
{
	size_t n = 0;

	for (;;) {
		ptrdiff_t at = str_find(str_skip(s, n), a);
		if (at < 0)
			return s.n;
		n += (size_t)at + 1;
		if (n < s.n && s.p[n] == b)
			return n - 1;
	}
}

/*
 * Reads a word at the beginning of `s`, leniently: of any length, with blanks and '?' in its text. *no_end: no word
 * ends behind here, which need not be looked for again.
 */
static bool word_read(struct str s, struct word *out, bool *no_end)
{
	struct str rest = str_skip(s, 2);
	ptrdiff_t mark = str_find(str_head(rest, WORD_CHARSET_MAX), '?');

	if (mark <= 0 || rest.n < (size_t)mark + 3 || rest.p[mark + 2] != '?' || *no_end)
		return false;
	out->charset = str_head(rest, (size_t)mark);
	char how = ascii_lower(rest.p[mark + 1]);
	out->base64 = how == 'b';
	rest = str_skip(rest, (size_t)mark + 3);
	if ((how != 'b' && how != 'q') || str_find(out->charset, ' ') >= 0)
		return false;
	out->text = str_head(rest, find_pair(rest, '?', '='));
	out->n = s.n - rest.n + out->text.n + 2;
	*no_end = out->text.n == rest.n;
	return !*no_end;
}

static void word_decode(const struct word *w, struct buf *out)
{
	if (w->base64) {
		mime_decode(STR("base64"), w->text, out);
		return;
	}
	for (size_t i = 0; i < w->text.n; i++) {
		struct str rest = str_skip(w->text, i);
		int high = rest.n > 2 ? ascii_hex(rest.p[1]) : -1, low = rest.n > 2 ? ascii_hex(rest.p[2]) : -1;
		bool code = rest.p[0] == '=' && high >= 0 && low >= 0;
		buf_addc(out, code ? (char)(high << 4 | low) : rest.p[0] == '_' ? ' ' : rest.p[0]);
		i += code ? 2 : 0;
	}
}

/* Bytes of words that follow each other: some cut characters between them, so that they are read together. */
struct pending {
	struct str charset;
	struct buf bytes;
	bool after_word;
};

static void pending_flush(struct pending *p, struct buf *out)
{
	size_t before = out->n;
	struct str rest = p->charset, name = str_cut(&rest, '*'); /* RFC 2231, 5: a language may follow */

	if (p->bytes.n == 0)
		return;
	text_to_utf8(name, buf_str(&p->bytes), out);
	buf_reset(&p->bytes);
	for (size_t i = before; i < out->n; i++)
		if (out->p[i] == '\n' || out->p[i] == '\r' || out->p[i] == '\0')
			out->p[i] = ' ';
}

static void pending_add(struct pending *p, const struct word *w, struct buf *out)
{
	if (!str_ieq(p->charset, w->charset))
		pending_flush(p, out);
	p->charset = w->charset;
	p->after_word = true;
	word_decode(w, &p->bytes);
}

static void add_between(struct pending *p, struct str s, bool before_word, struct buf *out)
{
	bool dropped = p->after_word && before_word && lex_trim(s).n == 0;

	if (s.n == 0 || dropped)
		return;
	pending_flush(p, out);
	charset_guess(s, out);
	p->after_word = false;
}

static void words_decode(struct str s, struct buf *out)
{
	struct pending p = { 0 };
	bool no_end = false;
	size_t n = 0; /* octets of `s` that are in no word */

	while (n < s.n) {
		struct word w;
		n += find_pair(str_skip(s, n), '=', '?');
		if (n == s.n)
			break;
		if (!word_read(str_skip(s, n), &w, &no_end)) {
			n += 2;
			continue;
		}
		add_between(&p, str_head(s, n), true, out);
		pending_add(&p, &w, out);
		s = str_skip(s, n + w.n);
		n = 0;
	}
	add_between(&p, s, false, out);
	pending_flush(&p, out);
	buf_free(&p.bytes);
}

void text_header(struct str value, struct buf *out)
{
	scoped_buf struct buf line = { 0 };

	header_unfold(value, &line);
	words_decode(buf_str(&line), out);
}
