#include "mail/alias_list.h"

enum { SHOWN_MAX = 80 };

static const struct str include = { ":include:", 9 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct str trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Up to the next comma or line end outside quotes. */
static struct str take(struct alias_list *list, bool *whole)
{
	struct str rest = list->rest;
	bool quoted = false;
	size_t n = 0;

	for (; n < rest.n && rest.p[n] != '\n' && (quoted || rest.p[n] != ','); n++)
		if (rest.p[n] == '"')
			quoted = !quoted;
		else if (rest.p[n] == '\\' && n + 1 < rest.n && rest.p[n + 1] != '\n')
			n++;
	list->inside = n < rest.n && rest.p[n] == ',';
	list->rest = str_skip(rest, n + 1);
	*whole = !quoted;
	return trim(str_head(rest, n));
}

static bool is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

/* The item is one quoted string from end to end. */
static bool is_quoted(struct str s)
{
	if (s.n < 2 || s.p[0] != '"')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i == s.n - 1;
	return false;
}

static void unquote(struct str s, struct buf *out)
{
	for (size_t i = 1; i + 1 < s.n; i++) {
		if (s.p[i] == '\\' && i + 2 < s.n)
			i++;
		buf_addc(out, s.p[i]);
	}
}

static struct str outside_quotes(struct str s, char c)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (s.p[i] == '\\')
			i++;
		else if (!quoted && s.p[i] == c)
			return str_skip(s, i);
	return (struct str){ 0 };
}

/* "Anna <a@b>" and "a@b (Anna)", as people write them into lists. */
static struct str bare_address(struct str s)
{
	struct str angle = outside_quotes(s, '<');

	if (angle.n >= 2 && angle.p[angle.n - 1] == '>')
		return trim(str_of(angle.p + 1, angle.n - 2));
	struct str comment = outside_quotes(s, '(');
	if (comment.n >= 2 && comment.p[comment.n - 1] == ')' && comment.n < s.n)
		return trim(str_head(s, s.n - comment.n));
	return s;
}

/* "|cmd a" and |"cmd a" */
static enum alias_kind take_command(struct str rest, struct buf *out)
{
	buf_addc(out, '|');
	if (is_quoted(rest))
		unquote(rest, out);
	else
		buf_add(out, rest);
	return out->n > 1 ? ALIAS_COMMAND : ALIAS_BAD;
}

static enum alias_kind take_include(struct str path, struct buf *out)
{
	buf_add(out, include);
	buf_add(out, path);
	return path.n > 0 && path.p[0] == '/' ? ALIAS_INCLUDE : ALIAS_BAD;
}

/* A quoted local part keeps its quotes. */
static enum alias_kind take_address(struct str raw, struct buf *out)
{
	bool mailbox = str_eat(&raw, '\\');

	buf_add(out, mailbox ? trim(raw) : bare_address(raw));
	return out->n == 0 ? ALIAS_BAD : mailbox ? ALIAS_MAILBOX : ALIAS_ADDRESS;
}

static enum alias_kind classify(struct str raw, struct buf *out)
{
	scoped_buf struct buf text = { 0 };
	struct str bare = raw;

	if (is_quoted(raw)) {
		unquote(raw, &text);
		bare = trim(buf_str(&text));
	}
	if (str_starts(bare, STR("|")))
		return take_command(trim(str_skip(bare, 1)), out);
	if (str_istarts(bare, include))
		return take_include(trim(str_skip(bare, include.n)), out);
	if (!str_starts(bare, STR("/")))
		return take_address(raw, out);
	buf_add(out, bare);
	return ALIAS_FILE;
}

static void show_bad(struct alias_list *list, struct str raw, struct alias_item *out)
{
	buf_reset(&list->item);
	for (size_t i = 0; i < raw.n && i < SHOWN_MAX; i++)
		buf_addc(&list->item, raw.p[i] >= 0x20 && raw.p[i] < 0x7f ? raw.p[i] : '?');
	*out = (struct alias_item){ ALIAS_BAD, buf_str(&list->item) };
}

static void take_item(struct alias_list *list, struct str raw, bool whole, struct alias_item *out)
{
	bool fine = whole && raw.n <= ALIAS_ITEM_MAX && is_clean(raw);

	buf_reset(&list->item);
	out->kind = fine ? classify(raw, &list->item) : ALIAS_BAD;
	out->text = buf_str(&list->item);
	if (out->kind == ALIAS_BAD)
		show_bad(list, raw, out);
}

bool alias_list_next(struct alias_list *list, struct alias_item *out)
{
	while (list->rest.n > 0) {
		bool whole;
		if (list->file && !list->inside && list->rest.p[0] == '#') {
			str_cut(&list->rest, '\n');
			continue;
		}
		struct str raw = take(list, &whole);
		if (raw.n == 0)
			continue;
		take_item(list, raw, whole, out);
		return true;
	}
	return false;
}
