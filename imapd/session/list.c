/* LIST and LSUB (RFC 3501; 5258 extended, 5819 with STATUS, 6154 special use, 3348 children). */
#include "base/hash.h"
#include "mail/mutf7.h"
#include "match.h"
#include "names.h"
#include "status.h"

enum { LIST_PATTERNS_MAX = 100 };

enum select_option { SELECT_SUBSCRIBED = 1, SELECT_REMOTE = 2, SELECT_RECURSIVE = 4, SELECT_SPECIAL = 8 };
enum return_option { RETURN_SUBSCRIBED = 1, RETURN_CHILDREN = 2, RETURN_SPECIAL = 4, RETURN_STATUS = 8 };

struct option {
	const char *word;
	unsigned bit;
};
static const struct option select_options[] = {
	{ "SUBSCRIBED", SELECT_SUBSCRIBED },
	{ "REMOTE", SELECT_REMOTE },
	{ "RECURSIVEMATCH", SELECT_RECURSIVE },
	{ "SPECIAL-USE", SELECT_SPECIAL },
};
static const struct option return_options[] = {
	{ "SUBSCRIBED", RETURN_SUBSCRIBED },
	{ "CHILDREN", RETURN_CHILDREN },
	{ "SPECIAL-USE", RETURN_SPECIAL },
	{ "STATUS", RETURN_STATUS },
};

struct listing {
	bool lsub, extended, empty;
	unsigned select, give, status;
	struct str reference;
	struct str *patterns; /* with the reference before them */
	size_t n_patterns;
	struct mbox_folder_row *rows;
	size_t n;
	unsigned char *below; /* of each row: enum below */
};

/* What a row has among its children, at any depth. */
enum below { BELOW_SUBSCRIBED = 1, BELOW_SPECIAL = 2 };

static bool take_option(struct parse *p, const struct option *list, size_t n, unsigned *bits, unsigned *got)
{
	for (size_t i = 0; i < n; i++)
		if (parse_try_word(p, list[i].word)) {
			*got = list[i].bit;
			*bits |= *got;
			return true;
		}
	return parse_wrong(p, "no such option");
}

static bool take_select_options(struct parse *p, struct listing *l)
{
	unsigned got;

	l->extended = true;
	if (!parse_char(p, '('))
		return false;
	if (parse_try(p, ')'))
		return true;
	do
		if (!take_option(p, select_options, COUNT(select_options), &l->select, &got))
			return false;
	while (parse_try(p, ' '));
	if ((l->select & SELECT_RECURSIVE) && !(l->select & (SELECT_SUBSCRIBED | SELECT_SPECIAL)))
		return parse_wrong(p, "RECURSIVEMATCH needs another option");
	return parse_char(p, ')');
}

static bool take_return_options(struct parse *p, struct listing *l)
{
	unsigned got = 0;

	l->extended = true;
	if (!parse_try_word(p, "RETURN") || !parse_space(p) || !parse_char(p, '('))
		return parse_wrong(p, "RETURN is missing");
	if (parse_try(p, ')'))
		return true;
	do {
		if (!take_option(p, return_options, COUNT(return_options), &l->give, &got))
			return false;
		if (got == RETURN_STATUS && (!parse_space(p) || !status_parse(p, &l->status)))
			return false;
	} while (parse_try(p, ' '));
	return parse_char(p, ')');
}

static bool add_pattern(struct parse *p, struct listing *l)
{
	struct str pattern;

	if (l->n_patterns == LIST_PATTERNS_MAX)
		return parse_wrong(p, "too many patterns");
	if (!parse_pattern(p, &pattern))
		return false;
	l->empty = pattern.n == 0;
	char *both = arena_alloc(p->arena, l->reference.n + pattern.n + 1);
	if (l->reference.n)
		memcpy(both, l->reference.p, l->reference.n);
	if (pattern.n)
		memcpy(both + l->reference.n, pattern.p, pattern.n);
	l->patterns[l->n_patterns++] = str_of(both, l->reference.n + pattern.n);
	return true;
}

