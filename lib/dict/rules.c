#include "dict/rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "dict/text.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* "if" and "endif" stand alone or before a pattern, which no letter or digit begins. */
static bool eat_keyword(struct str *line, struct str word)
{
	struct str rest = *line;

	if (!str_eat_word(&rest, word) || (rest.n > 0 && ascii_alnum(rest.p[0])))
		return false;
	*line = str_trim(rest);
	return true;
}

static struct rule *add_rule(struct rules *rules)
{
	if (rules->n == rules->room) {
		rules->room = rules->room ? rules->room * 2 : 16;
		rules->list = realloc(rules->list, rules->room * sizeof(*rules->list));
		ASSERT(rules->list);
	}
	struct rule *r = &rules->list[rules->n++];
	*r = (struct rule){ .next = rules->n };
	return r;
}

static void drop_rule(struct rules *rules)
{
	pcre2_code_free(rules->list[--rules->n].code);
}

/* Pattern and value of a row, or the pattern of an "if". NULL, or why not. */
static const char *take_rule(const struct rules_kind *kind, struct str line, struct content *c, struct rule *r)
{
	const char *why;

	for (; str_eat(&line, '!'); line = str_trim(line))
		r->negated = !r->negated;
	struct str whole = line;
	if ((why = kind->take(&line, r)))
		return why;
	if (line.n > 0 && !is_blank(line.p[0]))
		return "no blank stands behind its pattern";
	r->text = arena_str(&c->arena, str_of(whole.p, whole.n - line.n));
	line = str_trim(line);
	if (r->is_if)
		return NULL;
	if (line.n == 0)
		return "has no value behind its pattern";
	r->value = arena_str(&c->arena, line);
	return kind->value ? kind->value(r, r->value) : NULL;
}

struct reader {
	struct rules *rules;
	struct content *c;
	size_t open[RULES_DEPTH_MAX]; /* indices of "if" without endif yet */
	size_t depth;
};

static void close_if(struct reader *in, size_t line)
{
	if (in->depth == 0)
		content_warn(in->c, line, "endif without if");
	else
		in->rules->list[in->open[--in->depth]].next = in->rules->n;
}

/* False: if in if too deep. */
static bool read_if(struct reader *in, struct str line, size_t number)
{
	struct rule *r = add_rule(in->rules);

	if (in->depth == RULES_DEPTH_MAX)
		return false;
	in->open[in->depth++] = in->rules->n - 1;
	r->is_if = true;
	r->line = number;
	const char *why = take_rule(in->rules->kind, line, in->c, r);
	if (!why)
		return true;
	content_warn(in->c, number, why);
	r->never = true;
	return true;
}

static void read_row(struct reader *in, struct str line, size_t number)
{
	struct rule *r = add_rule(in->rules);

	r->line = number;
	const char *why = take_rule(in->rules->kind, line, in->c, r);
	if (!why)
		return;
	content_warn(in->c, number, why);
	drop_rule(in->rules);
}

static bool read_line(struct reader *in, const struct text_row *row, struct err *err)
{
	struct str line = row->value;

	if (row->bad || memchr(line.p, '\0', line.n)) {
		content_warn(in->c, row->line, row->bad ? row->bad : "holds a NUL");
		return true;
	}
	if (eat_keyword(&line, STR("endif")))
		close_if(in, row->line);
	else if (!eat_keyword(&line, STR("if")))
		read_row(in, line, row->line);
	else if (!read_if(in, line, row->line))
		return err_set(err, "line %zu: more than %d ifs in ifs", row->line, RULES_DEPTH_MAX);
	return in->rules->n <= in->rules->kind->most ||
	       err_set(err, "line %zu: more than %zu rules", row->line, in->rules->kind->most);
}

bool rules_read(const struct rules_kind *kind, struct str text, struct content *c, struct err *err)
{
	scoped_text struct text t = { .rest = text };
	struct reader in = { .rules = calloc(1, sizeof(*in.rules)), .c = c };
	struct text_row row;

	ASSERT(in.rules);
	in.rules->kind = kind;
	c->rules = in.rules;
	while (text_line(&t, &row))
		if (!read_line(&in, &row, err))
			return false;
	while (in.depth > 0) {
		content_warn(c, in.rules->list[in.open[in.depth - 1]].line, "if without endif");
		close_if(&in, 0);
	}
	return true;
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	while (rules->n > 0)
		drop_rule(rules);
	pcre2_match_data_free(rules->match);
	pcre2_match_context_free(rules->limits);
	free(rules->list);
	free(rules);
}

enum dict_result rules_get(const struct rules *rules, const struct rules_key *key, struct buf *value, struct err *err)
{
	for (size_t i = 0; i < rules->n;) {
		const struct rule *r = &rules->list[i];
		int fits = r->never ? 0 : rules->kind->fits(rules, r, key, err);
		if (fits < 0)
			return DICT_ERROR;
		bool yes = !r->never && (fits > 0) != r->negated;
		if (yes && !r->is_if)
			return rules->kind->give(rules, r, key, value, err);
		i = yes ? i + 1 : r->next;
	}
	return DICT_MISSING;
}

bool rules_each(const struct content *c, bool (*row)(void *arg, struct str key, struct str value), void *arg,
		struct err *err)
{
	scoped_buf struct buf key = { 0 };

	(void)err;
	for (size_t i = 0; i < c->rules->n; i++) {
		const struct rule *r = &c->rules->list[i];
		buf_reset(&key);
		buf_addf(&key, "%s%.*s", r->negated ? "!" : "", STR_ARG(r->text));
		if (!r->is_if && !row(arg, buf_str(&key), r->value))
			return false;
	}
	return true;
}
