#include "mail/text.h"
#include "search.h"

struct reader {
	struct parse *p;
	struct search *search;
	struct str charset;
	unsigned depth;
	size_t keys;
};

enum argument { ARG_NONE, ARG_TEXT, ARG_FIELD, ARG_NAME, ARG_DATE, ARG_NUMBER, ARG_UIDS, ARG_MODSEQ };

struct word {
	const char *word;
	enum search_kind kind;
	enum argument argument;
	enum search_level level;
	bool negated;
	uint32_t flags;
	struct str name;
};

static const struct word words[] = {
	{ "ALL", KEY_AND, ARG_NONE, LEVEL_ROW, false, 0, { 0 } },
	{ "ANSWERED", KEY_FLAG, ARG_NONE, LEVEL_ROW, false, MBOX_REPLIED, { 0 } },
	{ "UNANSWERED", KEY_FLAG, ARG_NONE, LEVEL_ROW, true, MBOX_REPLIED, { 0 } },
	{ "DELETED", KEY_FLAG, ARG_NONE, LEVEL_ROW, false, MBOX_TRASHED, { 0 } },
	{ "UNDELETED", KEY_FLAG, ARG_NONE, LEVEL_ROW, true, MBOX_TRASHED, { 0 } },
	{ "DRAFT", KEY_FLAG, ARG_NONE, LEVEL_ROW, false, MBOX_DRAFT, { 0 } },
	{ "UNDRAFT", KEY_FLAG, ARG_NONE, LEVEL_ROW, true, MBOX_DRAFT, { 0 } },
	{ "FLAGGED", KEY_FLAG, ARG_NONE, LEVEL_ROW, false, MBOX_FLAGGED, { 0 } },
	{ "UNFLAGGED", KEY_FLAG, ARG_NONE, LEVEL_ROW, true, MBOX_FLAGGED, { 0 } },
	{ "SEEN", KEY_FLAG, ARG_NONE, LEVEL_ROW, false, MBOX_SEEN, { 0 } },
	{ "UNSEEN", KEY_FLAG, ARG_NONE, LEVEL_ROW, true, MBOX_SEEN, { 0 } },
	{ "RECENT", KEY_RECENT, ARG_NONE, LEVEL_ROW, false, 0, { 0 } },
	{ "OLD", KEY_RECENT, ARG_NONE, LEVEL_ROW, true, 0, { 0 } },
	{ "KEYWORD", KEY_KEYWORD, ARG_NAME, LEVEL_ROW, false, 0, { 0 } },
	{ "UNKEYWORD", KEY_KEYWORD, ARG_NAME, LEVEL_ROW, true, 0, { 0 } },
	{ "UID", KEY_UIDS, ARG_UIDS, LEVEL_ROW, false, 0, { 0 } },
	{ "MODSEQ", KEY_MODSEQ, ARG_MODSEQ, LEVEL_ROW, false, 0, { 0 } },
	{ "LARGER", KEY_LARGER, ARG_NUMBER, LEVEL_FACTS, false, 0, { 0 } },
	{ "SMALLER", KEY_SMALLER, ARG_NUMBER, LEVEL_FACTS, false, 0, { 0 } },
	{ "BEFORE", KEY_BEFORE, ARG_DATE, LEVEL_FACTS, false, 0, { 0 } },
	{ "ON", KEY_ON, ARG_DATE, LEVEL_FACTS, false, 0, { 0 } },
	{ "SINCE", KEY_SINCE, ARG_DATE, LEVEL_FACTS, false, 0, { 0 } },
	{ "SENTBEFORE", KEY_SENT_BEFORE, ARG_DATE, LEVEL_HEADER, false, 0, { 0 } },
	{ "SENTON", KEY_SENT_ON, ARG_DATE, LEVEL_HEADER, false, 0, { 0 } },
	{ "SENTSINCE", KEY_SENT_SINCE, ARG_DATE, LEVEL_HEADER, false, 0, { 0 } },
	{ "BCC", KEY_FIELD, ARG_TEXT, LEVEL_HEADER, false, 0, STR("Bcc") },
	{ "CC", KEY_FIELD, ARG_TEXT, LEVEL_HEADER, false, 0, STR("Cc") },
	{ "FROM", KEY_FIELD, ARG_TEXT, LEVEL_HEADER, false, 0, STR("From") },
	{ "SUBJECT", KEY_FIELD, ARG_TEXT, LEVEL_HEADER, false, 0, STR("Subject") },
	{ "TO", KEY_FIELD, ARG_TEXT, LEVEL_HEADER, false, 0, STR("To") },
	{ "HEADER", KEY_FIELD, ARG_FIELD, LEVEL_HEADER, false, 0, { 0 } },
	{ "BODY", KEY_BODY, ARG_TEXT, LEVEL_BODY, false, 0, { 0 } },
	{ "TEXT", KEY_TEXT, ARG_TEXT, LEVEL_BODY, false, 0, { 0 } },
};

