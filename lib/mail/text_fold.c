#include "mail/text.h"

#include <stdlib.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/err.h"
#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/inner.h"

enum {
	RUN_OCTETS = 4096,	    /* folded at once, and up to the next character that begins something */
	RUN_OCTETS_MAX = 16 * 1024, /* even within what belongs together */
};

/* Adds text of which the letters are folded; blanks are not yet. */
static void add_blanks_folded(struct str s, struct buf *out)
{
	if (!buf_reserve(out, s.n))
		return;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (!lex_is_blank(c) && c != '\v' && c != '\f')
			out->p[out->n++] = ascii_lower(c);
		else if (out->n == 0 || out->p[out->n - 1] != ' ')
			out->p[out->n++] = ' ';
	}
}

/*
 * Length of the text at the beginning, not ASCII, that can be folded by itself: whatever comes behind a character
 * that begins something (combining class 0) does not touch what is before. 0: it is not well formed.
 */
static size_t run_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && (uint8_t)s.p[n] >= 0x80 && n < RUN_OCTETS_MAX) {
		ucs4_t c;
		int k = u8_mbtoucr(&c, (const uint8_t *)s.p + n, s.n - n);
		if (k <= 0)
			return 0;
		if (n >= RUN_OCTETS && uc_combining_class(c) == 0)
			break;
		n += (size_t)k;
	}
	return n;
}

/* NFKD comes first too: it makes capitals of signs that have no small form, such as U+2122. */
static void fold_run(struct str run, struct buf *out)
{
	uint8_t small[512], folded_small[512];
	size_t n = sizeof(small), folded_n = sizeof(folded_small);
	uint8_t *plain = u8_normalize(UNINORM_NFKD, (const uint8_t *)run.p, run.n, small, &n);

	if (!plain)
		panic("u8_normalize: %zu bytes", run.n);
	uint8_t *folded = u8_casefold(plain, n, NULL, UNINORM_NFKD, folded_small, &folded_n);
	if (!folded)
		panic("u8_casefold: %zu bytes", n);
	add_blanks_folded(str_of(folded, folded_n), out);
	if (plain != small)
		free(plain);
	if (folded != folded_small)
		free(folded);
}

static void fold_valid(struct str s, struct buf *out)
{
	while (s.n > 0) {
		size_t n = 0;
		while (n < s.n && (uint8_t)s.p[n] < 0x80)
			n++;
		add_blanks_folded(str_head(s, n), out);
		s = str_skip(s, n);
		n = s.n > 0 ? run_length(s) : 0;
		if (n > 0)
			fold_run(str_head(s, n), out);
		s = str_skip(s, n);
	}
}

void text_fold(struct str utf8, struct buf *out)
{
	scoped_buf struct buf valid = { 0 };

	if (!utf8_valid(utf8)) {
		text_to_utf8(STR("utf-8"), utf8, &valid);
		utf8 = buf_str(&valid);
	}
	fold_valid(utf8, out);
}

bool text_holds(struct str text, struct str needle)
{
	return needle.n == 0 || (text.n > 0 && memmem(text.p, text.n, needle.p, needle.n));
}
