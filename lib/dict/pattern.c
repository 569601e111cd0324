/* pattern - "/pattern/flags value" in order: pcre_table(5) and regexp_table(5), both by PCRE2, without its JIT. */
#include <stdio.h>

#include "dict/rules.h"

/* Keys come from strangers: a pattern that backtracks without end must not. */
enum { STEPS_MAX = 200000, DEPTH_MAX = 50000, HEAP_KIB = 4096 };

/* ---- $1 in values ---- */

struct piece {
	struct str text;
	uint64_t group; /* 0: it is the text */
};

/* What stands behind a dollar. NULL, or what is wrong. */
static const char *take_group(struct str *rest, struct piece *out)
{
	char close = str_eat(rest, '{') ? '}' : str_eat(rest, '(') ? ')' : 0;
	size_t n = 0;

	while (n < rest->n && ascii_digit(rest->p[n]))
		n++;
	struct str digits = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	if (!str_u64(digits, 99, &out->group) || out->group == 0 || (close && !str_eat(rest, close)))
		return "a $ in its value has no number of a group behind it; write $$ for a dollar";
	return NULL;
}

/* The next piece of a value that is not empty. */
static const char *next_piece(struct str *rest, struct piece *out)
{
	ptrdiff_t dollar = str_find(*rest, '$');
	size_t n = dollar < 0 ? rest->n : (size_t)dollar;

	*out = (struct piece){ 0 };
	if (n == 0 && rest->n > 1 && rest->p[1] == '$') {
		out->text = STR("$");
		*rest = str_skip(*rest, 2);
		return NULL;
	}
	if (n == 0) {
		*rest = str_skip(*rest, 1);
		return take_group(rest, out);
	}
	out->text = str_head(*rest, n);
	*rest = str_skip(*rest, n);
	return NULL;
}

static const char *check_value(const struct rule *r, struct str value)
{
	uint32_t groups = 0;
	struct piece p;

	pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	while (value.n > 0) {
		const char *why = next_piece(&value, &p);
		if (why)
			return why;
		if (p.group > 0 && r->negated)
			return "a pattern with ! fits where it is not found, so it has no groups for its value";
		if (p.group > groups)
			return "its value names a group that its pattern does not have";
	}
	return NULL;
}

/* ---- reading ---- */

/* "/pattern/": any character that is no letter and no digit may stand for the slash. */
static const char *take_delimited(struct str *line, struct str *pattern)
{
	struct str rest = *line;
	size_t n = 1;

	if (rest.n == 0 || ascii_alnum(rest.p[0]) || rest.p[0] == '\\')
		return "does not begin with /pattern/";
	while (n < rest.n && rest.p[n] != rest.p[0])
		n += rest.p[n] == '\\' ? 2 : 1;
	if (n >= rest.n)
		return "its pattern has no end";
	*pattern = str_of(rest.p + 1, n - 1);
	*line = str_skip(rest, n + 1);
	return NULL;
}

struct flag {
	char letter;
	uint32_t toggles;
};

static const char *take_flags(struct str *line, const struct flag flags[], size_t n, uint32_t *options)
{
	for (; line->n > 0 && line->p[0] != ' ' && line->p[0] != '\t'; *line = str_skip(*line, 1)) {
		size_t i = 0;
		while (i < n && flags[i].letter != line->p[0])
			i++;
		if (i == n)
			return "has an unknown flag behind its pattern";
		*options ^= flags[i].toggles;
	}
	return NULL;
}

static const char *compile(struct str pattern, uint32_t options, struct rule *r)
{
	int code;
	size_t at;

	/* by octets: a key that is no UTF-8 would be an error at every match */
	r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options | PCRE2_NEVER_UTF, &code, &at, NULL);
	return r->code ? NULL : "its pattern is no regular expression";
}

static const char *take_pcre(struct str *line, struct rule *r)
{
	static const struct flag flags[] = {
		{ 'i', PCRE2_CASELESS }, { 'm', PCRE2_MULTILINE },
		{ 's', PCRE2_DOTALL },	 { 'x', PCRE2_EXTENDED },
		{ 'A', PCRE2_ANCHORED }, { 'E', PCRE2_DOLLAR_ENDONLY },
		{ 'U', PCRE2_UNGREEDY }, { 'X', 0 },
	};
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL;
	struct str pattern;
	const char *why = take_delimited(line, &pattern);

	if (!why)
		why = take_flags(line, flags, COUNT(flags), &options);
	return why ? why : compile(pattern, options, r);
}

/* A bracket expression of POSIX: a backslash in it stands for itself. */
static void add_bracket(struct str *rest, struct buf *out)
{
	size_t n = 1;

	n += n < rest->n && rest->p[n] == '^';
	n += n < rest->n && rest->p[n] == ']';
	buf_add(out, str_head(*rest, n));
	while (n < rest->n && rest->p[n] != ']') {
		bool class = rest->p[n] == '[' && n + 1 < rest->n && rest->p[n + 1] == ':';
		ptrdiff_t end = class ? str_find(str_skip(*rest, n), ']') : -1;
		size_t take = end > 0 ? (size_t)end + 1 : 1;
		if (rest->p[n] == '\\')
			buf_addc(out, '\\');
		buf_add(out, str_of(rest->p + n, take));
		n += take;
	}
	*rest = str_skip(*rest, n);
}

