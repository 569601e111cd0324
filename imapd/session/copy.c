/* COPY and MOVE (RFC 3501, 6.4.7; 4315 UIDPLUS; 6851). */
#include "names.h"
#include "rows.h"

/* "COPYUID v from to": those that were gone already have no UID there. */
static void put_copyuid(struct buf *out, const struct mbox_view *v, const struct rows *rows, uint32_t uidvalidity,
			const uint32_t *uids)
{
	struct set_writer from = { .out = out }, to = { .out = out };

	buf_addf(out, "COPYUID %u ", uidvalidity);
	for (size_t i = 0; i < rows->n; i++)
		if (uids[i])
			set_add(&from, v->rows[rows->which[i]].uid);
	set_end(&from);
	buf_addc(out, ' ');
	for (size_t i = 0; i < rows->n; i++)
		if (uids[i])
			set_add(&to, uids[i]);
	set_end(&to);
}

/* A move tells it before the EXPUNGEs (RFC 6851, 4.3). */
static void tell_copied(struct session *s, struct request *r, const struct rows *rows, bool move, uint32_t uidvalidity,
			const uint32_t *uids)
{
	bool any = false;

	for (size_t i = 0; i < rows->n; i++)
		any = any || uids[i];
	if (!any)
		return;
	if (!move) {
		put_copyuid(&r->code, s->view, rows, uidvalidity, uids);
		return;
	}
	buf_add(&s->wire.out, STR("* OK ["));
	put_copyuid(&s->wire.out, s->view, rows, uidvalidity, uids);
	buf_add(&s->wire.out, STR("] moved\r\n"));
}

static void copy_rows(struct session *s, struct request *r, struct rows *rows, struct str to, bool move)
{
	uint32_t *uids = arena_array(&r->arena, rows->n + 1, sizeof(*uids)), uidvalidity = 0;
	struct err err = { 0 };
	size_t moved = 0, missing = 0;
	enum mbox_result result =
		mbox_view_copy(s->view, rows->which, rows->n, to, move, &uidvalidity, uids, &moved, &err);

	answer_mbox(r, result, &err, "TRYCREATE");
	if (result && !move)
		return;
	if (result)
		rows->n = moved;
	for (size_t i = 0; i < rows->n; i++)
		missing += uids[i] == 0;
	/* COPYUID tells which ones were copied; NO would say that none was (RFC 3501, 6.4.7) */
	if (!result && missing == rows->n && !r->uid)
		answer_no(r, "EXPUNGEISSUED", "the messages are no more");
	tell_copied(s, r, rows, move, uidvalidity, uids);
	r->modseq = move;
}

static void copy(struct session *s, struct request *r, bool move)
{
	struct sequence set;
	struct rows rows;
	struct str to;

	if (!parse_space(&r->in) || !parse_sequence(&r->in, &set)) {
		answer_bad(r, NULL);
		return;
	}
	if (!name_take(r, &to) || !request_end(r))
		return;
	if (move && s->view->readonly)
		answer_no(r, "CANNOT", "the folder is selected read-only");
	else if (rows_of(s, r, &set, r->uid, &rows) && rows.n > 0)
		copy_rows(s, r, &rows, to, move);
}

void cmd_copy(struct session *s, struct request *r)
{
	copy(s, r, false);
}

void cmd_move(struct session *s, struct request *r)
{
	copy(s, r, true);
}
