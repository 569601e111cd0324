/* SELECT EXAMINE CLOSE UNSELECT EXPUNGE: a folder as a whole. With CONDSTORE and QRESYNC (RFC 7162). */
#include "flags.h"
#include "names.h"
#include "report.h"
#include "rows.h"
#include "vanished.h"

/* What a client that comes back knows. */
struct resync {
	bool asked;
	uint32_t uidvalidity;
	uint64_t modseq;
	struct sequence known; /* n 0: all */
};

/* Pairs of numbers and UIDs, by which less need be told; what is told without them is right too. */
static bool take_match(struct parse *p)
{
	struct sequence numbers, uids;

	return parse_char(p, '(') && parse_sequence(p, &numbers) && parse_space(p) && parse_sequence(p, &uids) &&
	       parse_char(p, ')');
}

static bool take_resync(struct parse *p, struct resync *out)
{
	out->asked = true;
	if (!parse_space(p) || !parse_char(p, '(') || !parse_nz_number(p, &out->uidvalidity) || !parse_space(p) ||
	    !parse_number64(p, &out->modseq))
		return false;
	bool more = parse_try(p, ' ');
	if (more && parse_peek(p) != '(') {
		if (!parse_sequence(p, &out->known))
			return false;
		more = parse_try(p, ' ');
	}
	return (!more || take_match(p)) && parse_char(p, ')');
}

static bool take_params(struct session *s, struct request *r, unsigned *enable, struct resync *resync)
{
	struct parse *p = &r->in;

	if (p->rest.n == 0)
		return true;
	if (!parse_space(p) || !parse_char(p, '('))
		return answer_bad(r, NULL);
	do {
		if (parse_try_word(p, "CONDSTORE"))
			*enable |= ENABLED_CONDSTORE;
		else if (!parse_try_word(p, "QRESYNC"))
			return answer_bad(r, "no such parameter of SELECT");
		else if (!(s->enabled & ENABLED_QRESYNC))
			return answer_bad(r, "QRESYNC is not enabled");
		else if (!take_resync(p, resync))
			return answer_bad(r, NULL);
	} while (parse_try(p, ' '));
	return (parse_char(p, ')') && parse_end(p)) || answer_bad(r, NULL);
}

static size_t first_unseen(const struct mbox_view *v)
{
	size_t i = 0;

	while (i < v->n && (v->rows[i].flags & MBOX_SEEN))
		i++;
	return i < v->n ? i + 1 : 0;
}

static void tell_folder(struct session *s)
{
	const struct mbox_view *v = s->view;

	s->told = v->n;
	s->told_recent = report_count_recent(v);
	size_t unseen = first_unseen(v);
	report_keywords(s);
	wire_say(&s->wire, "* %zu EXISTS", s->told);
	wire_say(&s->wire, "* %zu RECENT", s->told_recent);
	if (unseen)
		wire_say(&s->wire, "* OK [UNSEEN %zu] the first one", unseen);
	wire_say(&s->wire, "* OK [UIDVALIDITY %u] of all UIDs", v->uidvalidity);
	wire_say(&s->wire, "* OK [UIDNEXT %u] or more", v->uidnext);
	wire_say(&s->wire, "* OK [HIGHESTMODSEQ %llu] so far", (unsigned long long)v->modseq);
}

static void tell_since(struct session *s, struct resync *q)
{
	const struct mbox_view *v = s->view;
	struct range all = { 1, 0 };

	if (q->known.n == 0)
		q->known = (struct sequence){ &all, 1 };
	vanished_tell(s, &q->known, q->modseq);
	for (size_t i = 0; i < v->n; i++)
		if (v->rows[i].modseq > q->modseq && sequence_has(&q->known, v->rows[i].uid))
			report_flags(s, i, true);
}

static void open_folder(struct session *s, struct request *r, bool readonly)
{
	struct resync resync = { 0 };
	unsigned enable = 0;
	struct err err = { 0 };
	struct str name;

	if (!name_take(r, &name) || !take_params(s, r, &enable, &resync)) {
		if (r->status == ANSWER_NO) /* a failed SELECT leaves none selected (RFC 3501, 6.3.1) */
			session_unselect(s);
		return;
	}
	if (s->view && (s->enabled & ENABLED_QRESYNC))
		wire_say(&s->wire, "* OK [CLOSED] the folder before");
	session_unselect(s);
	session_enable(s, enable);
	enum mbox_result result = mbox_view_open(s->user, name, readonly, &s->view, &err);
	if (!answer_mbox(r, result, &err, "NONEXISTENT"))
		return;
	tell_folder(s);
	if (resync.asked && resync.uidvalidity == s->view->uidvalidity)
		tell_since(s, &resync);
	answer_ok(r, "%s done", r->verb);
	buf_add(&r->code, readonly ? STR("READ-ONLY") : STR("READ-WRITE"));
}

void cmd_select(struct session *s, struct request *r)
{
	open_folder(s, r, false);
}

void cmd_examine(struct session *s, struct request *r)
{
	open_folder(s, r, true);
}

void cmd_unselect(struct session *s, struct request *r)
{
	if (request_end(r))
		session_unselect(s);
}

/* Those that are marked \Deleted, and in `only` when that is not NULL. */
static bool expunge(struct session *s, struct request *r, const struct sequence *only)
{
	struct mbox_view *v = s->view;
	struct err err = { 0 };

	mbox_view_sync(v, NULL); /* what other sessions have marked counts too (RFC 3501, 6.4.3) */
	size_t *which = arena_array(&r->arena, v->n + 1, sizeof(*which)), n = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct mbox_row *m = &v->rows[i];
		if ((m->flags & MBOX_TRASHED) && !(m->marks & ROW_GONE) && (!only || sequence_has(only, m->uid)))
			which[n++] = i;
	}
	if (n == 0)
		return true;
	return answer_mbox(r, mbox_view_expunge(v, which, n, &err), &err, "NONEXISTENT");
}

void cmd_expunge(struct session *s, struct request *r)
{
	struct sequence set;

	if (r->uid && (!parse_space(&r->in) || !parse_sequence(&r->in, &set))) {
		answer_bad(r, NULL);
		return;
	}
	if (!request_end(r))
		return;
	if (s->view->readonly) {
		answer_no(r, "CANNOT", "the folder is selected read-only");
		return;
	}
	if (r->uid)
		sequence_normalize(&set, rows_star(s->view, true));
	r->modseq = expunge(s, r, r->uid ? &set : NULL);
}

void cmd_close(struct session *s, struct request *r)
{
	if (!request_end(r) || (!s->view->readonly && !expunge(s, r, NULL)))
		return;
	if (s->enabled & ENABLED_QRESYNC)
		buf_addf(&r->code, "HIGHESTMODSEQ %llu", (unsigned long long)s->view->modseq);
	session_unselect(s);
}
