#include "vanished.h"

/* The log does not reach back so far: then all of the set that are missing count, which is right but long. */
static void put_missing(const struct mbox_view *v, const struct sequence *set, struct set_writer *w)
{
	size_t row = 0;

	for (size_t i = 0; i < set->n; i++) {
		uint64_t uid = set->ranges[i].from, to = set->ranges[i].to;
		if (to >= v->uidnext)
			to = v->uidnext - 1;
		while (uid <= to) {
			while (row < v->n && v->rows[row].uid < uid)
				row++;
			uint64_t next = row < v->n && v->rows[row].uid <= to ? v->rows[row].uid : to + 1;
			if (uid < next)
				set_add_range(w, (uint32_t)uid, (uint32_t)(next - 1));
			uid = next + 1;
		}
	}
}

static void put_logged(const struct buf *uids, const struct sequence *set, struct set_writer *w)
{
	uint32_t uid;

	for (size_t at = 0; at + sizeof(uid) <= uids->n; at += sizeof(uid)) {
		memcpy(&uid, uids->p + at, sizeof(uid));
		if (sequence_has(set, uid))
			set_add(w, uid);
	}
}

void vanished_tell(struct session *s, struct sequence *set, uint64_t modseq)
{
	scoped_buf struct buf uids = { 0 }, text = { 0 };
	struct set_writer w = { .out = &text };

	sequence_normalize(set, s->view->uidnext > 1 ? s->view->uidnext - 1 : 1);
	if (mbox_view_vanished(s->view, modseq, &uids))
		put_logged(&uids, set, &w);
	else
		put_missing(s->view, set, &w);
	set_end(&w);
	if (text.n == 0)
		return;
	wire_put(&s->wire, STR("* VANISHED (EARLIER) "));
	wire_put(&s->wire, buf_str(&text));
	wire_put(&s->wire, STR("\r\n"));
}
