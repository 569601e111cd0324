/* STORE and UID STORE (RFC 3501, 6.4.6; 7162, 3.1.3). */
#include "flags.h"
#include "report.h"
#include "rows.h"

struct storing {
	struct sequence set;
	struct mbox_store store;
	bool conditional, silent;
	struct flags flags;
};

static bool take_how(struct parse *p, struct storing *st)
{
	st->store.how = parse_try(p, '+') ? STORE_ADD : parse_try(p, '-') ? STORE_TAKE : STORE_SET;
	st->silent = parse_try_word(p, "FLAGS.SILENT");
	return st->silent || parse_try_word(p, "FLAGS") || parse_wrong(p, "no such item of STORE");
}

static bool take_unchanged(struct parse *p, struct storing *st)
{
	st->store.unchanged_since = UINT64_MAX;
	st->conditional = parse_try(p, '(');
	if (!st->conditional)
		return true;
	if (!parse_try_word(p, "UNCHANGEDSINCE"))
		return parse_wrong(p, "no such modifier of STORE");
	return parse_space(p) && parse_number64(p, &st->store.unchanged_since) && parse_char(p, ')') && parse_space(p);
}

static bool take_store(struct parse *p, struct storing *st)
{
	return parse_space(p) && parse_sequence(p, &st->set) && parse_space(p) && take_unchanged(p, st) &&
	       take_how(p, st) && parse_space(p) && flags_parse(p, &st->flags) && parse_end(p);
}

/* Names to bits; those that are taken away need not be known. */
static bool find_bits(struct session *s, struct request *r, struct storing *st)
{
	bool make = st->store.how != STORE_TAKE;

	st->store.flags = st->flags.system;
	for (size_t i = 0; i < st->flags.n; i++) {
		struct err err = { 0 };
		struct str name = st->flags.keywords[i];
		uint32_t bit = name.n > MBOX_KEYWORD_OCTETS_MAX ? 0 : flags_bit(s->view, name, make, &err);
		if (!bit && make)
			return answer_no(r, "LIMIT", "the folder can take no more keywords%s%s", err.text[0] ? ": " : "",
					 err.text);
		st->store.flags |= bit;
	}
	return true;
}

static uint32_t changed(const struct mbox_store *store, uint32_t flags)
{
	switch (store->how) {
	case STORE_SET: return store->flags;
	case STORE_ADD: return flags | store->flags;
	default: return flags & ~store->flags;
	}
}

/* The client can work out the new flags of a silent STORE, unless another has changed the message too. */
static void tell_rows(struct session *s, const struct request *r, const struct storing *st, const struct rows *rows,
		      const uint32_t *before)
{
	for (size_t i = 0; i < rows->n; i++) {
		struct mbox_row *m = &s->view->rows[rows->which[i]];
		if (m->marks & ROW_GONE)
			continue;
		if (!st->silent || (s->enabled & ENABLED_CONDSTORE && m->marks & ROW_CHANGED))
			report_flags(s, rows->which[i], r->uid);
		else if (m->flags == changed(&st->store, before[i]))
			report_told(s->view, rows->which[i]);
	}
}

/* Takes the refused ones, which ascend as the rows do, out of them, and names them in MODIFIED. */
static void drop_refused(struct session *s, struct request *r, struct rows *rows, uint32_t *before,
			 const size_t *refused, size_t n_refused)
{
	struct set_writer set = { .out = &r->code };
	size_t n = 0, at = 0;

	if (n_refused > 0)
		buf_add(&r->code, STR("MODIFIED "));
	for (size_t i = 0; i < rows->n; i++) {
		size_t row = rows->which[i];
		if (at < n_refused && refused[at] == row) {
			set_add(&set, r->uid ? s->view->rows[row].uid : (uint32_t)row + 1);
			at++;
			continue;
		}
		before[n] = before[i];
		rows->which[n++] = row;
	}
	set_end(&set);
	rows->n = n;
}

static void store(struct session *s, struct request *r, struct storing *st, struct rows *rows)
{
	struct mbox_view *v = s->view;
	uint32_t *before = arena_array(&r->arena, rows->n + 1, sizeof(*before));
	size_t *refused = arena_array(&r->arena, rows->n + 1, sizeof(*refused)), n_refused = 0;
	struct err err = { 0 };
	size_t gone = 0;

	for (size_t i = 0; i < rows->n; i++)
		before[i] = v->rows[rows->which[i]].flags;
	enum mbox_result result = mbox_view_store(v, rows->which, rows->n, &st->store, refused, &n_refused, &err);
	if (!answer_mbox(r, result, &err, "NONEXISTENT"))
		return;
	drop_refused(s, r, rows, before, refused, n_refused);
	tell_rows(s, r, st, rows, before);
	for (size_t i = 0; i < rows->n; i++)
		gone += (v->rows[rows->which[i]].marks & ROW_GONE) != 0;
	if (gone > 0 && !r->uid)
		answer_no(r, r->code.n ? NULL : "EXPUNGEISSUED", "some of the messages are no more");
}

void cmd_store(struct session *s, struct request *r)
{
	struct storing st = { 0 };
	struct rows rows;

	if (!take_store(&r->in, &st)) {
		answer_bad(r, NULL);
		return;
	}
	if (s->view->readonly) {
		answer_no(r, "CANNOT", "the folder is selected read-only");
		return;
	}
	if (st.conditional)
		session_enable(s, ENABLED_CONDSTORE);
	if (rows_of(s, r, &st.set, r->uid, &rows) && find_bits(s, r, &st))
		store(s, r, &st, &rows);
}
