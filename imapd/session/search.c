/* SEARCH and UID SEARCH (RFC 3501, 6.4.4; 4731 ESEARCH; 7162 MODSEQ). */
#include "search.h"

#include "body.h"
#include "flags.h"
#include "mail/date.h"
#include "mail/header.h"
#include "mail/text.h"
#include "rows.h"

/* Three values: a key that needs more than was read yet says MAYBE, so that the cheap ones decide first. */
enum verdict { NO, YES, MAYBE };

struct subject {
	const struct mbox_view *view;
	size_t row;
	enum search_level level; /* what is known of it */
	int64_t arrival, vsize;
	struct body *body;
	struct str header;
};

static enum verdict eval(const struct search_key *k, struct subject *m);

static enum verdict yes(bool b)
{
	return b ? YES : NO;
}

static int64_t day_of(int64_t seconds)
{
	return seconds / 86400 - (seconds % 86400 < 0);
}

static enum verdict eval_row(const struct search_key *k, const struct subject *m)
{
	const struct mbox_row *row = &m->view->rows[m->row];

	switch (k->kind) {
	case KEY_NUMBERS: return yes(sequence_has(&k->set, (uint32_t)m->row + 1));
	case KEY_UIDS: return yes(sequence_has(&k->set, row->uid));
	case KEY_MODSEQ: return yes(row->modseq >= k->number);
	case KEY_RECENT: return yes(row->marks & ROW_RECENT);
	default: return yes(row->flags & k->flags);
	}
}

static enum verdict eval_facts(const struct search_key *k, const struct subject *m)
{
	if (m->level < LEVEL_FACTS)
		return MAYBE;
	switch (k->kind) {
	case KEY_LARGER: return yes(m->vsize > (int64_t)k->number);
	case KEY_SMALLER: return yes(m->vsize < (int64_t)k->number);
	case KEY_BEFORE: return yes(day_of(m->arrival) < k->day);
	case KEY_ON: return yes(day_of(m->arrival) == k->day);
	default: return yes(day_of(m->arrival) >= k->day);
	}
}

/* The day as it was written: zones do not count (RFC 3501, 6.4.4). */
static bool sent_day(struct str header, int64_t *day)
{
	struct header_iter it = header_begin(header);
	struct header_field f;
	scoped_buf struct buf text = { 0 };
	int64_t seconds;
	int zone;

	while (header_next(&it, &f)) {
		if (!str_ieq(f.name, STR("Date")))
			continue;
		header_unfold(f.value, &text);
		if (!date_parse(buf_str(&text), &seconds, &zone))
			return false;
		*day = day_of(seconds + zone * 60);
		return true;
	}
	return false;
}

static enum verdict eval_sent(const struct search_key *k, const struct subject *m)
{
	int64_t day;

	if (m->level < LEVEL_HEADER)
		return MAYBE;
	if (!sent_day(m->header, &day))
		return NO;
	switch (k->kind) {
	case KEY_SENT_BEFORE: return yes(day < k->day);
	case KEY_SENT_ON: return yes(day == k->day);
	default: return yes(day >= k->day);
	}
}

static enum verdict eval_text(const struct search_key *k, struct subject *m)
{
	const struct mime_part *root;
	struct str message;

	if (k->text.n == 0)
		return YES;
	if (m->level < LEVEL_BODY)
		return MAYBE;
	return yes(body_tree(m->body, &message, &root) && text_search(message, root, k->kind == KEY_TEXT, k->text));
}

static enum verdict eval_and(const struct search_key *k, struct subject *m)
{
	enum verdict all = YES;

	for (const struct search_key *c = k->child; c; c = c->next) {
		enum verdict one = eval(c, m);
		if (one == NO)
			return NO;
		if (one == MAYBE)
			all = MAYBE;
	}
	return all;
}

static enum verdict eval_or(const struct search_key *k, struct subject *m)
{
	enum verdict a = eval(k->child, m);
	enum verdict b = a == YES ? YES : eval(k->child->next, m);

	if (a == YES || b == YES)
		return YES;
	return a == NO && b == NO ? NO : MAYBE;
}

static enum verdict eval_not(const struct search_key *k, struct subject *m)
{
	enum verdict v = eval(k->child, m);

	return v == MAYBE ? MAYBE : yes(v == NO);
}

