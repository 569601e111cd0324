#include "section.h"

#include "mail/header.h"

enum { SECTION_DEPTH_MAX = 200 };

static const struct {
	const char *word;
	enum section_what what;
} texts[] = {
	{ "HEADER.FIELDS.NOT", SECTION_FIELDS_NOT },
	{ "HEADER.FIELDS", SECTION_FIELDS },
	{ "HEADER", SECTION_HEADER },
	{ "TEXT", SECTION_TEXT },
	{ "MIME", SECTION_MIME },
};

static bool take_text(struct parse *p, struct section *out)
{
	for (size_t i = 0; i < COUNT(texts); i++) {
		if (!parse_try_word(p, texts[i].word))
			continue;
		out->what = texts[i].what;
		if (out->what == SECTION_MIME && out->n == 0)
			return parse_wrong(p, "MIME needs a part");
		if (out->what != SECTION_FIELDS && out->what != SECTION_FIELDS_NOT)
			return true;
		return parse_space(p) && parse_astrings(p, &out->fields, &out->n_fields);
	}
	return parse_wrong(p, "a bad section");
}

/* 1*("." number), then perhaps "." text. */
static bool take_numbers(struct parse *p, struct section *out)
{
	out->numbers = arena_array(p->arena, SECTION_DEPTH_MAX, sizeof(*out->numbers));
	while (ascii_digit(parse_peek(p))) {
		if (out->n == SECTION_DEPTH_MAX)
			return parse_wrong(p, "a section is too deep");
		if (!parse_nz_number(p, &out->numbers[out->n++]))
			return false;
		if (parse_peek(p) == ']')
			return true;
		if (!parse_char(p, '.'))
			return false;
	}
	return take_text(p, out);
}

static void put_field(struct buf *out, struct str name)
{
	bool atom = name.n > 0;

	for (size_t i = 0; i < name.n; i++)
		atom = atom && parse_atom_char(name.p[i]);
	if (atom) {
		buf_add(out, name);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] >= ' ' && name.p[i] < 0x7f && name.p[i] != '"' && name.p[i] != '\\')
			buf_addc(out, name.p[i]); /* what is left out is in no field's name */
	buf_addc(out, '"');
}

static void spell(struct section *s, struct buf *out)
{
	buf_add(out, STR("BODY["));
	for (size_t i = 0; i < s->n; i++)
		buf_addf(out, "%s%u", i ? "." : "", s->numbers[i]);
	if (s->n > 0 && s->what != SECTION_ALL)
		buf_addc(out, '.');
	for (size_t i = 0; i < COUNT(texts); i++)
		if (texts[i].what == s->what)
			buf_add(out, str_from(texts[i].word));
	for (size_t i = 0; i < s->n_fields; i++) {
		buf_add(out, i ? STR(" ") : STR(" ("));
		put_field(out, s->fields[i]);
	}
	buf_add(out, s->n_fields ? STR(")]") : STR("]"));
}

bool section_parse(struct parse *p, struct section *out)
{
	scoped_buf struct buf name = { 0 };

	if (!parse_char(p, '['))
		return false;
	if (parse_peek(p) != ']' && !take_numbers(p, out))
		return false;
	if (!parse_char(p, ']') || !parse_partial(p, &out->partial))
		return false;
	spell(out, &name);
	out->name = arena_str(p->arena, buf_str(&name));
	return true;
}

static bool is_named(const struct section *s, struct str name)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (str_ieq(s->fields[i], name))
			return true;
	return false;
}

/* The chosen fields and the empty line, which every header that is given has (RFC 3501, 6.4.5). */
static void choose_fields(const struct section *s, struct str header, bool empty_line, struct buf *out)
{
	struct header_iter it = header_begin(header);
	struct header_field f;

	while (header_next(&it, &f))
		if (is_named(s, f.name) == (s->what == SECTION_FIELDS))
			buf_add(out, f.whole);
	if (empty_line)
		buf_addc(out, '\n');
}

static void set_header(const struct section *s, struct str header, uint64_t from, bool empty_line, struct buf *made,
		       struct extent *out)
{
	if (s->what == SECTION_HEADER || s->what == SECTION_MIME) {
		*out = (struct extent){ .from = from, .to = from + header.n };
		return;
	}
	choose_fields(s, header, empty_line, made);
	*out = (struct extent){ .made = true, .text = buf_str(made) };
}

/* Of the message itself: no more of the file is read than needed. */
static enum section_found find_in_message(const struct section *s, struct body *b, struct buf *made, struct extent *out)
{
	struct str header;

	*out = (struct extent){ .to = b->size };
	if (s->what == SECTION_ALL)
		return SECTION_FOUND;
	if (!body_header(b, &header))
		return SECTION_FAILED;
	if (s->what == SECTION_TEXT)
		out->from = header.n;
	else
		set_header(s, header, 0, b->ended_well, made, out);
	return SECTION_FOUND;
}

static enum section_found find_in_part(const struct section *s, const struct mime_part *part, struct str message,
				       struct buf *made, struct extent *out)
{
	bool within = s->what != SECTION_ALL && s->what != SECTION_MIME;
	const struct mime_part *m = within && part ? part->message ? part->child : NULL : part;

	if (!m)
		return SECTION_NIL;
	if (s->what == SECTION_ALL || s->what == SECTION_TEXT) {
		*out = (struct extent){ .from = m->body, .to = m->end };
		return SECTION_FOUND;
	}
	struct str header = str_head(str_skip(message, m->head), m->body - m->head);
	set_header(s, header, m->head, true, made, out);
	return SECTION_FOUND;
}

enum section_found section_find(const struct section *s, struct body *b, struct buf *made, struct extent *out)
{
	const struct mime_part *root;
	struct str message;

	if (s->n == 0)
		return find_in_message(s, b, made, out);
	if (!body_tree(b, &message, &root))
		return SECTION_FAILED;
	return find_in_part(s, mime_part(root, s->numbers, s->n), message, made, out);
}