static struct search_key *take_key(struct reader *r);

static struct search_key *make_key(struct reader *r, enum search_kind kind)
{
	struct search_key *k = arena_alloc(r->p->arena, sizeof(*k));

	k->kind = kind;
	return k;
}

static struct search_key *make_not(struct reader *r, struct search_key *child)
{
	struct search_key *k = child ? make_key(r, KEY_NOT) : NULL;

	if (k)
		k->child = child;
	return k;
}

/* As UTF-8, in the form in which texts are compared. */
static bool take_text(struct reader *r, struct str *out)
{
	scoped_buf struct buf utf8 = { 0 }, folded = { 0 };
	struct str text;

	if (!parse_space(r->p) || !parse_astring(r->p, &text))
		return false;
	text_to_utf8(r->charset, text, &utf8);
	text_fold(buf_str(&utf8), &folded);
	*out = arena_str(r->p->arena, buf_str(&folded));
	return true;
}

/* [SP entry-name SP entry-type] SP number (RFC 7162, 3.1.5): flags have no modseqs of their own here. */
static bool take_modseq(struct reader *r, uint64_t *out)
{
	struct str entry;

	r->search->modseq = true;
	if (!parse_space(r->p))
		return false;
	if (parse_peek(r->p) == '"') {
		if (!parse_string(r->p, &entry) || !parse_space(r->p))
			return false;
		if (!parse_try_word(r->p, "all") && !parse_try_word(r->p, "priv") && !parse_try_word(r->p, "shared"))
			return parse_wrong(r->p, "a bad entry type");
		if (!parse_space(r->p))
			return false;
	}
	return parse_number64(r->p, out);
}

static bool take_argument(struct reader *r, const struct word *w, struct search_key *k)
{
	struct parse *p = r->p;
	uint32_t number;

	switch (w->argument) {
	case ARG_NONE: return true;
	case ARG_TEXT: return take_text(r, &k->text);
	case ARG_FIELD: return parse_space(p) && parse_astring(p, &k->name) && take_text(r, &k->text);
	case ARG_NAME: return parse_space(p) && parse_atom(p, &k->name);
	case ARG_DATE: return parse_space(p) && parse_date(p, &k->day);
	case ARG_UIDS: return parse_space(p) && parse_sequence(p, &k->set);
	case ARG_MODSEQ: return take_modseq(r, &k->number);
	case ARG_NUMBER:
		if (!parse_space(p) || !parse_number(p, &number))
			return false;
		k->number = number;
		return true;
	}
	return false;
}

static struct search_key *take_word(struct reader *r, const struct word *w)
{
	struct search_key *k = make_key(r, w->kind);

	k->flags = w->flags;
	k->name = w->name;
	if (!take_argument(r, w, k))
		return NULL;
	r->search->levels |= 1u << w->level;
	return w->negated ? make_not(r, k) : k;
}

/* key *(SP key) */
static struct search_key *take_keys(struct reader *r)
{
	struct search_key *all = make_key(r, KEY_AND), **end = &all->child;

