#include "mail/address_list.h"

#include "mail/inner.h"

/* A stretch of the field up to one of some characters that stand in no quoted string, comment or domain literal. */
struct stretch {
	struct str text;
	size_t at;	    /* the last '@' in it; text.n: there is none */
	struct str comment; /* the last one, with its parentheses */
};

/* Length of the domain literal at the beginning of `s`, 1 when there is none. */
static size_t literal_length(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == ']')
			return i + 1;
		if (lex_is_blank(s.p[i]) || strchr("[,;<>\"(@\\", s.p[i]))
			return 1;
	}
	return 1;
}

/*
 * Length of what is taken as one. A quote that is never closed is a character like others: it would take the
 * addresses behind it, and the next one is not closed either, so that this looks to the end only once.
 */
static size_t item_length(struct str s, bool after_at)
{
	bool closed;
	size_t n;

	switch (s.p[0]) {
	case '"': n = lex_quoted(s, &closed); return closed ? n : 1;
	case '(': return lex_comment(s);
	case '[': return after_at ? literal_length(s) : 1;
	case '\\': return s.n > 1 ? 2 : 1;
	default: return 1;
	}
}

static struct stretch take_stretch(struct str *s, const char *ends)
{
	struct stretch r = { .at = SIZE_MAX };
	size_t n = 0;

	while (n < s->n && (s->p[n] == '\0' || !strchr(ends, s->p[n]))) {
		struct str rest = str_skip(*s, n);
		size_t k = item_length(rest, r.at != SIZE_MAX && r.at + 1 == n);
		if (rest.p[0] == '@')
			r.at = n;
		else if (rest.p[0] == '(')
			r.comment = str_head(rest, k);
		n += k;
	}
	r.text = str_head(*s, n);
	if (r.at > n)
		r.at = n;
	*s = str_skip(*s, n);
	return r;
}

enum join {
	JOIN_NAME,   /* one blank between words */
	JOIN_LOCAL,  /* the same, but none at a dot; blanks in quotes stay */
	JOIN_DOMAIN, /* no blanks */
};

struct joiner {
	enum join how;
	char *p;
	size_t n;
	bool gap;
};

static void join_char(struct joiner *j, char c)
{
	if (lex_is_blank(c)) {
		j->gap = true;
		return;
	}
	bool at_dot = j->how == JOIN_LOCAL && (c == '.' || (j->n > 0 && j->p[j->n - 1] == '.'));
	if (j->gap && j->n > 0 && j->how != JOIN_DOMAIN && !at_dot)
		j->p[j->n++] = ' ';
	j->gap = false;
	j->p[j->n++] = c;
}

/* What stands in quotes or in a comment: pairs undone. */
static void join_inner(struct joiner *j, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (j->how == JOIN_LOCAL && (s.p[i] == ' ' || s.p[i] == '\t'))
			j->p[j->n++] = s.p[i];
		else
			join_char(j, s.p[i]);
	}
}

static void join_item(struct joiner *j, struct str item)
{
	if (item.p[0] == '(')
		j->gap = true;
	else if (item.p[0] == '"' && item.n > 1)
		join_inner(j, str_of(item.p + 1, item.n - 2));
	else
		join_char(j, item.p[item.n - 1]);
}

static bool is_joined(struct str s, enum join how)
{
	for (size_t i = 0; i < s.n; i++) {
		bool single = s.p[i] == ' ' && how == JOIN_NAME && s.p[i + 1] != ' ';
		if (s.p[i] == '"' || s.p[i] == '(' || s.p[i] == '\\' || (lex_is_blank(s.p[i]) && !single))
			return false;
	}
	return true;
}

static struct str join(struct str s, enum join how, struct arena *a)
{
	s = lex_trim(s);
	if (is_joined(s, how))
		return s;
	struct joiner j = { .how = how, .p = arena_try(a, s.n) };
	while (j.p && s.n > 0) {
		size_t n = item_length(s, false);
		join_item(&j, str_head(s, n));
		s = str_skip(s, n);
	}
	return str_of(j.p, j.n);
}

