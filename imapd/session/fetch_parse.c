#include "fetch.h"

static const struct {
	const char *word;
	unsigned items;
} words[] = {
	{ "UID", ITEM_UID },
	{ "FLAGS", ITEM_FLAGS },
	{ "MODSEQ", ITEM_MODSEQ },
	{ "INTERNALDATE", ITEM_DATE },
	{ "RFC822.SIZE", ITEM_SIZE },
	{ "ENVELOPE", ITEM_ENVELOPE },
	{ "BODYSTRUCTURE", ITEM_STRUCTURE },
};

static const struct {
	const char *word;
	unsigned items;
} macros[] = {
	{ "FAST", ITEM_FLAGS | ITEM_DATE | ITEM_SIZE },
	{ "ALL", ITEM_FLAGS | ITEM_DATE | ITEM_SIZE | ITEM_ENVELOPE },
	{ "FULL", ITEM_FLAGS | ITEM_DATE | ITEM_SIZE | ITEM_ENVELOPE | ITEM_BODY },
};

/* The names that are older than BODY[...]. */
static const struct {
	const char *word;
	enum section_what what;
	bool peek;
} old_sections[] = {
	{ "RFC822", SECTION_ALL, false },
	{ "RFC822.HEADER", SECTION_HEADER, true },
	{ "RFC822.TEXT", SECTION_TEXT, false },
};

static struct section *add_section(struct parse *p, struct fetch *f)
{
	if (f->n == FETCH_SECTIONS_MAX) {
		parse_wrong(p, "too many sections");
		return NULL;
	}
	return &f->sections[f->n++];
}

/* "BODY" alone, or with a section. */
static bool take_body(struct parse *p, struct fetch *f)
{
	bool peek = parse_try_word(p, "BODY.PEEK");

	if (!peek && !parse_try_word(p, "BODY"))
		return parse_wrong(p, "no such item of FETCH");
	if (!peek && parse_peek(p) != '[') {
		f->items |= ITEM_BODY;
		return true;
	}
	struct section *s = add_section(p, f);
	if (!s)
		return false;
	s->peek = peek;
	return section_parse(p, s);
}

static bool take_item(struct parse *p, struct fetch *f)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (parse_try_word(p, words[i].word)) {
			f->items |= words[i].items;
			return true;
		}
	for (size_t i = 0; i < COUNT(old_sections); i++) {
		if (!parse_try_word(p, old_sections[i].word))
			continue;
		struct section *s = add_section(p, f);
		if (s)
			*s = (struct section){ .what = old_sections[i].what,
					       .peek = old_sections[i].peek,
					       .name = str_from(old_sections[i].word) };
		return s != NULL;
	}
	return take_body(p, f);
}

static bool take_items(struct parse *p, struct fetch *f)
{
	for (size_t i = 0; i < COUNT(macros); i++)
		if (parse_try_word(p, macros[i].word)) {
			f->items |= macros[i].items;
			return true;
		}
	if (!parse_try(p, '('))
		return take_item(p, f);
	do
		if (!take_item(p, f))
			return false;
	while (parse_try(p, ' '));
	return parse_char(p, ')');
}

/* RFC 7162, 3.1.4. */
static bool take_modifiers(struct parse *p, struct fetch *f)
{
	if (!parse_space(p) || !parse_char(p, '('))
		return false;
	do {
		if (parse_try_word(p, "VANISHED")) {
			f->vanished = true;
			continue;
		}
		f->since = parse_try_word(p, "CHANGEDSINCE");
		if (!f->since)
			return parse_wrong(p, "no such modifier of FETCH");
		if (!parse_space(p) || !parse_number64(p, &f->modseq))
			return false;
	} while (parse_try(p, ' '));
	if (f->vanished && !f->since)
		return parse_wrong(p, "VANISHED needs CHANGEDSINCE");
	f->items |= ITEM_MODSEQ;
	return parse_char(p, ')');
}

bool fetch_parse(struct parse *p, struct fetch *out)
{
	out->sections = arena_array(p->arena, FETCH_SECTIONS_MAX, sizeof(*out->sections));
	if (!parse_space(p) || !take_items(p, out))
		return false;
	return p->rest.n == 0 || (take_modifiers(p, out) && parse_end(p));
}

bool fetch_sees(const struct fetch *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->sections[i].peek)
			return true;
	return false;
}
