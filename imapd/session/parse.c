#include "parse.h"

#include "mail/date.h"

bool parse_wrong(struct parse *p, const char *what)
{
	if (!p->wrong)
		p->wrong = what;
	return false;
}

bool parse_atom_char(char c)
{
	return c > ' ' && c < 0x7f && !strchr("(){%*\"\\]", c);
}

static bool astring_char(char c)
{
	return parse_atom_char(c) || c == ']';
}

static bool pattern_char(char c)
{
	return astring_char(c) || c == '%' || c == '*';
}

char parse_peek(const struct parse *p)
{
	return p->rest.n ? p->rest.p[0] : 0;
}

bool parse_try(struct parse *p, char c)
{
	return str_eat(&p->rest, c);
}

static struct str take_run(struct parse *p, bool (*is)(char c))
{
	size_t n = 0;

	while (n < p->rest.n && is(p->rest.p[n]))
		n++;
	struct str run = str_head(p->rest, n);
	p->rest = str_skip(p->rest, n);
	return run;
}

bool parse_try_word(struct parse *p, const char *word)
{
	struct str w = str_from(word);
	char next = p->rest.n > w.n ? p->rest.p[w.n] : 0;

	if (!str_istarts(p->rest, w) || (parse_atom_char(next) && next != '[')) /* BODY[ is a word and more */
		return false;
	p->rest = str_skip(p->rest, w.n);
	return true;
}

bool parse_char(struct parse *p, char c)
{
	if (parse_try(p, c))
		return true;
	switch (c) {
	case '(': return parse_wrong(p, "( is missing");
	case ')': return parse_wrong(p, ") is missing");
	case ' ': return parse_wrong(p, "something is missing");
	default: return parse_wrong(p, "a character is missing");
	}
}

bool parse_space(struct parse *p)
{
	return parse_char(p, ' ');
}

bool parse_end(struct parse *p)
{
	return p->rest.n == 0 || parse_wrong(p, "too much at the end");
}

bool parse_atom(struct parse *p, struct str *out)
{
	*out = take_run(p, parse_atom_char);
	return out->n > 0 || parse_wrong(p, "an atom is missing");
}

/* `text` stands between the quotes; it has escapes. */
static bool unescape(struct parse *p, struct str text, struct str *out)
{
	char *to = arena_alloc(p->arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n)
			i++;
		to[n++] = text.p[i];
	}
	*out = str_of(to, n);
	return true;
}

static bool take_quoted(struct parse *p, struct str *out)
{
	bool escapes = false;
	size_t i = 1;

	for (; i < p->rest.n && p->rest.p[i] != '"'; i++) {
		char c = p->rest.p[i];
		if (c == '\r' || c == '\n')
			return parse_wrong(p, "a line end in a quoted string");
		if (c != '\\')
			continue;
		i++;
		if (i >= p->rest.n || (p->rest.p[i] != '"' && p->rest.p[i] != '\\'))
			return parse_wrong(p, "a bad escape in a quoted string");
		escapes = true;
	}
	if (i >= p->rest.n)
		return parse_wrong(p, "a quoted string does not end");
	struct str text = str_head(str_skip(p->rest, 1), i - 1);
	p->rest = str_skip(p->rest, i + 1);
	*out = text;
	return !escapes || unescape(p, text, out);
}

static bool take_literal(struct parse *p, struct str *out)
{
	struct str at = str_skip(p->rest, 1);
	struct str number = str_cut(&at, '}');
	uint64_t n;

	if (number.n > 0 && number.p[number.n - 1] == '+')
		number.n--;
	if (!str_u64(number, UINT32_MAX, &n) || !str_eat(&at, '\r') || !str_eat(&at, '\n') || at.n < n)
		return parse_wrong(p, "a bad literal");
	*out = str_head(at, (size_t)n);
	p->rest = str_skip(at, (size_t)n);
	return true;
}

bool parse_string(struct parse *p, struct str *out)
{
	switch (parse_peek(p)) {
	case '"': return take_quoted(p, out);
	case '{': return take_literal(p, out);
	default: return parse_wrong(p, "a string is missing");
	}
}

static bool take_string_or(struct parse *p, bool (*is)(char c), struct str *out)
{
	if (parse_peek(p) == '"' || parse_peek(p) == '{')
		return parse_string(p, out);
	*out = take_run(p, is);
	return out->n > 0 || parse_wrong(p, "a string is missing");
}

bool parse_astring(struct parse *p, struct str *out)
{
	return take_string_or(p, astring_char, out);
}

bool parse_pattern(struct parse *p, struct str *out)
{
	return take_string_or(p, pattern_char, out);
}

bool parse_nstring(struct parse *p, struct str *out, bool *nil)
{
	*nil = parse_try_word(p, "NIL");
	if (*nil)
		*out = (struct str){ 0 };
	return *nil || parse_string(p, out);
}

bool parse_astrings(struct parse *p, struct str **out, size_t *n)
{
	*out = arena_array(p->arena, PARSE_LIST_MAX, sizeof(**out));
	*n = 0;
	if (!parse_char(p, '('))
		return false;
	do {
		if (*n == PARSE_LIST_MAX)
			return parse_wrong(p, "too many items in a list");
		if (!parse_astring(p, &(*out)[(*n)++]))
			return false;
	} while (parse_try(p, ' '));
	return parse_char(p, ')');
}