/* Extended expressions of POSIX in PCRE's words. */
static void translate(struct str rest, struct buf *out)
{
	while (rest.n > 0) {
		if (rest.p[0] == '[') {
			add_bracket(&rest, out);
			continue;
		}
		size_t n = rest.p[0] == '\\' && rest.n > 1 ? 2 : 1;
		struct str word = str_head(rest, n);
		rest = str_skip(rest, n);
		if (str_eq(word, STR("\\<")))
			buf_add(out, STR("\\b(?=\\w)"));
		else if (str_eq(word, STR("\\>")))
			buf_add(out, STR("\\b(?<=\\w)"));
		else
			buf_add(out, word);
	}
}

static const char *take_regexp(struct str *line, struct rule *r)
{
	/* the last bit stands for "extended", which PCRE has no word for */
	enum { BASIC = 1u << 31 };
	static const struct flag flags[] = {
		{ 'i', PCRE2_CASELESS },
		{ 'm', PCRE2_MULTILINE | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY },
		{ 'x', BASIC },
	};
	uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY;
	scoped_buf struct buf translated = { 0 };
	struct str pattern;
	const char *why = take_delimited(line, &pattern);

	if (!why)
		why = take_flags(line, flags, COUNT(flags), &options);
	if (why)
		return why;
	if (options & BASIC)
		return "basic expressions (flag x) are not known";
	translate(pattern, &translated);
	return compile(buf_str(&translated), options, r);
}

/* ---- matching ---- */

static int fits(const struct rules *rules, const struct rule *r, const struct rules_key *key, struct err *err)
{
	PCRE2_UCHAR text[120];
	int code = pcre2_match(r->code, (PCRE2_SPTR)(key->text.p ? key->text.p : ""), key->text.n, 0, 0, rules->match,
			       rules->limits);

	/* 0: there are more groups than we ask for */
	if (code >= 0 || code == PCRE2_ERROR_NOMATCH)
		return code >= 0;
	if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT || code == PCRE2_ERROR_HEAPLIMIT)
		snprintf((char *)text, sizeof(text), "its pattern takes too many steps for this key");
	else
		pcre2_get_error_message(code, text, sizeof(text));
	err_set(err, "line %zu: %s", r->line, (const char *)text);
	return -1;
}

static struct str group_of(const struct rules *rules, const struct rules_key *key, uint64_t group)
{
	const PCRE2_SIZE *at = &pcre2_get_ovector_pointer(rules->match)[2 * group];

	/* \K in a look-ahead may put the end before the start */
	if (at[0] == PCRE2_UNSET || at[1] < at[0])
		return STR("");
	return str_of(key->text.p + at[0], at[1] - at[0]);
}

static enum dict_result give(const struct rules *rules, const struct rule *r, const struct rules_key *key,
			     struct buf *value, struct err *err)
{
	struct str rest = r->value;
	struct piece p;

	while (rest.n > 0) {
		next_piece(&rest, &p);
		struct str text = p.group ? group_of(rules, key, p.group) : p.text;
		if (value->n + text.n <= DICT_LINE_MAX && buf_add(value, text))
			continue;
		err_set(err, "line %zu: the value for this key is too long", r->line);
		return DICT_ERROR;
	}
	return DICT_FOUND;
}

const struct rules_kind pcre_rules = {
	.most = 10000, .take = take_pcre, .value = check_value, .fits = fits, .give = give
};
const struct rules_kind regexp_rules = {
	.most = 10000, .take = take_regexp, .value = check_value, .fits = fits, .give = give
};

static bool load(const struct rules_kind *kind, const struct dict *d, struct content *c, struct stamp *stamp,
		 struct err *err)
{
	scoped_buf struct buf text = { 0 };

	return content_read(d, &text, stamp, err) && rules_read(kind, buf_str(&text), c, err);
}

bool pcre_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	return load(&pcre_rules, d, c, stamp, err);
}

bool regexp_load(const struct dict *d, struct content *c, struct stamp *stamp, struct err *err)
{
	return load(&regexp_rules, d, c, stamp, err);
}

static void prepare(struct rules *rules)
{
	/* the groups of the largest number that a value can name */
	rules->match = pcre2_match_data_create(100, NULL);
	rules->limits = pcre2_match_context_create(NULL);
	ASSERT(rules->match && rules->limits);
	pcre2_set_match_limit(rules->limits, STEPS_MAX);
	pcre2_set_depth_limit(rules->limits, DEPTH_MAX);
	pcre2_set_heap_limit(rules->limits, HEAP_KIB);
}

enum dict_result pattern_get(const struct content *c, struct str text, struct buf *value, struct err *err)
{
	struct rules_key key = { .text = text };

	if (!c->rules->match)
		prepare(c->rules);
	return rules_get(c->rules, &key, value, err);
}
