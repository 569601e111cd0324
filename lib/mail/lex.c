#include "mail/inner.h"

size_t lex_quoted(struct str s, bool *closed)
{
	*closed = false;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"') {
			*closed = true;
			return i + 1;
		}
		if (s.p[i] == '\\')
			i++;
	}
	return s.n;
}

size_t lex_comment(struct str s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

void lex_skip(struct str *s)
{
	while (s->n > 0 && (lex_is_blank(s->p[0]) || s->p[0] == '('))
		*s = str_skip(*s, s->p[0] == '(' ? lex_comment(*s) : 1);
}

static bool is_token(char c)
{
	return (uint8_t)c > ' ' && c != 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

struct str lex_token(struct str *s)
{
	size_t n = 0;

	while (n < s->n && is_token(s->p[n]))
		n++;
	struct str token = str_head(*s, n);
	*s = str_skip(*s, n);
	return token;
}

struct str lex_trim(struct str s)
{
	while (s.n > 0 && lex_is_blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && lex_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static bool is_plain(struct str s, bool pairs)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_line_end(s.p[i]) || (pairs && s.p[i] == '\\'))
			return false;
	return true;
}

struct str lex_plain(struct str s, bool pairs, struct arena *a)
{
	if (is_plain(s, pairs))
		return s;
	char *p = arena_try(a, s.n);
	size_t n = 0;
	if (!p)
		return (struct str){ 0 };
	for (size_t i = 0; i < s.n; i++) {
		if (pairs && s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (!is_line_end(s.p[i]))
			p[n++] = s.p[i];
	}
	return str_of(p, n);
}
