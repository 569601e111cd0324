#include "section.h"

#include "mail/header.h"

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
