#include "mail/imap.h"
#include "mail/inner.h"

/*
 * Up to the first limit everything is given; what is optional beyond it is NIL. Beyond the second one no more
 * neighbours are listed, and what is left is enough to close the parts that are open.
 */
enum { OPTIONAL_MAX = IMAP_TEXT_MAX / 4 * 3, NEIGHBOURS_MAX = IMAP_TEXT_MAX / 8 * 7 };

struct writer {
	struct str message;
	struct buf *out;
	size_t start;
	bool extended;
};

static size_t written(const struct writer *w)
{
	return w->out->n - w->start;
}

static size_t room(const struct writer *w)
{
	return written(w) < OPTIONAL_MAX ? OPTIONAL_MAX - written(w) : 0;
}

static void add(struct writer *w, const char *text)
{
	buf_add(w->out, str_from(text));
}

static void add_nstring(struct writer *w, struct str s)
{
	imap_nstring(imap_string_cost(s) <= room(w) ? s : (struct str){ 0 }, w->out);
}

static void add_params(struct writer *w, const struct mime_param *list)
{
	const char *before = "(";

	for (; list && imap_string_cost(list->name) + imap_string_cost(list->value) <= room(w); list = list->next) {
		add(w, before);
		imap_string(list->name, w->out);
		add(w, " ");
		imap_string(list->value, w->out);
		before = " ";
	}
	add(w, *before == '(' ? "NIL" : ")");
}

static void add_disposition(struct writer *w, const struct mime_part *p)
{
	if (p->disposition.n == 0 || imap_string_cost(p->disposition) > room(w)) {
		add(w, "NIL");
		return;
	}
	add(w, "(");
	imap_string(p->disposition, w->out);
	add(w, " ");
	add_params(w, p->disposition_params);
	add(w, ")");
}

static void add_language(struct writer *w, struct str list)
{
	const char *before = "(";

	while (list.n > 0) {
		struct str tag = str_trim(str_cut(&list, ','));
		if (tag.n == 0 || imap_string_cost(tag) > room(w))
			continue;
		add(w, before);
		imap_string(tag, w->out);
		before = " ";
	}
	add(w, *before == '(' ? "NIL" : ")");
}

/* What both kinds of extension data end with. */
static void add_extension(struct writer *w, const struct mime_part *p)
{
	add(w, " ");
	add_disposition(w, p);
	add(w, " ");
	add_language(w, p->language);
	add(w, " ");
	add_nstring(w, p->location);
}

static void end_single(struct writer *w, const struct mime_part *p)
{
	if (w->extended) {
		add(w, " ");
		add_nstring(w, p->md5);
		add_extension(w, p);
	}
	add(w, ")");
}

static void end_multipart(struct writer *w, const struct mime_part *p)
{
	add(w, " ");
	imap_string(p->subtype, w->out);
	if (w->extended) {
		add(w, " ");
		add_params(w, p->params);
		add_extension(w, p);
	}
	add(w, ")");
}

/* Stands for a part that the grammar wants and the message has not. */
static void add_empty_part(struct writer *w)
{
	add(w, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
	add(w, w->extended ? " NIL NIL NIL NIL)" : ")");
}

static void add_fields(struct writer *w, const struct mime_part *p)
{
	imap_string(p->type, w->out);
	add(w, " ");
	imap_string(p->subtype, w->out);
	add(w, " ");
	add_params(w, p->params);
	add(w, " ");
	add_nstring(w, p->id);
	add(w, " ");
	add_nstring(w, p->description);
	add(w, " ");
	imap_string(p->encoding, w->out);
	buf_addf(w->out, " %zu", p->end - p->body + p->body_bare);
}

static void add_envelope(struct writer *w, const struct mime_part *p)
{
	struct str header = { 0 };

	if (p->child)
		header = str_of(w->message.p + p->child->head, p->child->body - p->child->head);
	add(w, " ");
	imap_envelope_within(header, room(w), w->out);
	add(w, " ");
}

static void part_begin(struct writer *w, const struct mime_part *p)
{
	add(w, "(");
	if (!p->multipart) {
		add_fields(w, p);
		if (p->message)
			add_envelope(w, p);
	}
	if ((p->multipart || p->message) && !p->child)
		add_empty_part(w);
}

static void part_end(struct writer *w, const struct mime_part *p)
{
	if (p->multipart) {
		end_multipart(w, p);
		return;
	}
	if (p->message || str_ieq(p->type, STR("text")))
		buf_addf(w->out, " %zu", p->lines);
	end_single(w, p);
}

void imap_structure(struct str message, const struct mime_part *root, bool extended, struct buf *out)
{
	struct writer w = { .message = message, .out = out, .start = out->n, .extended = extended };
	const struct mime_part *p = root;

	for (;;) {
		part_begin(&w, p);
		if (p->child) {
			p = p->child;
			continue;
		}
		part_end(&w, p);
		while (p != root && !(p->next && written(&w) < NEIGHBOURS_MAX)) {
			p = p->parent;
			part_end(&w, p);
		}
		if (p == root)
			return;
		p = p->next;
	}
}
