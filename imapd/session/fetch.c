/* FETCH and UID FETCH (RFC 3501, 6.4.5; 7162). */
#include "fetch.h"

#include <errno.h>

#include "flags.h"
#include "mail/date.h"
#include "report.h"
#include "rows.h"
#include "vanished.h"

static const int64_t DATE_LAST = 253402300799; /* of the year 9999 */

enum { SEEN_AT_ONCE = 32 /* messages whose \Seen goes to the disk together, before they are sent */ };

struct fetching {
	struct session *s;
	struct request *r;
	const struct fetch *fetch;
	unsigned items;	/* with those that nobody has asked for in words */
	size_t missing, failed;
};

static void put_two(struct buf *out, int n)
{
	buf_addc(out, (char)('0' + n / 10));
	buf_addc(out, (char)('0' + n % 10));
}

/* The year has four digits, whatever a file's name may say. */
static void put_date(struct buf *out, int64_t seconds)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	seconds = seconds < 0 ? 0 : seconds > DATE_LAST ? DATE_LAST : seconds;
	int64_t days = seconds / 86400;
	int rest = (int)(seconds - days * 86400), year, month, day;

	date_from_days(days, &year, &month, &day);
	buf_addc(out, '"');
	put_two(out, day);
	buf_addc(out, '-');
	buf_add(out, str_of(months + (month - 1) * 3, 3));
	buf_addc(out, '-');
	put_two(out, year / 100);
	put_two(out, year % 100);
	buf_addc(out, ' ');
	put_two(out, rest / 3600);
	buf_addc(out, ':');
	put_two(out, rest / 60 % 60);
	buf_addc(out, ':');
	put_two(out, rest % 60);
	buf_add(out, STR(" +0000\""));
}

static void next_item(struct buf *out, struct str name)
{
	if (out->p[out->n - 1] != '(')
		buf_addc(out, ' ');
	buf_add(out, name);
}

/* What the row itself knows. The answer is begun. */
static void put_row(const struct fetching *f, size_t row)
{
	struct buf *out = &f->s->wire.out;
	struct mbox_view *v = f->s->view;
	const struct mbox_row *m = &v->rows[row];

	buf_add(out, STR("* "));
	put_number(out, row + 1);
	buf_add(out, STR(" FETCH ("));
	if (f->items & ITEM_UID) {
		next_item(out, STR("UID "));
		put_number(out, m->uid);
	}
	if (f->items & ITEM_FLAGS || m->marks & ROW_CHANGED) {
		next_item(out, STR("FLAGS "));
		flags_put(out, v, m->flags, m->marks & ROW_RECENT);
	}
	if (f->items & ITEM_MODSEQ || (m->marks & ROW_CHANGED && f->s->enabled & ENABLED_CONDSTORE)) {
		next_item(out, STR("MODSEQ ("));
		put_number(out, m->modseq);
		buf_addc(out, ')');
	}
	report_told(v, row);
}

static void put_facts(const struct fetching *f, const struct mbox_facts *facts)
{
	struct buf *out = &f->s->wire.out;

	if (f->items & ITEM_DATE) {
		next_item(out, STR("INTERNALDATE "));
		put_date(out, facts->arrival);
	}
	if (f->items & ITEM_SIZE) {
		next_item(out, STR("RFC822.SIZE "));
		put_number(out, (uint64_t)facts->vsize);
	}
	if (f->items & ITEM_ENVELOPE) {
		next_item(out, STR("ENVELOPE "));
		buf_add(out, facts->envelope);
	}
	if (f->items & ITEM_STRUCTURE) {
		next_item(out, STR("BODYSTRUCTURE "));
		buf_add(out, facts->structure);
	}
	if (f->items & ITEM_BODY) {
		next_item(out, STR("BODY "));
		buf_add(out, facts->body);
	}
}

static unsigned wanted(unsigned items)
{
	return (items & (ITEM_DATE | ITEM_SIZE) ? WANT_SIZES : 0) | (items & ITEM_ENVELOPE ? WANT_ENVELOPE : 0) |
	       (items & ITEM_STRUCTURE ? WANT_STRUCTURE : 0) | (items & ITEM_BODY ? WANT_BODY : 0);
}

