/* A message: its tree holds together, and what IMAP says of it is well formed. */
#include "base/err.h"
#include "mail/imap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counts {
	size_t lines, bare;
};

static struct counts count(struct str message, size_t from, size_t to)
{
	struct counts c = { 0 };

	for (size_t i = from; i < to; i++) {
		bool lf = message.p[i] == '\n';
		c.lines += lf;
		c.bare += lf && (i == 0 || message.p[i - 1] != '\r');
	}
	return c;
}

static void check_place(const struct mime_part *p, struct str message)
{
	ASSERT(p->head <= p->body && p->body <= p->end && p->end <= message.n);
	ASSERT(p->head == 0 || p->head == message.n || message.p[p->head - 1] == '\n');
	struct counts head = count(message, p->head, p->body), body = count(message, p->body, p->end);
	ASSERT(head.bare == p->head_bare && body.bare == p->body_bare && body.lines == p->lines);
	if (p->next)
		ASSERT(p->next->parent == p->parent && p->next->head > p->end);
	if (!p->parent)
		return;
	ASSERT(p->head >= p->parent->body && p->end <= p->parent->end && p->depth == p->parent->depth + 1);
	if (p->parent->message)
		ASSERT(!p->next && p->head == p->parent->body && p->end == p->parent->end);
}

static void check_part(const struct mime_part *p, struct str message)
{
	size_t n = 0;

	check_place(p, message);
	ASSERT(p->type.n > 0 && p->subtype.n > 0 && p->encoding.n > 0);
	ASSERT(p->depth <= MIME_DEPTH_MAX && !(p->multipart && p->message));
	ASSERT(!p->child || (p->child->parent == p && (p->multipart || p->message)));
	for (const struct mime_param *m = p->params; m; m = m->next)
		n += m->name.n > 0;
	ASSERT(n <= MIME_PARAMS_MAX + 1);
}

/* The way to a part by its numbers, as IMAP counts them, leads to it. */
static void check_number(const struct mime_part *root, const struct mime_part *part)
{
	uint32_t numbers[MIME_DEPTH_MAX + 2];
	size_t n = 0;

	for (const struct mime_part *p = part; p; p = p->parent) {
		bool within = p->parent && p->parent->multipart;
		if (!within && p->multipart)
			continue; /* a message's multipart has no number of its own */
		uint32_t k = 1;
		for (const struct mime_part *q = within ? p->parent->child : p; q != p; q = q->next)
			k++;
		ASSERT(n < COUNT(numbers));
		numbers[n++] = k;
	}
	for (size_t i = 0; i < n / 2; i++) {
		uint32_t swap = numbers[i];
		numbers[i] = numbers[n - 1 - i];
		numbers[n - 1 - i] = swap;
	}
	bool named = !part->multipart || !part->parent || part->parent->multipart;
	ASSERT(!named || mime_part(root, numbers, n) == part);
}

static void check_tree(const struct mime_part *root, struct str message)
{
	const struct mime_part *p = root;
	size_t n = 0;

	while (p) {
		check_part(p, message);
		if (n < 100)
			check_number(root, p);
		ASSERT(++n <= MIME_PARTS_MAX);
		if (p->child) {
			p = p->child;
			continue;
		}
		while (p && !p->next)
			p = p->parent;
		p = p ? p->next : NULL;
	}
}

static struct str take_literal(struct str s)
{
	struct str number = str_cut(&s, '}');
	uint64_t n;

	ASSERT(str_u64(number, SIZE_MAX, &n) && str_starts(s, STR("\r\n")) && s.n - 2 >= n);
	return str_skip(s, 2 + n);
}

static struct str take_quoted(struct str s)
{
	size_t n = 0;

	for (; s.n > 0 && s.p[0] != '"'; s = str_skip(s, 1), n++) {
		if (s.p[0] == '\\') {
			s = str_skip(s, 1);
			ASSERT(s.n > 0 && (s.p[0] == '"' || s.p[0] == '\\'));
		}
		ASSERT(s.p[0] >= ' ' && s.p[0] <= '~' && n < 1000);
	}
	ASSERT(s.n > 0);
	return str_skip(s, 1);
}

static struct str take_atom(struct str s)
{
	size_t n = 0;

	if (str_eat_word(&s, STR("NIL")))
		return s;
	while (n < s.n && ascii_digit(s.p[n]))
		n++;
	ASSERT(n > 0);
	return str_skip(s, n);
}

/* One list: parentheses in pairs, strings whole, words divided by single blanks. */
static void check_text(struct str s)
{
	size_t open = 0;

	ASSERT(s.n > 0 && s.n <= IMAP_TEXT_MAX && str_find(s, '\0') < 0);
	do {
		if (str_eat(&s, '(')) {
			open++;
			continue;
		}
		if (str_eat(&s, ')'))
			ASSERT(open-- > 0);
		else if (str_eat(&s, '{'))
			s = take_literal(s);
		else
			s = str_eat(&s, '"') ? take_quoted(s) : take_atom(s);
		bool blank = str_eat(&s, ' ');
		ASSERT(s.n == 0 || blank || s.p[0] == '(' || s.p[0] == ')');
		ASSERT(!blank || (s.n > 0 && s.p[0] != ')'));
	} while (open > 0);
	ASSERT(s.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf out = { 0 };
	struct str message = str_of(data, size);
	const struct mime_part *root = mime_parse(message, &arena);

	check_tree(root, message);
	ASSERT(root->head == 0 && root->end == size);
	imap_structure(message, root, false, &out);
	check_text(buf_str(&out));
	buf_reset(&out);
	imap_structure(message, root, true, &out);
	check_text(buf_str(&out));
	buf_reset(&out);
	imap_envelope(message, &out);
	check_text(buf_str(&out));
	return 0;
}
