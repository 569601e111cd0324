#include "report.h"

#include "flags.h"
#include "rows.h"

size_t report_count_recent(const struct mbox_view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += (v->rows[i].marks & (ROW_RECENT | ROW_GONE)) == ROW_RECENT;
	return n;
}

void report_told(struct mbox_view *v, size_t row)
{
	if (!(v->rows[row].marks & ROW_CHANGED))
		return;
	v->rows[row].marks &= (uint8_t)~ROW_CHANGED;
	v->n_changed--;
}

static bool may_make_keywords(const struct mbox_view *v)
{
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++)
		if (!v->keywords[i])
			return true;
	return false;
}

void report_keywords(struct session *s)
{
	struct buf *out = &s->wire.out;
	const struct mbox_view *v = s->view;

	buf_add(out, STR("* FLAGS ("));
	flags_put_all(out, v);
	buf_add(out, STR(")\r\n* OK [PERMANENTFLAGS ("));
	if (!v->readonly)
		flags_put_all(out, v);
	if (!v->readonly && may_make_keywords(v))
		buf_add(out, STR(" \\*"));
	buf_add(out, v->readonly ? STR(")] nothing can be changed\r\n") : STR(")] these last\r\n"));
	s->told_keywords = v->keywords_changed;
}

void report_new_keywords(struct session *s)
{
	if (s->told_keywords != s->view->keywords_changed)
		report_keywords(s);
}

void report_flags(struct session *s, size_t row, bool uid)
{
	struct buf *out = &s->wire.out;
	struct mbox_view *v = s->view;
	const struct mbox_row *m = &v->rows[row];

	report_new_keywords(s);
	buf_add(out, STR("* "));
	put_number(out, row + 1);
	buf_add(out, STR(" FETCH ("));
	if (uid || (s->enabled & ENABLED_QRESYNC)) {
		buf_add(out, STR("UID "));
		put_number(out, m->uid);
		buf_addc(out, ' ');
	}
	if (s->enabled & ENABLED_CONDSTORE) {
		buf_add(out, STR("MODSEQ ("));
		put_number(out, m->modseq);
		buf_add(out, STR(") "));
	}
	buf_add(out, STR("FLAGS "));
	flags_put(out, v, m->flags, m->marks & ROW_RECENT);
	buf_add(out, STR(")\r\n"));
	report_told(v, row);
	wire_tide(&s->wire);
}

static void tell_vanished(struct session *s)
{
	struct set_writer set = { .out = &s->wire.out };

	buf_add(&s->wire.out, STR("* VANISHED "));
	for (size_t i = 0; i < s->told; i++)
		if (s->view->rows[i].marks & ROW_GONE)
			set_add(&set, s->view->rows[i].uid);
	set_end(&set);
	buf_add(&s->wire.out, STR("\r\n"));
}

/* From the last to the first, so that no number that is told later has moved. */
static void tell_expunged(struct session *s)
{
	struct buf *out = &s->wire.out;

	for (size_t i = s->told; i-- > 0;) {
		if (!(s->view->rows[i].marks & ROW_GONE))
			continue;
		buf_add(out, STR("* "));
		put_number(out, i + 1);
		buf_add(out, STR(" EXPUNGE\r\n"));
		wire_tide(&s->wire);
	}
}

static void tell_gone(struct session *s)
{
	struct mbox_view *v = s->view;
	size_t n = 0;

	for (size_t i = 0; i < s->told; i++)
		n += (v->rows[i].marks & ROW_GONE) != 0;
	if (n > 0 && (s->enabled & ENABLED_QRESYNC))
		tell_vanished(s);
	else if (n > 0)
		tell_expunged(s);
	s->told -= n;
	mbox_view_forget(v);
}

static void tell_counts(struct session *s, bool gone)
{
	struct mbox_view *v = s->view;

	if (v->n == s->told && !gone)
		return;
	size_t recent = report_count_recent(v);
	if (v->n != s->told)
		wire_say(&s->wire, "* %zu EXISTS", v->n);
	if (recent != s->told_recent)
		wire_say(&s->wire, "* %zu RECENT", recent);
	s->told = v->n;
	s->told_recent = recent;
}

static void tell_changed(struct session *s, bool uid)
{
	struct mbox_view *v = s->view;

	for (size_t i = 0; v->n_changed > 0 && i < v->n; i++) {
		if (!(v->rows[i].marks & ROW_CHANGED))
			continue;
		if (v->rows[i].marks & ROW_GONE)
			report_told(v, i);
		else
			report_flags(s, i, uid);
	}
}

/* A folder that goes while it is selected leaves the client with numbers of nothing: it has to begin again. */
static void say_bye(struct session *s, enum mbox_result result)
{
	wire_say(&s->wire, result == MBOX_MISSING ? "* BYE the selected folder has been removed"
						  : "* BYE [UNAVAILABLE] the selected folder cannot be read any more");
	s->over = true;
}

void report_news(struct session *s, enum report_what what, bool uid)
{
	struct err err = { 0 };

	if (!s->view || what == REPORT_NOTHING)
		return;
	enum mbox_result result = mbox_view_sync(s->view, &err);
	if (result == MBOX_MISSING || result == MBOX_REFUSED) {
		say_bye(s, result);
		return;
	}
	bool gone = what == REPORT_ALL && s->view->n_gone > 0;
	report_new_keywords(s);
	if (gone)
		tell_gone(s);
	tell_counts(s, gone);
	tell_changed(s, uid);
}
