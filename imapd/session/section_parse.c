#include "section.h"

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