static bool is_digit(char c)
{
	return ascii_digit(c);
}

static bool take_number(struct parse *p, uint64_t most, uint64_t *out)
{
	struct str digits = take_run(p, is_digit);

	if (digits.n == 0)
		return parse_wrong(p, "a number is missing");
	return str_u64(digits, most, out) || parse_wrong(p, "a number is too large");
}

bool parse_number(struct parse *p, uint32_t *out)
{
	uint64_t n;

	if (!take_number(p, UINT32_MAX, &n))
		return false;
	*out = (uint32_t)n;
	return true;
}

bool parse_nz_number(struct parse *p, uint32_t *out)
{
	return parse_number(p, out) && (*out > 0 || parse_wrong(p, "a number is zero"));
}

bool parse_number64(struct parse *p, uint64_t *out)
{
	return take_number(p, INT64_MAX, out);
}

static bool take_end_of_range(struct parse *p, uint32_t *out)
{
	*out = 0;
	return parse_try(p, '*') || parse_nz_number(p, out);
}

static bool is_sequence_char(char c)
{
	return ascii_digit(c) || c == '*' || c == ':' || c == ',';
}

/* How many ranges can stand there at most: so that the array is made once. */
static size_t count_ranges(struct str s)
{
	size_t n = 1;

	for (size_t i = 0; i < s.n && is_sequence_char(s.p[i]); i++)
		n += s.p[i] == ',';
	return n;
}

bool parse_sequence(struct parse *p, struct sequence *out)
{
	size_t most = count_ranges(p->rest);

	*out = (struct sequence){ 0 };
	if (most > PARSE_RANGES_MAX)
		return parse_wrong(p, "too many ranges");
	out->ranges = arena_array(p->arena, most, sizeof(*out->ranges));
	do {
		struct range *r = &out->ranges[out->n++];
		if (!take_end_of_range(p, &r->from))
			return parse_wrong(p, "a bad message set");
		r->to = r->from;
		if (parse_try(p, ':') && !take_end_of_range(p, &r->to))
			return parse_wrong(p, "a bad message set");
	} while (parse_try(p, ','));
	return true;
}

/* 1 to `most` digits of a fixed width or less. */
static bool take_digits(struct parse *p, size_t most, int *out)
{
	size_t n = 0;

	*out = 0;
	while (n < most && n < p->rest.n && ascii_digit(p->rest.p[n]))
		*out = *out * 10 + (p->rest.p[n++] - '0');
	p->rest = str_skip(p->rest, n);
	return n > 0;
}

static bool take_day(struct parse *p, int64_t *days)
{
	int day, year, month;

	if (!take_digits(p, 2, &day) || !parse_try(p, '-'))
		return false;
	month = date_month(str_head(p->rest, 3));
	p->rest = str_skip(p->rest, 3);
	if (month == 0 || !parse_try(p, '-') || p->rest.n < 4 || !take_digits(p, 4, &year) || year < 1)
		return false;
	return date_days(year, month, day, days);
}

bool parse_date(struct parse *p, int64_t *days)
{
	bool quoted = parse_try(p, '"');

	if (!take_day(p, days) || (quoted && !parse_try(p, '"')))
		return parse_wrong(p, "a bad date");
	return true;
}

static bool take_time(struct parse *p, int64_t *seconds)
{
	int h, m, s;

	if (!take_digits(p, 2, &h) || !parse_try(p, ':') || !take_digits(p, 2, &m) || !parse_try(p, ':') ||
	    !take_digits(p, 2, &s) || h > 23 || m > 59 || s > 60)
		return false;
	*seconds = h * 3600 + m * 60 + s;
	return true;
}

static bool take_zone(struct parse *p, int64_t *seconds)
{
	bool west = parse_peek(p) == '-';
	int zone;

	if (!west && parse_peek(p) != '+')
		return false;
	p->rest = str_skip(p->rest, 1);
	if (p->rest.n < 4 || !take_digits(p, 4, &zone) || zone % 100 > 59)
		return false;
	*seconds = (zone / 100 * 60 + zone % 100) * 60 * (west ? -1 : 1);
	return true;
}

bool parse_date_time(struct parse *p, int64_t *seconds)
{
	int64_t days, time, zone;

	if (!parse_try(p, '"'))
		return parse_wrong(p, "a date is missing");
	parse_try(p, ' '); /* the day of one digit has one before it */
	if (!take_day(p, &days) || !parse_try(p, ' ') || !take_time(p, &time) || !parse_try(p, ' ') ||
	    !take_zone(p, &zone) || !parse_try(p, '"'))
		return parse_wrong(p, "a bad date and time");
	*seconds = days * 86400 + time - zone;
	return true;
}

bool parse_partial(struct parse *p, struct partial *out)
{
	*out = (struct partial){ 0 };
	if (!parse_try(p, '<'))
		return true;
	out->has = true;
	if (!parse_number(p, &out->from) || !parse_try(p, '.') || !parse_nz_number(p, &out->n) || !parse_try(p, '>'))
		return parse_wrong(p, "a bad partial");
	return true;
}