static bool take_patterns(struct parse *p, struct listing *l)
{
	l->patterns = arena_array(p->arena, LIST_PATTERNS_MAX, sizeof(*l->patterns));
	if (l->lsub || parse_peek(p) != '(')
		return add_pattern(p, l);
	l->extended = true;
	parse_try(p, '(');
	do
		if (!add_pattern(p, l))
			return false;
	while (parse_try(p, ' '));
	return parse_char(p, ')');
}

static bool take_listing(struct parse *p, struct listing *l)
{
	if (!parse_space(p))
		return false;
	if (!l->lsub && parse_peek(p) == '(' && (!take_select_options(p, l) || !parse_space(p)))
		return false;
	if (!parse_astring(p, &l->reference) || !parse_space(p) || !take_patterns(p, l))
		return false;
	if (!l->lsub && parse_try(p, ' ') && !take_return_options(p, l))
		return false;
	return parse_end(p);
}

/* The attribute that the configuration gives a folder, or empty. */
static struct str special_use(const struct session *s, struct str name)
{
	struct str rest = s->conf->imap_special_use, item;

	while (conf_list_next(&rest, &item)) {
		struct str folder = str_cut(&item, '=');
		if (str_eq(folder, name))
			return item;
	}
	return (struct str){ 0 };
}

static bool is_selected(const struct session *s, const struct listing *l, const struct mbox_folder_row *row)
{
	if ((l->select & SELECT_SUBSCRIBED) && !row->subscribed)
		return false;
	if ((l->select & SELECT_SPECIAL) && (!row->exists || special_use(s, row->name).n == 0))
		return false;
	return (l->select & SELECT_SUBSCRIBED) || row->exists || row->children;
}

static size_t count_parts(struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++)
		n += name.p[i] == '.';
	return n;
}

/* Room for rows of those that are only above subscribed names: lib/mbox has none for them. */
static void make_room(struct listing *l, struct arena *arena)
{
	size_t most = l->n + 1;

	for (size_t i = 0; i < l->n; i++)
		most += l->rows[i].subscribed ? count_parts(l->rows[i].name) : 0;
	struct mbox_folder_row *rows = arena_array(arena, most, sizeof(*rows));
	for (size_t i = 0; i < l->n; i++)
		rows[i] = l->rows[i];
	l->rows = rows;
	l->below = arena_array(arena, most, 1);
}

/* Tells all that are above row `i` what it is. */
static void mark_above(struct listing *l, size_t i, unsigned what, struct table *by_name)
{
	ptrdiff_t dot;

	for (struct str name = l->rows[i].name; what && (dot = str_rfind(name, '.')) > 0;) {
		name = str_head(name, (size_t)dot);
		struct mbox_folder_row *parent = table_get(by_name, name);
		if (!parent && !(what & BELOW_SUBSCRIBED))
			continue;
		if (!parent) {
			parent = &l->rows[l->n++];
			parent->name = name;
			table_set(by_name, name, parent);
		}
		l->below[parent - l->rows] |= (unsigned char)what;
	}
}

/* In one pass: each name is looked up once for each of its parts. */
static void mark_parents(const struct session *s, struct listing *l, struct arena *arena)
{
	scoped_table struct table by_name = { 0 };
	size_t n = l->n;

	make_room(l, arena);
	for (size_t i = 0; i < n; i++)
		table_set(&by_name, l->rows[i].name, &l->rows[i]);
	for (size_t i = 0; i < n; i++) {
		bool special = l->rows[i].exists && special_use(s, l->rows[i].name).n > 0;
		mark_above(l, i, (l->rows[i].subscribed ? BELOW_SUBSCRIBED : 0) | (special ? BELOW_SPECIAL : 0),
			   &by_name);
	}
}

static bool matches(const struct listing *l, struct str name)
{
	scoped_buf struct buf wire = { 0 };
	bool inbox = str_eq(name, STR("INBOX"));

	mutf7_encode(name, &wire);
	for (size_t i = 0; i < l->n_patterns; i++)
		if (match_name(l->patterns[i], buf_str(&wire), inbox))
			return true;
	return false;
}

static void put_attribute(struct buf *out, struct str word)
{
	if (out->p[out->n - 1] != '(')
		buf_addc(out, ' ');
	buf_add(out, word);
}

