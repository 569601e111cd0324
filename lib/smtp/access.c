#include "smtp/access.h"

static const struct {
	const char *name;
	enum access_action action;
	int code;
	uint8_t enh[3];
} actions[] = {
	{ "OK", ACCESS_OK, 0, { 0 } },
	{ "DUNNO", ACCESS_DUNNO, 0, { 0 } },
	{ "REJECT", ACCESS_REJECT, 554, { 5, 7, 1 } },
	{ "DEFER", ACCESS_REJECT, 450, { 4, 7, 1 } },
	{ "DEFER_IF_REJECT", ACCESS_DEFER_IF_REJECT, 450, { 4, 7, 1 } },
	{ "DEFER_IF_PERMIT", ACCESS_DEFER_IF_PERMIT, 450, { 4, 7, 1 } },
	{ "DISCARD", ACCESS_DISCARD, 0, { 0 } },
	{ "HOLD", ACCESS_HOLD, 0, { 0 } },
	{ "PREPEND", ACCESS_PREPEND, 0, { 0 } },
	{ "WARN", ACCESS_WARN, 0, { 0 } },
	{ "INFO", ACCESS_INFO, 0, { 0 } },
	/* of Postfix, and not here: a row that nobody heeds would be worse than one that is told */
	{ "REDIRECT", ACCESS_BAD, 0, { 0 } },
	{ "BCC", ACCESS_BAD, 0, { 0 } },
	{ "FILTER", ACCESS_BAD, 0, { 0 } },
};

static bool is_number(struct str word)
{
	for (size_t i = 0; i < word.n; i++)
		if (!ascii_digit(word.p[i]))
			return false;
	return word.n > 0;
}

static struct str cut_word(struct str *rest)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	struct str word = str_head(*rest, n);
	*rest = str_trim(str_skip(*rest, n));
	return word;
}

/* "5.7.1" that goes with the code before a text; left alone when there is none. */
static void take_status(struct access_row *r)
{
	struct str rest = r->text, word = cut_word(&rest);
	uint64_t part[3];

	for (size_t i = 0; i < 3; i++)
		if (!str_u64(str_cut(&word, '.'), 255, &part[i]))
			return;
	if (word.n > 0 || part[0] != (uint64_t)r->code / 100)
		return;
	for (size_t i = 0; i < 3; i++)
		r->enh[i] = (uint8_t)part[i];
	r->text = rest;
}

/* "554 5.7.1 text": a code of three digits and a text. Any other number alone is OK, as in tables of pop-before-smtp. */
static void take_code(struct str word, struct str rest, struct access_row *out)
{
	uint64_t code;

	*out = (struct access_row){ .action = ACCESS_OK };
	if (rest.n == 0)
		return;
	*out = (struct access_row){ .action = ACCESS_BAD, .text = rest };
	if (word.n != 3 || !str_u64(word, 599, &code) || code < 400)
		return;
	*out = (struct access_row){
		.action = ACCESS_REJECT, .code = (int)code, .enh = { (uint8_t)(code / 100), 7, 1 }, .text = rest
	};
	take_status(out);
}

void access_parse(struct str value, struct access_row *out)
{
	struct str rest = str_trim(value), whole = rest, word = cut_word(&rest);

	if (is_number(word)) {
		take_code(word, rest, out);
		return;
	}
	for (size_t i = 0; i < COUNT(actions); i++) {
		if (!str_ieq(word, str_from(actions[i].name)))
			continue;
		*out = (struct access_row){ .action = actions[i].action, .code = actions[i].code, .text = rest };
		memcpy(out->enh, actions[i].enh, sizeof(out->enh));
		if (out->action == ACCESS_REJECT || out->action == ACCESS_DEFER_IF_REJECT ||
		    out->action == ACCESS_DEFER_IF_PERMIT)
			take_status(out);
		return;
	}
	*out = (struct access_row){ .action = whole.n > 0 ? ACCESS_CHECKS : ACCESS_BAD, .text = whole };
}