/* A message without sections: it is whole with its facts. */
static bool see_row(void *ctx, size_t row, const struct mbox_facts *facts)
{
	const struct fetching *f = ctx;

	put_row(f, row);
	put_facts(f, facts);
	buf_add(&f->s->wire.out, STR(")\r\n"));
	return f->s->wire.out.n < WIRE_FLUSH_AT;
}

static enum mbox_result fetch_facts(struct fetching *f, const size_t *which, size_t n, struct err *err)
{
	enum mbox_result result = MBOX_OK;

	while (n > 0 && !result && !f->s->wire.broken) {
		size_t done = 0, missing = 0;
		result = mbox_view_facts(f->s->view, which, n, wanted(f->items), see_row, f, &done, &missing, err);
		f->missing += missing;
		wire_flush(&f->s->wire);
		if (done == 0)
			break;
		which += done;
		n -= done;
	}
	return result;
}

static void fetch_rows(struct fetching *f, const size_t *which, size_t n)
{
	for (size_t i = 0; i < n && !f->s->wire.broken; i++) {
		put_row(f, which[i]);
		buf_add(&f->s->wire.out, STR(")\r\n"));
		wire_tide(&f->s->wire);
	}
}

static void put_literal_head(struct buf *out, const struct section *section, uint64_t n)
{
	next_item(out, section->name);
	if (section->partial.has)
		buf_addf(out, "<%u>", section->partial.from);
	buf_add(out, STR(" {"));
	put_number(out, n);
	buf_add(out, STR("}\r\n"));
}

static void put_nil(struct buf *out, const struct section *section)
{
	next_item(out, section->name);
	if (section->partial.has)
		buf_addf(out, "<%u>", section->partial.from);
	buf_add(out, STR(" NIL"));
}

/* False: the file cannot be read further, when its length has been told already. */
static bool put_section(struct fetching *f, const struct section *section, struct body *b)
{
	scoped_buf struct buf made = { 0 };
	struct extent x = { 0 };
	uint64_t size = 0;

	enum section_found found = section_find(section, b, &made, &x);
	if (found == SECTION_FOUND && !extent_size(b, &x, &size))
		found = SECTION_FAILED;
	f->failed += found == SECTION_FAILED;
	if (found != SECTION_FOUND) {
		put_nil(&f->s->wire.out, section);
		return true;
	}
	uint64_t from = 0, to = size;
	if (section->partial.has) {
		from = section->partial.from < size ? section->partial.from : size;
		to = section->partial.n < size - from ? from + section->partial.n : size;
	}
	put_literal_head(&f->s->wire.out, section, to - from);
	return extent_send(b, &x, from, to, &f->s->wire);
}

struct facts_kept {
	struct fetching *f;
	struct buf text; /* as put_facts has it */
	bool seen;
};

/* With sections, the facts of one message wait until its file is open. */
static bool keep_facts(void *ctx, size_t row, const struct mbox_facts *facts)
{
	struct facts_kept *k = ctx;
	struct buf *out = &k->f->s->wire.out;
	size_t at = out->n;

	(void)row;
	buf_addc(out, '(');
	put_facts(k->f, facts);
	buf_add(&k->text, str_skip(buf_str(out), at + 1));
	out->n = at;
	k->seen = true;
	return true;
}

/* What has been begun must be a whole answer: the client would take the next line for a part of it. */
static void give_up(struct session *s)
{
	s->wire.broken = true;
	s->over = true;
}

static void put_sections(struct fetching *f, struct body *b)
{
	for (size_t i = 0; i < f->fetch->n && !f->s->wire.broken; i++)
		if (!put_section(f, &f->fetch->sections[i], b))
			give_up(f->s);
}

/* A message with sections: only when its file can be opened does the answer begin. */
static enum mbox_result fetch_one(struct fetching *f, size_t row, struct err *err)
{
	struct facts_kept kept = { .f = f };
	enum mbox_result result = MBOX_OK;
	struct buf *out = &f->s->wire.out;
	size_t done, missing;