/* The text of a comment, which is a name in the old style "a@b (name)". */
static struct str comment_text(struct str comment, struct arena *a)
{
	struct joiner j = { .how = JOIN_NAME };

	if (comment.n < 2 || !(j.p = arena_try(a, comment.n)))
		return (struct str){ 0 };
	join_inner(&j, str_of(comment.p + 1, comment.n - 1 - str_ends(comment, STR(")"))));
	return str_of(j.p, j.n);
}

static void set_spec(struct address *out, const struct stretch *spec, struct arena *a)
{
	out->mailbox = join(str_head(spec->text, spec->at), JOIN_LOCAL, a);
	out->host = join(str_skip(spec->text, spec->at + 1), JOIN_DOMAIN, a);
}

/* "@a,@b:" at the beginning of what stands in angle brackets. */
static struct str take_route(struct str *s, struct arena *a)
{
	struct str rest = *s;

	if (rest.n == 0 || rest.p[0] != '@')
		return (struct str){ 0 };
	struct stretch route = take_stretch(&rest, ":<>;");
	if (!str_eat(&rest, ':'))
		return (struct str){ 0 };
	*s = rest;
	return join(route.text, JOIN_DOMAIN, a);
}

/* `s` begins with '<'. */
static void take_angle(struct address_iter *it, struct address *out, struct str comment)
{
	while (it->rest.n > 0 && (it->rest.p[0] == '<' || lex_is_blank(it->rest.p[0])))
		it->rest = str_skip(it->rest, 1);
	out->route = take_route(&it->rest, it->arena);
	struct stretch spec = take_stretch(&it->rest, "<>,;");
	set_spec(out, &spec, it->arena);
	if (it->rest.n > 0 && (it->rest.p[0] == '>' || it->rest.p[0] == '<')) {
		struct stretch tail = take_stretch(&it->rest, ",;");
		if (tail.comment.n > 0)
			comment = tail.comment;
	}
	if (out->name.n == 0)
		out->name = comment_text(comment, it->arena);
}

/* `before`: a comment that stood before it. */
static void take_address(struct address_iter *it, struct str before, struct address *out)
{
	struct str begin = it->rest;
	struct stretch s = take_stretch(&it->rest, it->in_group ? "<,;" : "<,;:");

	if (it->rest.n > 0 && it->rest.p[0] == ':' && s.at < s.text.n) {
		it->rest = begin; /* no group has an address for a name */
		s = take_stretch(&it->rest, "<,;");
	}
	if (s.comment.n == 0)
		s.comment = before;
	if (str_eat(&it->rest, ':')) {
		out->kind = ADDRESS_GROUP;
		out->name = join(s.text, JOIN_NAME, it->arena);
		it->in_group = true;
		return;
	}
	if (it->rest.n > 0 && it->rest.p[0] == '<') {
		out->name = join(s.text, JOIN_NAME, it->arena);
		take_angle(it, out, s.comment);
		return;
	}
	if (s.at == s.text.n)
		out->name = join(s.text, JOIN_NAME, it->arena);
	if (str_find(out->name, ' ') >= 0)
		return; /* more likely a name that has lost its address */
	set_spec(out, &s, it->arena);
	out->name = comment_text(s.comment, it->arena);
}

bool address_next(struct address_iter *it, struct address *out)
{
	struct str comment = { 0 };

	*out = (struct address){ .kind = ADDRESS_MAILBOX };
	while (it->rest.n > 0) {
		char c = it->rest.p[0];
		if (c == ';' && it->in_group)
			break;
		if (c != ';' && c != ',' && c != '(' && !lex_is_blank(c)) {
			take_address(it, comment, out);
			return true;
		}
		size_t n = c == '(' ? lex_comment(it->rest) : 1;
		if (!lex_is_blank(c))
			comment = str_head(it->rest, c == '(' ? n : 0);
		it->rest = str_skip(it->rest, n);
	}
	if (!it->in_group)
		return false;
	it->in_group = false;
	it->rest = str_skip(it->rest, 1);
	out->kind = ADDRESS_GROUP_END;
	return true;
}
