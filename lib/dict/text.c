#include "dict/text.h"

#include "base/utf8.h"
#include "dict/dict.h"

const char *text_refused(struct str text)
{
	if (text.n > DICT_TEXT_MAX)
		return "larger than 64 MiB: compile it with postmap and use lmdb:";
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		return "its last line does not end: half-written?";
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A physical line without its end; false at the end of the text. */
static bool peek_line(const struct text *t, struct str *rest, struct str *raw)
{
	*rest = t->rest;
	*raw = str_cut(rest, '\n');
	if (raw->n > 0 && raw->p[raw->n - 1] == '\r')
		raw->n--;
	return t->rest.n > 0;
}

/* Gathers a logical line into t->line. Comments and empty lines may stand inside it, as in Postfix. */
static bool next_line(struct text *t, struct text_row *row)
{
	struct str rest, raw;
	bool begun = false;

	buf_reset(&t->line);
	t->line.limit = DICT_LINE_MAX;
	while (peek_line(t, &rest, &raw)) {
		struct str bare = str_trim(raw);
		bool row_text = bare.n > 0 && bare.p[0] != '#';
		if (row_text && begun && !is_blank(raw.p[0]))
			break;
		t->rest = rest;
		t->number++;
		if (!row_text)
			continue;
		if (!begun) {
			row->line = t->number;
			row->bad = is_blank(raw.p[0]) ? "begins with a blank but continues no line" : NULL;
		}
		begun = true;
		if (!buf_add(&t->line, raw))
			row->bad = "longer than 64 KiB";
	}
	return begun;
}

/* Blanks inside quotes belong to the key: "john smith"@example.com. */
static size_t key_length(struct str line)
{
	bool quoted = false;
	size_t n = 0;

	for (; n < line.n && (quoted || !is_blank(line.p[n])); n++)
		if (line.p[n] == '"')
			quoted = !quoted;
		else if (line.p[n] == '\\' && n + 1 < line.n)
			n++;
	return n;
}

static const char *split(struct buf *line, struct text_row *row)
{
	struct str whole = str_trim(buf_str(line));
	size_t n = key_length(whole);
	struct str value = str_trim(str_skip(whole, n));

	/* aliases(5): "name: value" and "name : value"; a value such as :include: has no blank behind its colon */
	if (n > 1 && whole.p[n - 1] == ':')
		n--;
	else if (value.n > 1 && value.p[0] == ':' && is_blank(value.p[1]))
		value = str_trim(str_skip(value, 1));
	row->key = str_head(whole, n);
	row->value = value;
	if (value.n == 0)
		return "has no value: write key, blank, value";
	if (memchr(whole.p, '\0', whole.n) || !utf8_valid(whole))
		return "is not UTF-8 text";
	for (char *p = line->p; p < whole.p + n; p++)
		*p = ascii_lower(*p);
	return NULL;
}

bool text_line(struct text *t, struct text_row *row)
{
	*row = (struct text_row){ 0 };
	if (!next_line(t, row))
		return false;
	row->value = str_trim(buf_str(&t->line));
	return true;
}

bool text_next(struct text *t, struct text_row *row)
{
	if (!text_line(t, row))
		return false;
	if (!row->bad)
		row->bad = split(&t->line, row);
	return true;
}