	if (wanted(f->items))
		result = mbox_view_facts(f->s->view, &row, 1, wanted(f->items), keep_facts, &kept, &done, &missing,
					 err);
	struct body *b = result || (wanted(f->items) && !kept.seen) ? NULL : body_open(f->s, row);
	if (b) {
		put_row(f, row);
		if (kept.text.n > 0) {
			next_item(out, STR(""));
			buf_add(out, buf_str(&kept.text));
		}
		put_sections(f, b);
		buf_add(out, STR(")\r\n"));
		wire_tide(&f->s->wire);
	} else if (!result && wanted(f->items) && !kept.seen) {
		f->missing++;
	} else if (!result) {
		f->missing += errno == ENOENT;
		f->failed += errno != ENOENT;
	}
	buf_free(&kept.text);
	return result;
}

/* On disk before they are sent. When it cannot be, the messages are still sent, as unseen as before. */
static void set_seen(struct fetching *f, const size_t *which, size_t n)
{
	size_t fresh[SEEN_AT_ONCE], refused[SEEN_AT_ONCE], n_fresh = 0, n_refused;
	struct mbox_store store = { .how = STORE_ADD, .flags = MBOX_SEEN, .unchanged_since = UINT64_MAX };

	for (size_t i = 0; i < n; i++)
		if (!(f->s->view->rows[which[i]].flags & MBOX_SEEN))
			fresh[n_fresh++] = which[i];
	if (n_fresh > 0)
		mbox_view_store(f->s->view, fresh, n_fresh, &store, refused, &n_refused, NULL);
	report_new_keywords(f->s);
}

static enum mbox_result fetch_sections(struct fetching *f, const size_t *which, size_t n, struct err *err)
{
	bool sees = fetch_sees(f->fetch) && !f->s->view->readonly;
	enum mbox_result result = MBOX_OK;

	for (size_t i = 0; i < n && !result && !f->s->wire.broken; i++) {
		if (sees && i % SEEN_AT_ONCE == 0)
			set_seen(f, which + i, n - i < SEEN_AT_ONCE ? n - i : SEEN_AT_ONCE);
		result = fetch_one(f, which[i], err);
	}
	return result;
}

/* Then the next command asks for the next piece. */
static bool asks_for_pieces(const struct fetch *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->sections[i].partial.has)
			return true;
	return false;
}

static void drop_unchanged(const struct mbox_view *v, uint64_t modseq, struct rows *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (v->rows[rows->which[i]].modseq > modseq)
			rows->which[n++] = rows->which[i];
	rows->n = n;
}

static bool take_fetch(struct session *s, struct request *r, struct sequence *set, struct fetch *fetch,
		       struct rows *rows)
{
	if (!parse_space(&r->in) || !parse_sequence(&r->in, set) || !fetch_parse(&r->in, fetch))
		return answer_bad(r, NULL);
	if (fetch->vanished && !(r->uid && (s->enabled & ENABLED_QRESYNC)))
		return answer_bad(r, "VANISHED is for UID FETCH after ENABLE QRESYNC");
	return rows_of(s, r, set, r->uid, rows);
}

void cmd_fetch(struct session *s, struct request *r)
{
	struct fetch fetch = { 0 };
	struct fetching f = { .s = s, .r = r, .fetch = &fetch };
	enum mbox_result result = MBOX_OK;
	struct err err = { 0 };
	struct sequence set;
	struct rows rows;

	if (!take_fetch(s, r, &set, &fetch, &rows))
		return;
	f.items = fetch.items | (r->uid ? ITEM_UID : 0);
	if (f.items & ITEM_MODSEQ)
		session_enable(s, ENABLED_CONDSTORE);
	if (fetch.since)
		drop_unchanged(s->view, fetch.modseq, &rows);
	if (fetch.vanished)
		vanished_tell(s, &set, fetch.modseq);
	if (fetch.n > 0)
		result = fetch_sections(&f, rows.which, rows.n, &err);
	else if (wanted(f.items))
		result = fetch_facts(&f, rows.which, rows.n, &err);
	else
		fetch_rows(&f, rows.which, rows.n);
	if (!asks_for_pieces(&fetch))
		body_forget(s);
	if (!answer_mbox(r, result, &err, "NONEXISTENT"))
		return;
	if (f.failed > 0)
		answer_no(r, "UNAVAILABLE", "some of the messages cannot be read");
	else if (f.missing > 0 && !r->uid) /* a UID that is no more is nothing wrong (RFC 3501, 6.4.8) */
		answer_no(r, "EXPUNGEISSUED", "some of the messages are no more");
}
