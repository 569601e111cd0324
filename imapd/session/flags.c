#include "flags.h"

static const struct {
	struct str name;
	uint32_t bit;
} system_flags[] = {
	{ STR("\\Answered"), MBOX_REPLIED }, { STR("\\Flagged"), MBOX_FLAGGED }, { STR("\\Deleted"), MBOX_TRASHED },
	{ STR("\\Seen"), MBOX_SEEN },	     { STR("\\Draft"), MBOX_DRAFT },
};

static const struct str forwarded = STR("$Forwarded");

bool flags_is_forwarded(struct str keyword)
{
	return str_ieq(keyword, forwarded);
}

static bool system_flag(struct parse *p, struct flags *out)
{
	struct parse at = *p;
	struct str name;

	if (!parse_char(p, '\\') || !parse_atom(p, &name))
		return false;
	name = str_head(at.rest, name.n + 1);
	for (size_t i = 0; i < COUNT(system_flags); i++)
		if (str_ieq(name, system_flags[i].name)) {
			out->system |= system_flags[i].bit;
			return true;
		}
	return parse_wrong(p, "no such system flag");
}

static bool take_flag(struct parse *p, struct flags *out)
{
	struct str name;

	if (parse_peek(p) == '\\')
		return system_flag(p, out);
	if (!parse_atom(p, &name))
		return false;
	if (flags_is_forwarded(name))
		out->system |= MBOX_PASSED;
	if (out->n == FLAGS_KEYWORDS_MAX)
		return parse_wrong(p, "too many flags");
	out->keywords[out->n++] = name;
	return true;
}

static bool take_flags(struct parse *p, struct flags *out)
{
	do
		if (!take_flag(p, out))
			return false;
	while (parse_try(p, ' '));
	return true;
}

static void begin(struct parse *p, struct flags *out)
{
	*out = (struct flags){ .keywords = arena_array(p->arena, FLAGS_KEYWORDS_MAX, sizeof(*out->keywords)) };
}

bool flags_parse_list(struct parse *p, struct flags *out)
{
	begin(p, out);
	if (!parse_char(p, '('))
		return false;
	if (parse_try(p, ')'))
		return true;
	return take_flags(p, out) && parse_char(p, ')');
}

bool flags_parse(struct parse *p, struct flags *out)
{
	if (parse_peek(p) == '(')
		return flags_parse_list(p, out);
	begin(p, out);
	return take_flags(p, out);
}

static void put_one(struct buf *out, struct str name, bool *first)
{
	if (!*first)
		buf_addc(out, ' ');
	buf_add(out, name);
	*first = false;
}

void flags_put(struct buf *out, const struct mbox_view *v, uint32_t flags, bool recent)
{
	bool first = true;

	buf_addc(out, '(');
	for (size_t i = 0; i < COUNT(system_flags); i++)
		if (flags & system_flags[i].bit)
			put_one(out, system_flags[i].name, &first);
	if (recent)
		put_one(out, STR("\\Recent"), &first);
	if (flags & MBOX_PASSED)
		put_one(out, forwarded, &first);
	for (uint32_t left = flags / MBOX_KEYWORD_A; left; left &= left - 1) {
		const char *name = v->keywords[__builtin_ctz(left)];
		if (name && !((flags & MBOX_PASSED) && flags_is_forwarded(str_from(name))))
			put_one(out, str_from(name), &first);
	}
	buf_addc(out, ')');
}

void flags_put_all(struct buf *out, const struct mbox_view *v)
{
	bool first = true;

	for (size_t i = 0; i < COUNT(system_flags); i++)
		put_one(out, system_flags[i].name, &first);
	put_one(out, forwarded, &first);
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++)
		if (v->keywords[i] && !flags_is_forwarded(str_from(v->keywords[i])))
			put_one(out, str_from(v->keywords[i]), &first);
}

/* $Forwarded needs no letter; where another program has given it one, both count. */
uint32_t flags_bit(struct mbox_view *v, struct str keyword, bool make, struct err *err)
{
	bool passed = flags_is_forwarded(keyword);
	uint32_t letter = mbox_view_keyword(v, keyword, make && !passed, err);

	return letter | (passed ? MBOX_PASSED : 0);
}