/* As deep as search_parse lets the tree be. */
static enum verdict eval(const struct search_key *k, struct subject *m)
{
	switch (k->kind) {
	case KEY_AND: return eval_and(k, m);
	case KEY_OR: return eval_or(k, m);
	case KEY_NOT: return eval_not(k, m);
	case KEY_NUMBERS:
	case KEY_UIDS:
	case KEY_FLAG:
	case KEY_KEYWORD:
	case KEY_RECENT:
	case KEY_MODSEQ: return eval_row(k, m);
	case KEY_LARGER:
	case KEY_SMALLER:
	case KEY_BEFORE:
	case KEY_ON:
	case KEY_SINCE: return eval_facts(k, m);
	case KEY_SENT_BEFORE:
	case KEY_SENT_ON:
	case KEY_SENT_SINCE: return eval_sent(k, m);
	case KEY_FIELD: return m->level < LEVEL_HEADER ? MAYBE : yes(text_search_field(m->header, k->name, k->text));
	case KEY_BODY:
	case KEY_TEXT: return eval_text(k, m);
	}
	return NO;
}

/* Keywords to bits and sets to ranges, in the whole tree. False: BAD has been answered. */
static bool prepare(struct session *s, struct request *r, struct search_key *k)
{
	if (k->kind == KEY_KEYWORD)
		k->flags = flags_bit(s->view, k->name, false, NULL);
	if (k->kind == KEY_NUMBERS && !sequence_in_range(&k->set, s->view->n))
		return answer_bad(r, "no such message");
	if (k->kind == KEY_NUMBERS || k->kind == KEY_UIDS)
		sequence_normalize(&k->set, rows_star(s->view, k->kind == KEY_UIDS));
	for (struct search_key *c = k->child; c; c = c->next)
		if (!prepare(s, r, c))
			return false;
	return true;
}

struct searching {
	struct session *s;
	const struct search *search;
	unsigned char *found; /* enum verdict of each row */
	size_t *open, n_open; /* rows that are MAYBE */
};

static bool needs(const struct searching *g, enum search_level level)
{
	return g->search->levels & 1u << level;
}

static void look_at_rows(struct searching *g)
{
	struct mbox_view *v = g->s->view;

	for (size_t i = 0; i < v->n; i++) {
		struct subject m = { .view = v, .row = i };
		if (v->rows[i].marks & ROW_GONE)
			continue;
		g->found[i] = (unsigned char)eval(g->search->root, &m);
		if (g->found[i] == MAYBE)
			g->open[g->n_open++] = i;
	}
}

static bool see_facts(void *ctx, size_t row, const struct mbox_facts *f)
{
	const struct searching *g = ctx;
	struct subject m = { .view = g->s->view, .row = row, .level = LEVEL_FACTS };

	m.arrival = f->arrival;
	m.vsize = f->vsize;
	g->found[row] = (unsigned char)eval(g->search->root, &m);
	return true;
}

static void drop_decided(struct searching *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_open; i++)
		if (g->found[g->open[i]] == MAYBE)
			g->open[n++] = g->open[i];
	g->n_open = n;
}

static bool see_size(void *ctx, size_t row, const struct mbox_facts *f)
{
	struct subject *m = ctx;

	(void)row;
	m->arrival = f->arrival;
	m->vsize = f->vsize;
	m->level = LEVEL_FACTS;
	return true;
}

/* The header decides where it can; only then is the whole message read. One that is gone is not found. */
static enum verdict look_into(const struct searching *g, size_t row)
{
	struct subject m = { .view = g->s->view, .row = row };
	size_t done, missing;

	if (needs(g, LEVEL_FACTS) &&
	    (mbox_view_facts(g->s->view, &row, 1, WANT_SIZES, see_size, &m, &done, &missing, NULL) || !m.level))
		return NO;
	m.body = body_open(g->s, row);
	if (!m.body || !body_header(m.body, &m.header))
		return NO;
	m.level = LEVEL_HEADER;
	enum verdict v = eval(g->search->root, &m);
	if (v != MAYBE)
		return v;
	m.level = LEVEL_BODY;
	return eval(g->search->root, &m);
}

static enum mbox_result run_search(struct searching *g, struct err *err)
{
	enum mbox_result result = MBOX_OK;
	size_t done, missing;

