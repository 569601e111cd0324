#include "mail/inner.h"

/* A multipart that waits for its next boundary. */
struct open {
	struct str boundary;
	struct mime_part *part, *last;
};

struct walk {
	struct str message;
	struct arena *arena;
	size_t at;	    /* the line in hand begins here */
	size_t lines, bare; /* LFs before it, and those of them without a CR */
	size_t parts;
	struct mime_part *part; /* the innermost one */
	struct open open[MIME_DEPTH_MAX];
	size_t n_open;
};

static struct str line_at(const struct walk *w)
{
	struct str rest = str_skip(w->message, w->at);
	ptrdiff_t lf = str_find(rest, '\n');

	return lf < 0 ? rest : str_head(rest, (size_t)lf + 1);
}

/* Octets of the line end before the line in hand. */
static size_t line_end_before(const struct walk *w)
{
	struct str before = str_head(w->message, w->at);

	return str_ends(before, STR("\r\n")) ? 2 : str_ends(before, STR("\n"));
}

static void advance(struct walk *w, size_t to)
{
	while (w->at < to) {
		struct str rest = str_of(w->message.p + w->at, to - w->at);
		ptrdiff_t lf = str_find(rest, '\n');
		w->at = lf < 0 ? to : w->at + (size_t)lf + 1;
		if (lf >= 0) {
			w->lines++;
			w->bare += line_end_before(w) == 1;
		}
	}
}

/* Which open multipart the line is a boundary of; the innermost one that fits. */
static bool boundary_find(const struct walk *w, struct str line, size_t *which, bool *close)
{
	if (!str_starts(line, STR("--")) || w->n_open == 0)
		return false;
	line = str_skip(line, 2);
	while (line.n > 0 && lex_is_blank(line.p[line.n - 1]))
		line.n--;
	for (size_t i = w->n_open; i-- > 0;) {
		struct str boundary = w->open[i].boundary;
		if (line.n != boundary.n && line.n != boundary.n + 2)
			continue;
		*close = line.n > boundary.n;
		*which = i;
		if (str_starts(line, boundary) && (!*close || str_ends(line, STR("--"))))
			return *close || w->parts < MIME_PARTS_MAX;
	}
	return false;
}

static size_t header_length(struct walk *w, struct mime_part *p)
{
	struct header_iter it = header_begin(str_skip(w->message, w->at));
	struct header_field f;
	size_t n = 0, which;
	bool close;

	while (header_next(&it, &f)) {
		struct str rest = f.whole, line = str_cut(&rest, '\n');
		if (boundary_find(w, line, &which, &close))
			return n;
		mime_field(p, &f, w->arena);
		n = it.at;
	}
	if (it.stop == HEADER_NO_FIELD && str_starts(it.rest, STR("\r\n")))
		return it.at + 2;
	return it.at;
}

static void part_read(struct walk *w, struct mime_part *p)
{
	size_t bare = w->bare;

	p->head = w->at;
	advance(w, w->at + header_length(w, p));
	mime_fields_end(p, w->arena);
	p->body = w->at;
	p->head_bare = w->bare - bare;
	p->lines = w->lines; /* until the part ends: what there was before it */
	p->body_bare = w->bare;
}

static bool is_encoded(struct str encoding)
{
	return str_ieq(encoding, STR("base64")) || str_ieq(encoding, STR("quoted-printable"));
}

static struct mime_part *part_new(struct walk *w, struct mime_part *parent)
{
	struct mime_part *p = w->parts < MIME_PARTS_MAX ? arena_try(w->arena, sizeof(*p)) : NULL;

	if (!p) {
		w->parts = MIME_PARTS_MAX;
		return NULL;
	}
	w->parts++;
	w->part = p;
	p->parent = parent;
	p->depth = parent->depth + 1;
	return p;
}

static void boundary_expect(struct walk *w, struct mime_part *p)
{
	struct str boundary = mime_param(p->params, STR("boundary"));

	while (boundary.n > 0 && lex_is_blank(boundary.p[boundary.n - 1]))
		boundary.n--;
	if (boundary.n > 0)
		w->open[w->n_open++] = (struct open){ .boundary = boundary, .part = p };
}

/* Reads a part that begins at the line in hand and, when it is a message, the message within. */
static void part_enter(struct walk *w, struct mime_part *p)
{
	part_read(w, p);
	while (p->message && !is_encoded(p->encoding) && p->depth < MIME_DEPTH_MAX) {
		p->child = part_new(w, p);
		if (!p->child)
			return;
		p = p->child;
		part_read(w, p);
	}
	if (p->multipart && p->depth < MIME_DEPTH_MAX)
		boundary_expect(w, p);
}

/*
 * Ends all parts within `until` before the line end of `cut` octets that is before the line in hand. A part whose
 * header takes that line end keeps it, and so do those around it.
 */
static void parts_end(struct walk *w, struct mime_part *until, size_t cut)
{
	bool whole = cut == 0;

	for (struct mime_part *p = w->part; p != until; p = p->parent) {
		whole = whole || p->body == w->at;
		p->end = whole ? w->at : w->at - cut;
		p->lines = w->lines - p->lines - !whole;
		p->body_bare = w->bare - p->body_bare - (!whole && cut == 1);
	}
	w->part = until;
}

static void boundary_pass(struct walk *w, struct open *open, bool close, size_t n)
{
	struct mime_part *parent = open->part, *last = open->last;

	parts_end(w, parent, line_end_before(w));
	w->n_open = (size_t)(open - w->open) + !close;
	advance(w, w->at + n);
	if (close)
		return;
	struct mime_part *p = part_new(w, parent);
	if (!p)
		return;
	*(last ? &last->next : &parent->child) = p;
	open->last = p;
	part_enter(w, p);
}

struct mime_part *mime_parse(struct str message, struct arena *arena)
{
	struct walk w = { .message = message, .arena = arena };
	struct mime_part *root = arena_alloc(arena, sizeof(*root));
	size_t which;
	bool close;

	w.part = root;
	w.parts = 1;
	part_enter(&w, root);
	while (w.at < message.n && w.n_open > 0) {
		struct str line = line_at(&w);
		if (boundary_find(&w, line, &which, &close))
			boundary_pass(&w, &w.open[which], close, line.n);
		else
			advance(&w, w.at + line.n);
	}
	advance(&w, message.n);
	parts_end(&w, NULL, 0);
	return root;
}

const struct mime_part *mime_part(const struct mime_part *root, const uint32_t *numbers, size_t n)
{
	const struct mime_part *p = root;

	for (size_t i = 0; i < n && p; i++) {
		/* A part named before is gone into; the root, and a message within, is asked for its own parts. */
		if (i > 0 && p->message)
			p = p->child;
		else if (i > 0 && !p->multipart)
			return NULL;
		if (!p || numbers[i] == 0 || (!p->multipart && numbers[i] != 1))
			return NULL;
		if (!p->multipart)
			continue;
		p = p->child;
		for (uint32_t k = 1; k < numbers[i] && p; k++)
			p = p->next;
	}
	return p;
}

struct str mime_param(const struct mime_param *list, struct str name)
{
	for (; list; list = list->next)
		if (str_ieq(list->name, name))
			return list->value;
	return (struct str){ 0 };
}
