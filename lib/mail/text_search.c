#include "mail/text.h"

#include <unictype.h>
#include <unistr.h>

#include "base/utf8.h"
#include "mail/charset.h"
#include "mail/inner.h"

enum { PIECE_OCTETS = 64 * 1024, BACK_MAX = 256 };

/* A text that passes in pieces, and what is looked for. */
struct search {
	struct str needle; /* folded, not empty */
	struct buf bytes;  /* decoded, not converted yet */
	struct buf utf8;   /* not folded yet */
	struct buf folded; /* the end of what was looked at, and what is new */
	bool found;
};

static void search_free(struct search *s)
{
	buf_free(&s->bytes);
	buf_free(&s->utf8);
	buf_free(&s->folded);
}

/* Where UTF-8 can be cut so that both halves fold as the whole does: an accent stays with what it belongs to. */
static size_t cut_for_fold(struct str s)
{
	for (size_t n = s.n; n > 0 && s.n - n < BACK_MAX;) {
		ucs4_t c;
		n--;
		if ((uint8_t)s.p[n] < 0x80)
			return n + 1;
		if (((uint8_t)s.p[n] & 0xc0) == 0x80)
			continue;
		if (u8_mbtoucr(&c, (const uint8_t *)s.p + n, s.n - n) > 0 && uc_combining_class(c) == 0)
			return n;
	}
	return s.n;
}

/* Looks on in a text that goes on; a needle may have begun before. */
static void look(struct search *s, struct str utf8)
{
	size_t keep = s->needle.n - 1;

	text_fold(utf8, &s->folded);
	s->found = s->found || text_holds(buf_str(&s->folded), s->needle);
	if (s->folded.n > keep)
		buf_consume(&s->folded, s->folded.n - keep);
}

/* Takes in s->bytes as far as they are complete. */
static void look_bytes(struct search *s, struct charset_reader *r, bool last)
{
	if (s->utf8.n == 0 && charset_is_plain(r) && ascii_only(buf_str(&s->bytes))) {
		look(s, buf_str(&s->bytes));
		buf_reset(&s->bytes);
		return;
	}
	buf_consume(&s->bytes, charset_convert(r, buf_str(&s->bytes), last, &s->utf8));
	size_t n = last ? s->utf8.n : cut_for_fold(buf_str(&s->utf8));
	look(s, str_head(buf_str(&s->utf8), n));
	buf_consume(&s->utf8, n);
}

static void search_begin(struct search *s)
{
	buf_reset(&s->bytes);
	buf_reset(&s->utf8);
	buf_reset(&s->folded);
}

static bool search_body(struct search *s, struct str encoding, struct str charset, struct str body)
{
	__attribute__((cleanup(charset_free))) struct charset_reader r;
	struct mime_decoder d = { .encoding = encoding, .rest = str_head(body, TEXT_OCTETS_MAX) };

	charset_begin(&r, charset);
	search_begin(s);
	while (!s->found && mime_decode_some(&d, PIECE_OCTETS, &s->bytes))
		look_bytes(s, &r, d.rest.n == 0);
	return s->found;
}

static bool search_value(struct search *s, struct str name, struct str value)
{
	search_begin(s);
	if (name.n > 0) {
		buf_add(&s->utf8, name);
		buf_add(&s->utf8, STR(": "));
	}
	text_header(value, &s->utf8);
	look(s, buf_str(&s->utf8));
	return s->found;
}

static bool search_header(struct search *s, struct str header)
{
	struct header_iter it = header_begin(header);
	struct header_field f;

	while (header_next(&it, &f))
		if (search_value(s, f.name, f.value))
			return true;
	return false;
}

static struct str slice(struct str message, size_t from, size_t to)
{
	return str_of(message.p + from, to - from);
}

static bool search_part(struct search *s, struct str message, const struct mime_part *p)
{
	if (p->parent && search_header(s, slice(message, p->head, p->body)))
		return true;
	if (!str_ieq(p->type, STR("text")))
		return false;
	struct str charset = mime_param(p->params, STR("charset"));
	return search_body(s, p->encoding, charset.n > 0 ? charset : STR("us-ascii"), slice(message, p->body, p->end));
}

/* The next part of the tree: what is within comes first. */
static const struct mime_part *part_after(const struct mime_part *p)
{
	if (p->child)
		return p->child;
	while (p && !p->next)
		p = p->parent;
	return p ? p->next : NULL;
}

bool text_search(struct str message, const struct mime_part *root, bool with_header, struct str folded)
{
	__attribute__((cleanup(search_free))) struct search s = { .needle = folded };

	if (folded.n == 0)
		return true;
	if (with_header && search_header(&s, slice(message, root->head, root->body)))
		return true;
	for (const struct mime_part *p = root; p; p = part_after(p))
		if (search_part(&s, message, p))
			return true;
	return false;
}

bool text_search_field(struct str header, struct str name, struct str folded)
{
	__attribute__((cleanup(search_free))) struct search s = { .needle = folded };
	struct header_iter it = header_begin(header);
	struct header_field f;

	while (header_next(&it, &f)) {
		if (!str_ieq(f.name, name))
			continue;
		if (folded.n == 0 || search_value(&s, (struct str){ 0 }, f.value))
			return true;
	}
	return false;
}