	do {
		*end = take_key(r);
		if (!*end)
			return NULL;
		end = &(*end)->next;
	} while (parse_try(r->p, ' '));
	return all;
}

static struct search_key *take_list(struct reader *r)
{
	struct search_key *k = parse_char(r->p, '(') ? take_keys(r) : NULL;

	return k && parse_char(r->p, ')') ? k : NULL;
}

static struct search_key *take_not(struct reader *r)
{
	return parse_space(r->p) ? make_not(r, take_key(r)) : NULL;
}

static struct search_key *take_or(struct reader *r)
{
	struct search_key *k = make_key(r, KEY_OR);

	if (!parse_space(r->p) || !(k->child = take_key(r)))
		return NULL;
	if (!parse_space(r->p) || !(k->child->next = take_key(r)))
		return NULL;
	return k;
}

/* NEW is RECENT and UNSEEN. */
static struct search_key *make_new(struct reader *r)
{
	struct search_key *all = make_key(r, KEY_AND), *seen = make_key(r, KEY_FLAG);

	seen->flags = MBOX_SEEN;
	all->child = make_key(r, KEY_RECENT);
	all->child->next = make_not(r, seen);
	return all;
}

static struct search_key *take_numbers(struct reader *r)
{
	struct search_key *k = make_key(r, KEY_NUMBERS);

	return parse_sequence(r->p, &k->set) ? k : NULL;
}

static struct search_key *take_any(struct reader *r)
{
	struct parse *p = r->p;
	char c = parse_peek(p);

	if (c == '(')
		return take_list(r);
	if (ascii_digit(c) || c == '*')
		return take_numbers(r);
	if (parse_try_word(p, "NOT"))
		return take_not(r);
	if (parse_try_word(p, "OR"))
		return take_or(r);
	if (parse_try_word(p, "NEW"))
		return make_new(r);
	for (size_t i = 0; i < COUNT(words); i++)
		if (parse_try_word(p, words[i].word))
			return take_word(r, &words[i]);
	parse_wrong(p, "no such search key");
	return NULL;
}

static struct search_key *take_key(struct reader *r)
{
	if (++r->keys > SEARCH_KEYS_MAX || r->depth == SEARCH_DEPTH_MAX) {
		parse_wrong(r->p, "too many search keys, or too deep");
		return NULL;
	}
	r->depth++;
	struct search_key *k = take_any(r);
	r->depth--;
	return k;
}

static const struct {
	const char *word;
	unsigned bit;
} returns[] = { { "MIN", SEARCH_MIN }, { "MAX", SEARCH_MAX }, { "ALL", SEARCH_ALL }, { "COUNT", SEARCH_COUNT } };

static bool take_return(struct parse *p, struct search *out)
{
	size_t i;

	out->extended = true;
	if (!parse_space(p) || !parse_char(p, '('))
		return false;
	if (!parse_try(p, ')')) {
		do {
			for (i = 0; i < COUNT(returns) && !parse_try_word(p, returns[i].word); i++)
				;
			if (i == COUNT(returns))
				return parse_wrong(p, "no such option of RETURN");
			out->give |= returns[i].bit;
		} while (parse_try(p, ' '));
		if (!parse_char(p, ')'))
			return false;
	}
	out->give = out->give ? out->give : SEARCH_ALL;
	return parse_space(p);
}

bool search_parse(struct parse *p, struct search *out)
{
	struct reader r = { .p = p, .search = out, .charset = STR("UTF-8") };

	if (!parse_space(p) || (parse_try_word(p, "RETURN") && !take_return(p, out)))
		return false;
	if (parse_try_word(p, "CHARSET")) {
		if (!parse_space(p) || !parse_astring(p, &r.charset) || !parse_space(p))
			return false;
		out->bad_charset = !text_charset_ok(r.charset);
		if (out->bad_charset)
			return false;
	}
	out->root = take_keys(&r);
	return out->root && parse_end(p);
}
