#include "recipients.h"

#include "base/err.h"

enum { COMMENTS_DEEP = 100 };

/* Passes a comment; *at stands on its '('. */
static bool skip_comment(struct str s, size_t *at)
{
	size_t depth = 0;

	for (; *at < s.n; ++*at) {
		char c = s.p[*at];
		if (c == '\\')
			++*at;
		else if (c == '(' && ++depth > COMMENTS_DEEP)
			return false;
		else if (c == ')' && --depth == 0)
			return true;
	}
	return false;
}

/* Copies a quoted string with its quotes; *at stands on the first one. */
static bool take_quoted(struct str s, size_t *at, struct buf *out)
{
	buf_addc(out, s.p[*at]);
	for (++*at; *at < s.n; ++*at) {
		char c = s.p[*at];
		buf_addc(out, c);
		if (c == '\\' && *at + 1 < s.n)
			buf_addc(out, s.p[++*at]);
		else if (c == '"')
			return true;
	}
	return false;
}

struct walk {
	struct buf word; /* what stands outside of brackets */
	struct buf angle;
	bool in_angle, has_angle;
	void (*found)(void *arg, struct str address);
	void *arg;
};

static void finish(struct walk *w)
{
	struct str address = str_trim(buf_str(w->has_angle ? &w->angle : &w->word));

	if (address.n > 0)
		w->found(w->arg, address);
	buf_reset(&w->word);
	buf_reset(&w->angle);
	w->has_angle = w->in_angle = false;
}

static bool step(struct walk *w, struct str s, size_t *at)
{
	struct buf *to = w->in_angle ? &w->angle : &w->word;
	char c = s.p[*at];

	switch (c) {
	case '(': return skip_comment(s, at);
	case '"': return take_quoted(s, at, to);
	case '<':
		if (w->has_angle)
			return false;
		w->in_angle = w->has_angle = true;
		return true;
	case '>':
		if (!w->in_angle)
			return false;
		w->in_angle = false;
		return true;
	case ':': /* a group's name; in brackets, a source route or part of a literal */
		if (w->in_angle || str_find(buf_str(&w->word), '[') >= 0)
			buf_addc(to, c);
		else
			buf_reset(&w->word);
		return true;
	case ',':
	case ';':
		if (w->in_angle)
			buf_addc(to, c);
		else
			finish(w);
		return true;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		/* blanks count only between the words of a display name, which is thrown away */
		if (!w->in_angle && w->word.n > 0 && w->word.p[w->word.n - 1] != ' ')
			buf_addc(to, ' ');
		return true;
	default: return buf_addc(to, c);
	}
}

bool recipients_parse(struct str list, void (*found)(void *arg, struct str address), void *arg)
{
	struct walk w = { .found = found, .arg = arg };
	bool ok = true;

	for (size_t at = 0; ok && at < list.n; at++)
		ok = step(&w, list, &at);
	if (ok && !w.in_angle)
		finish(&w);
	ok = ok && !w.in_angle;
	buf_free(&w.word);
	buf_free(&w.angle);
	return ok;
}