	look_at_rows(g);
	if (g->n_open > 0 && needs(g, LEVEL_FACTS))
		result = mbox_view_facts(g->s->view, g->open, g->n_open, WANT_SIZES, see_facts, g, &done, &missing, err);
	drop_decided(g);
	for (size_t i = 0; i < g->n_open && !result; i++)
		g->found[g->open[i]] = (unsigned char)look_into(g, g->open[i]);
	body_forget(g->s);
	return result;
}

static uint32_t number_of(const struct searching *g, const struct request *r, size_t row)
{
	return r->uid ? g->s->view->rows[row].uid : (uint32_t)row + 1;
}

struct hits {
	size_t n, first, last; /* rows */
	uint64_t modseq;       /* the highest of those that are told of */
};

static struct hits count_hits(const struct searching *g)
{
	const struct mbox_view *v = g->s->view;
	bool some = g->search->extended && !(g->search->give & (SEARCH_ALL | SEARCH_COUNT));
	struct hits h = { 0 };

	for (size_t i = 0; i < v->n; i++) {
		if (g->found[i] != YES)
			continue;
		h.first = h.n++ ? h.first : i;
		h.last = i;
		if (!some && v->rows[i].modseq > h.modseq)
			h.modseq = v->rows[i].modseq;
	}
	if (some && h.n > 0 && g->search->give & SEARCH_MIN)
		h.modseq = v->rows[h.first].modseq;
	if (some && h.n > 0 && g->search->give & SEARCH_MAX && v->rows[h.last].modseq > h.modseq)
		h.modseq = v->rows[h.last].modseq;
	return h;
}

static void tell_hits(const struct searching *g, const struct request *r)
{
	struct buf *out = &g->s->wire.out;
	struct hits h = count_hits(g);

	buf_add(out, STR("* SEARCH"));
	for (size_t i = 0; i < g->s->view->n; i++) {
		if (g->found[i] != YES)
			continue;
		buf_addc(out, ' ');
		put_number(out, number_of(g, r, i));
		wire_tide(&g->s->wire);
	}
	if (h.n > 0 && g->search->modseq)
		buf_addf(out, " (MODSEQ %llu)", (unsigned long long)h.modseq);
	buf_add(out, STR("\r\n"));
}

static void tell_esearch(const struct searching *g, const struct request *r)
{
	struct buf *out = &g->s->wire.out;
	struct set_writer set = { .out = out };
	struct hits h = count_hits(g);
	unsigned give = g->search->give;

	buf_addf(out, "* ESEARCH (TAG \"%.*s\")%s", STR_ARG(r->tag), r->uid ? " UID" : "");
	if (h.n > 0 && give & SEARCH_MIN)
		buf_addf(out, " MIN %u", number_of(g, r, h.first));
	if (h.n > 0 && give & SEARCH_MAX)
		buf_addf(out, " MAX %u", number_of(g, r, h.last));
	if (h.n > 0 && give & SEARCH_ALL) {
		buf_add(out, STR(" ALL "));
		for (size_t i = 0; i < g->s->view->n; i++)
			if (g->found[i] == YES)
				set_add(&set, number_of(g, r, i));
		set_end(&set);
	}
	if (give & SEARCH_COUNT)
		buf_addf(out, " COUNT %zu", h.n);
	if (h.n > 0 && g->search->modseq)
		buf_addf(out, " MODSEQ %llu", (unsigned long long)h.modseq);
	buf_add(out, STR("\r\n"));
}

void cmd_search(struct session *s, struct request *r)
{
	struct search search = { 0 };
	struct err err = { 0 };

	if (!search_parse(&r->in, &search)) {
		if (search.bad_charset)
			answer_no(r, "BADCHARSET (US-ASCII UTF-8 ISO-2022-JP SHIFT_JIS EUC-JP ISO-8859-1)",
				  "the charset is not known");
		else
			answer_bad(r, NULL);
		return;
	}
	if (search.modseq)
		session_enable(s, ENABLED_CONDSTORE);
	if (!prepare(s, r, search.root))
		return;
	struct searching g = { .s = s, .search = &search };
	g.found = arena_array(&r->arena, s->view->n + 1, 1);
	g.open = arena_array(&r->arena, s->view->n + 1, sizeof(*g.open));
	if (!answer_mbox(r, run_search(&g, &err), &err, "NONEXISTENT"))
		return;
	if (search.extended)
		tell_esearch(&g, r);
	else
		tell_hits(&g, r);
}
