#include "conf/file.h"

#include <stdio.h>
#include <stdlib.h>

static void tell(const struct conf_report *report, bool fatal, const char *file, size_t line, const char *text)
{
	report->tell(report->arg, fatal, file, line, text);
}

bool conf_next_line(struct str *text, size_t *line_number, struct buf *line, size_t *begins_at)
{
	buf_reset(line);
	line->limit = CONF_LINE_MAX;
	while (text->n > 0) {
		struct str rest = *text;
		struct str raw = str_cut(&rest, '\n');
		struct str bare = str_trim(raw.n && raw.p[raw.n - 1] == '\r' ? str_head(raw, raw.n - 1) : raw);
		bool continues = raw.n > 0 && (raw.p[0] == ' ' || raw.p[0] == '\t');

		if (bare.n > 0 && bare.p[0] != '#' && line->n > 0 && !continues)
			return true; /* the next logical line: left for the next call */
		*text = rest;
		++*line_number;
		if (bare.n == 0 || bare.p[0] == '#')
			continue;
		if (line->n == 0)
			*begins_at = *line_number;
		if (line->n > 0 && !buf_addc(line, ' '))
			continue;
		buf_add(line, bare);
	}
	return line->n > 0;
}

static bool name_char(char c)
{
	return ascii_alnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
}

static bool valid_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!name_char(name.p[i]))
			return false;
	return name.n > 0;
}

bool conf_read_main(struct str text, const char *file, struct arena *arena, const struct conf_report *report,
		    struct conf_assignment **out)
{
	scoped_buf struct buf line = { 0 };
	size_t number = 0, begin = 0;
	bool ok = true;

	*out = NULL;
	while (conf_next_line(&text, &number, &line, &begin)) {
		struct str rest = buf_str(&line);
		bool assigns = str_find(rest, '=') >= 0;
		struct str name = str_trim(str_cut(&rest, '='));
		if (!assigns || !valid_name(name) || number > CONF_LINES_MAX) {
			tell(report, true, file, begin, "not a parameter: write name = value");
			ok = false;
			continue;
		}
		struct conf_assignment *a = arena_alloc(arena, sizeof(*a));
		*a = (struct conf_assignment){ .name = arena_str(arena, name),
					       .value = arena_str(arena, str_trim(rest)),
					       .line = begin };
		*out = a;
		out = &a->next;
	}
	return ok;
}

/* The next word of a master.cf line; { ... } holds blanks together, the braces are taken off. */
static struct str next_word(struct str *rest)
{
	*rest = str_trim(*rest);
	if (rest->n > 0 && rest->p[0] == '{') {
		struct str whole = *rest;
		ptrdiff_t end = str_find(*rest, '}');
		*rest = str_skip(*rest, end < 0 ? rest->n : (size_t)end + 1);
		return str_trim(str_skip(str_head(whole, end < 0 ? whole.n : (size_t)end), 1));
	}
	size_t n = 0;
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	struct str word = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	return word;
}

static bool read_options(struct str rest, struct conf_service *s, struct arena *arena, const char **why)
{
	struct conf_assignment **end = &s->options;

	for (struct str word; (word = next_word(&rest)).n > 0;) {
		if (!str_eat_word(&word, STR("-o"))) {
			*why = "only options of the form -o name=value may follow the command";
			return false;
		}
		struct str text = word.n > 0 ? word : next_word(&rest);
		bool assigns = str_find(text, '=') >= 0;
		struct str name = str_trim(str_cut(&text, '='));
		if (!assigns || !valid_name(name)) {
			*why = "-o must be followed by name=value (no blanks, or in braces)";
			return false;
		}
		struct conf_assignment *a = arena_alloc(arena, sizeof(*a));
		*a = (struct conf_assignment){ .name = arena_str(arena, name),
					       .value = arena_str(arena, str_trim(text)),
					       .line = s->line };
		*end = a;
		end = &a->next;
	}
	return true;
}

static bool read_service(struct str rest, struct conf_service *s, struct arena *arena, const char **why)
{
	struct str *columns[] = { &s->name,   &s->type,	   &s->private_, &s->unprivileged,
				  &s->chroot, &s->wakeup, &s->maxproc,	 &s->command };

	for (size_t i = 0; i < COUNT(columns); i++) {
		*columns[i] = arena_str(arena, next_word(&rest));
		if (columns[i]->n == 0) {
			*why = "a service needs eight columns: name type private unpriv chroot wakeup maxproc command";
			return false;
		}
	}
	if (!str_eq(s->type, STR("inet")) && !str_eq(s->type, STR("unix"))) {
		*why = "the type of a service is inet or unix";
		return false;
	}
	return read_options(rest, s, arena, why);
}

bool conf_read_master(struct str text, const char *file, struct arena *arena, const struct conf_report *report,
		      struct conf_service **out)
{
	scoped_buf struct buf line = { 0 };
	size_t number = 0, begin = 0;
	bool ok = true;

