#include "mbox/enter.h"

/* With its texts, when the delivery has left them. */
static int add_one(struct mbox_tx *tx, struct mbox_index_folder *d, const struct mbox_message *m,
		   const struct mbox_fresh *fresh)
{
	struct mbox_facts_row facts = mbox_message_facts(m);
	struct str base = mbox_message_base(m);
	const struct mbox_fresh_texts *t = mbox_fresh_find(fresh, str_cut(&base, ','), m->size);
	int code = mbox_row_add(tx, d, m->uid, m->flags, &facts);

	return code || !t ? code : mbox_row_texts_put(tx, d->number, m->uid, t->envelope, t->structure);
}

static int apply_one(struct mbox_tx *tx, struct mbox_index_folder *d, const struct mbox_message *m, uint8_t what)
{
	struct mbox_facts_row facts = mbox_message_facts(m);
	int code = 0;

	if (what & PLAN_FLAGS)
		code = mbox_row_change(tx, d, m->uid, m->flags);
	if (what & PLAN_NAME && !code)
		code = mbox_row_rename(tx, d, m->uid, &facts);
	return code;
}

static int apply_plan(struct mbox_tx *tx, struct mbox_index_folder *d, const struct mbox_sync *s)
{
	const struct mbox_plan *plan = &s->plan;
	int code = mbox_row_batch(tx, d, plan->n_changes);

	for (size_t i = 0; i < plan->list.n && !code; i++) {
		const struct mbox_message *m = &plan->list.m[i];
		if (plan->what[i] & PLAN_ADD)
			code = add_one(tx, d, m, &s->fresh);
		else if (plan->what[i])
			code = apply_one(tx, d, m, plan->what[i]);
	}
	for (size_t i = 0; i < plan->n_gone && !code; i++)
		code = mbox_row_remove(tx, d, plan->gone[i]);
	return code ? code : mbox_row_trim(tx, d);
}

struct write {
	struct mbox_sync *s;
	struct mbox_index_folder out;
};

static int write_all(struct mbox_tx *tx, void *ctx)
{
	struct write *w = ctx;
	const char *id = w->s->p->record.id;
	struct mbox_index_folder *d = &w->out, there;
	int code = mbox_row_folder(tx, id, &there);
	bool fresh = w->s->d.number == 0;

	*d = w->s->d;
	if (!code && fresh) /* of another record with this id */
		code = mbox_row_folder_remove(tx, id, there.number);
	else if (!code)
		d->recent_from = there.recent_from; /* is claimed without the lock */
	if (fresh && (!code || code == MDB_NOTFOUND)) {
		code = mbox_row_number(tx, &d->number);
		d->changes_floor = d->gone_floor = d->modseq; /* of what was before, the logs know nothing */
	}
	if (!code)
		code = apply_plan(tx, d, w->s);
	return code ? code : mbox_row_folder_put(tx, id, d);
}

enum mbox_result mbox_sync_write(struct mbox_sync *s, struct err *err)
{
	struct write w = { .s = s };
	int code = mbox_index_write(&s->u->index, write_all, &w);

	if (code)
		return mbox_index_failed(&s->u->index, code, err);
	s->d = w.out;
	return MBOX_OK;
}
