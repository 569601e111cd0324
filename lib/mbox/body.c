#include "mbox/texts.h"

enum { DEPTH_MAX = 250, FIELDS_BASIC = 7, FIELDS_TEXT = 8, FIELDS_MESSAGE = 10 };

/* The length of the string, literal, NIL or number at the beginning; 0: there is none. */
static size_t atom_length(struct str s)
{
	uint64_t n;

	if (s.n && s.p[0] == '"') {
		size_t i = 1;
		while (i < s.n && s.p[i] != '"')
			i += s.p[i] == '\\' ? 2 : 1;
		return i < s.n ? i + 1 : 0;
	}
	if (s.n && s.p[0] == '{') {
		ptrdiff_t end = str_find(s, '}');
		if (end < 0 || !str_u64(str_skip(str_head(s, (size_t)end), 1), s.n, &n) || (size_t)end + 3 + n > s.n)
			return 0;
		return (size_t)end + 3 + (size_t)n;
	}
	size_t i = 0;
	while (i < s.n && s.p[i] != ' ' && s.p[i] != '(' && s.p[i] != ')')
		i++;
	return i;
}

/* Of an atom or a whole list. */
static size_t item_length(struct str s)
{
	struct str rest = s;
	size_t depth = 0;

	do {
		size_t n = rest.n && (rest.p[0] == '(' || rest.p[0] == ')' || rest.p[0] == ' ') ? 1 : atom_length(rest);
		if (n == 0)
			return 0;
		depth += rest.p[0] == '(';
		if (rest.p[0] == ')' && depth-- == 0)
			return 0;
		rest = str_skip(rest, n);
	} while (depth > 0);
	return s.n - rest.n;
}

bool mbox_is_one_list(struct str text)
{
	return text.n > 0 && text.p[0] == '(' && item_length(text) == text.n;
}

static bool copy_items(struct str *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		size_t length = item_length(*s);
		if (length == 0 || (i > 0 && !buf_addc(out, ' ')))
			return false;
		buf_add(out, str_head(*s, length));
		*s = str_skip(*s, length);
		if (i + 1 < n && !str_eat(s, ' '))
			return false;
	}
	return true;
}

/* To the end of the list, whose '(' has been eaten. */
static bool skip_rest(struct str *s, struct buf *out)
{
	while (s->n > 0 && s->p[0] != ')') {
		size_t n = s->p[0] == ' ' ? 1 : item_length(*s);
		if (n == 0)
			return false;
		*s = str_skip(*s, n);
	}
	buf_addc(out, ')');
	return str_eat(s, ')');
}

static bool convert(struct str *s, unsigned depth, struct buf *out);

static bool convert_multipart(struct str *s, unsigned depth, struct buf *out)
{
	while (s->n > 0 && s->p[0] == '(')
		if (!convert(s, depth + 1, out))
			return false;
	if (!str_eat(s, ' '))
		return false;
	buf_addc(out, ' ');
	return copy_items(s, 1, out);
}

/* The body within is the ninth field, converted in its turn. */
static bool convert_message(struct str *s, unsigned depth, struct buf *out)
{
	if (!copy_items(s, FIELDS_MESSAGE - 2, out) || !str_eat(s, ' '))
		return false;
	buf_addc(out, ' ');
	if (!convert(s, depth + 1, out) || !str_eat(s, ' '))
		return false;
	buf_addc(out, ' ');
	return copy_items(s, 1, out);
}

/* A message/rfc822 has envelope and body behind the seven fields; one that is shown as a leaf has not. */
static bool holds_message(struct str s)
{
	struct str type = str_head(s, atom_length(s));
	scoped_buf struct buf seven = { 0 };

	if (!str_ieq(type, STR("\"message\"")) || !copy_items(&s, FIELDS_BASIC, &seven))
		return false;
	return str_starts(s, STR(" ("));
}

static bool convert(struct str *s, unsigned depth, struct buf *out)
{
	if (depth > DEPTH_MAX || !str_eat(s, '('))
		return false;
	buf_addc(out, '(');
	bool ok;
	if (s->n && s->p[0] == '(')
		ok = convert_multipart(s, depth, out);
	else if (holds_message(*s))
		ok = convert_message(s, depth, out);
	else if (str_ieq(str_head(*s, atom_length(*s)), STR("\"text\"")))
		ok = copy_items(s, FIELDS_TEXT, out);
	else
		ok = copy_items(s, FIELDS_BASIC, out);
	return ok && skip_rest(s, out);
}

bool mbox_body_of(struct str structure, struct buf *out)
{
	size_t before = out->n;

	if (convert(&structure, 0, out) && structure.n == 0)
		return true;
	out->n = before;
	return false;
}