	*out = NULL;
	while (conf_next_line(&text, &number, &line, &begin)) {
		struct conf_service *s = arena_alloc(arena, sizeof(*s));
		const char *why = NULL;
		*s = (struct conf_service){ .line = begin };
		if (!read_service(buf_str(&line), s, arena, &why)) {
			tell(report, true, file, begin, why);
			ok = false;
			continue;
		}
		*out = s;
		out = &s->next;
	}
	return ok;
}

struct expansion {
	bool (*find)(void *arg, struct str name, struct str *value);
	void *arg;
	struct buf *out;
	struct err *err;
	size_t steps; /* names replaced: nested empty ones would cost time without output */
};

static bool expand(struct expansion *x, struct str value, size_t depth);

/* `inner` is what stood in the braces: name, name?text or name:text. */
static bool expand_braced(struct expansion *x, struct str inner, size_t depth)
{
	size_t n = 0;
	struct str value;

	while (n < inner.n && name_char(inner.p[n]) && inner.p[n] != '/')
		n++;
	struct str name = str_head(inner, n), rest = str_skip(inner, n);
	if (rest.n == 0)
		return x->find(x->arg, name, &value) ? expand(x, value, depth + 1)
						     : err_set(x->err, "$%.*s: no such parameter", STR_ARG(name));
	if (rest.p[0] != '?' && rest.p[0] != ':')
		return err_set(x->err, "'${%.*s}' is not understood", STR_ARG(inner));
	bool filled = x->find(x->arg, name, &value) && value.n > 0;
	if (filled != (rest.p[0] == '?'))
		return true;
	return expand(x, str_skip(rest, 1), depth + 1);
}

/* From behind an opening brace to its own closing one. */
static bool take_braced(struct str *value, char open, char close, struct str *inner)
{
	size_t depth = 1;

	for (size_t i = 0; i < value->n; i++) {
		if (value->p[i] == open)
			depth++;
		if (value->p[i] == close && --depth == 0) {
			*inner = str_head(*value, i);
			*value = str_skip(*value, i + 1);
			return true;
		}
	}
	return false;
}

static bool expand_dollar(struct expansion *x, struct str *value, size_t depth)
{
	struct str inner;
	size_t n = 0;

	if (str_eat(value, '$'))
		return buf_addc(x->out, '$');
	if (value->n > 0 && (value->p[0] == '{' || value->p[0] == '(')) {
		char open = value->p[0];
		*value = str_skip(*value, 1);
		if (!take_braced(value, open, open == '{' ? '}' : ')', &inner))
			return err_set(x->err, "a '$%c' is not closed", open);
		return expand_braced(x, inner, depth);
	}
	while (n < value->n && (ascii_alnum(value->p[n]) || value->p[n] == '_'))
		n++;
	if (n == 0)
		return err_set(x->err, "a '$' without a name; write $$ for a dollar sign");
	inner = str_head(*value, n);
	*value = str_skip(*value, n);
	return expand_braced(x, inner, depth);
}

static bool expand(struct expansion *x, struct str value, size_t depth)
{
	if (depth > CONF_DEPTH_MAX || ++x->steps > CONF_STEPS_MAX)
		return err_set(x->err, "$names refer to each other without end");
	for (;;) {
		ptrdiff_t dollar = str_find(value, '$');
		if (!buf_add(x->out, dollar < 0 ? value : str_head(value, (size_t)dollar)))
			return err_set(x->err, "too long when its $names are replaced");
		if (dollar < 0)
			return true;
		value = str_skip(value, (size_t)dollar + 1);
		if (!expand_dollar(x, &value, depth))
			return false;
	}
}

bool conf_expand(struct str value, bool (*find)(void *arg, struct str name, struct str *value), void *arg,
		 struct buf *out, struct err *err)
{
	struct expansion x = { find, arg, out, err, 0 };

	out->limit = CONF_LINE_MAX;
	return expand(&x, value, 0);
}

enum { NAME_MOST = 80 };

static size_t least3(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

size_t conf_distance(struct str a, struct str b)
{
	size_t rows[3][NAME_MOST + 1] = { 0 };

	if (a.n > NAME_MOST || b.n > NAME_MOST)
		return NAME_MOST;
	for (size_t k = 0; k <= b.n; k++)
		rows[0][k] = k;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *row = rows[i % 3], *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t k = 1; k <= b.n; k++) {
			bool same = a.p[i - 1] == b.p[k - 1];
			row[k] = least3(up[k] + 1, row[k - 1] + 1, up[k - 1] + !same);
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1] &&
			    up2[k - 2] + 1 < row[k])
				row[k] = up2[k - 2] + 1;
		}
	}
	return rows[a.n % 3][b.n];
}
