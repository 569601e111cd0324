#include "match.h"

/* reached[i]: what was read of the pattern so far can stand for the first i octets of the name. */
struct places {
	bool reached[MATCH_NAME_MAX + 1];
};

static void step_wild(struct places *p, struct str name, bool over_delimiters)
{
	for (size_t i = 0; i < name.n; i++)
		if (p->reached[i] && (over_delimiters || name.p[i] != '.'))
			p->reached[i + 1] = true;
}

/* False: no place is left. */
static bool step_char(struct places *p, struct str name, char c, bool blind)
{
	bool any = false;

	for (size_t i = name.n; i-- > 0;) {
		bool same = blind ? ascii_lower(name.p[i]) == ascii_lower(c) : name.p[i] == c;
		p->reached[i + 1] = p->reached[i] && same;
		any = any || p->reached[i + 1];
	}
	p->reached[0] = false;
	return any;
}

bool match_name(struct str pattern, struct str name, bool blind)
{
	struct places p = { .reached = { true } };

	if (name.n > MATCH_NAME_MAX || pattern.n > MATCH_PATTERN_MAX)
		return false;
	for (size_t i = 0; i < pattern.n; i++) {
		char c = pattern.p[i];
		if (c == '*' || c == '%')
			step_wild(&p, name, c == '*');
		else if (!step_char(&p, name, c, blind))
			return false;
	}
	return p.reached[name.n];
}