static void put_attributes(struct session *s, const struct listing *l, const struct mbox_folder_row *row)
{
	struct buf *out = &s->wire.out;
	struct str use = special_use(s, row->name);

	if (!row->exists)
		put_attribute(out, l->extended ? STR("\\NonExistent") : STR("\\Noselect"));
	put_attribute(out, row->children ? STR("\\HasChildren") : STR("\\HasNoChildren"));
	if (row->subscribed && ((l->give & RETURN_SUBSCRIBED) || (l->select & SELECT_SUBSCRIBED)))
		put_attribute(out, STR("\\Subscribed"));
	if (row->exists && use.n > 0)
		put_attribute(out, use);
}

/* RFC 5258, 3.5: only where RECURSIVEMATCH was asked for. */
static void put_child_info(struct session *s, const struct listing *l, unsigned below)
{
	struct buf *out = &s->wire.out;
	bool subscribed = (l->select & SELECT_SUBSCRIBED) && (below & BELOW_SUBSCRIBED);
	bool special = (l->select & SELECT_SPECIAL) && (below & BELOW_SPECIAL);

	if (!(l->select & SELECT_RECURSIVE) || (!subscribed && !special))
		return;
	buf_add(out, STR(" (\"CHILDINFO\" ("));
	if (subscribed)
		buf_add(out, STR("\"SUBSCRIBED\""));
	if (special)
		buf_add(out, subscribed ? STR(" \"SPECIAL-USE\"") : STR("\"SPECIAL-USE\""));
	buf_add(out, STR("))"));
}

static void tell_row(struct session *s, const struct listing *l, size_t i)
{
	const struct mbox_folder_row *row = &l->rows[i];
	struct buf *out = &s->wire.out;
	struct err err = { 0 };

	buf_add(out, l->lsub ? STR("* LSUB (") : STR("* LIST ("));
	if (!l->lsub)
		put_attributes(s, l, row);
	else if (!row->subscribed)
		buf_add(out, STR("\\Noselect"));
	buf_add(out, STR(") \".\" "));
	name_put(out, row->name);
	put_child_info(s, l, l->below[i]);
	buf_add(out, STR("\r\n"));
	wire_tide(&s->wire);
	if ((l->give & RETURN_STATUS) && row->exists) /* one that cannot be read goes without (RFC 5819, 2) */
		status_tell(s, row->name, l->status, &err);
}

/* LSUB: a name above a subscribed one is told in its place where '%' stops above it (RFC 3501, 6.3.9). */
static bool is_wanted(const struct session *s, const struct listing *l, size_t i)
{
	const struct mbox_folder_row *row = &l->rows[i];
	unsigned below = l->below[i];

	if (l->lsub) {
		struct str last = l->patterns[0];
		bool percent = last.n > 0 && last.p[last.n - 1] == '%';
		return row->subscribed || (percent && (below & BELOW_SUBSCRIBED));
	}
	if (is_selected(s, l, row))
		return true;
	if (!(l->select & SELECT_RECURSIVE))
		return false;
	return ((l->select & SELECT_SUBSCRIBED) && (below & BELOW_SUBSCRIBED)) ||
	       ((l->select & SELECT_SPECIAL) && (below & BELOW_SPECIAL));
}

static void tell_all(struct session *s, struct request *r, struct listing *l)
{
	struct err err = { 0 };
	enum mbox_result result = mbox_folders(s->user, &r->arena, &l->rows, &l->n, &err);

	if (!answer_mbox(r, result, &err, "NONEXISTENT"))
		return;
	mark_parents(s, l, &r->arena);
	for (size_t i = 0; i < l->n; i++)
		if (is_wanted(s, l, i) && matches(l, l->rows[i].name))
			tell_row(s, l, i);
}

static void list(struct session *s, struct request *r, bool lsub)
{
	struct listing l = { .lsub = lsub };

	if (!take_listing(&r->in, &l))
		answer_bad(r, NULL);
	else if (!l.extended && l.empty) /* what the delimiter is (RFC 3501, 6.3.8) */
		wire_say(&s->wire, "* %s (\\Noselect) \".\" \"\"", lsub ? "LSUB" : "LIST");
	else
		tell_all(s, r, &l);
}

void cmd_list(struct session *s, struct request *r)
{
	list(s, r, false);
}

void cmd_lsub(struct session *s, struct request *r)
{
	list(s, r, true);
}
