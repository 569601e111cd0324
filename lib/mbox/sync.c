#include "mbox/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum {
	SCAN_TRIES = 4,
	SCAN_PAUSE_NS = 25000000,
	UNSURE_US = 2000000,	  /* a stamp may hide another program's change for so long */
	UNSURE_US_A_MESSAGE = 50, /* and longer in a large folder, so that looking costs a few hundredths of the time */
};

void mbox_stamp_move(struct mbox_stamp *stamp, const struct mbox_sight *before, const struct mbox_sight *after)
{
	if (stamp->ino != before->ino || stamp->changed_ns != before->changed_ns)
		return; /* it did not fit before: the directory will be read */
	stamp->changed_ns = after->changed_ns;
	if (stamp->unsure_us == 0)
		stamp->unsure_us = mbox_now_ns() / 1000;
}

static bool fits(const struct mbox_stamp *stamp, const struct mbox_sight *sight, uint32_t messages)
{
	if (stamp->changed_ns == 0 || stamp->ino != sight->ino || stamp->changed_ns != sight->changed_ns)
		return false;
	int64_t age = mbox_now_ns() / 1000 - stamp->unsure_us;
	return stamp->unsure_us == 0 || (age >= 0 && age < UNSURE_US + (int64_t)messages * UNSURE_US_A_MESSAGE);
}

static enum mbox_result read_row(struct mbox_user *u, const struct mbox_place *p, struct mbox_index_folder *d,
				 struct err *err)
{
	struct mbox_tx tx;
	int code = mbox_index_read(&u->index, &tx);

	*d = (struct mbox_index_folder){ 0 };
	if (!code) {
		code = mbox_row_folder(&tx, p->record.id, d);
		mbox_index_end(&tx);
	}
	return code == 0 || code == MDB_NOTFOUND ? MBOX_OK : mbox_index_failed(&u->index, code, err);
}

static bool is_of(const struct mbox_index_folder *d, const struct mbox_place *p)
{
	return d->number != 0 && d->uidvalidity == p->record.uidvalidity && d->ino == p->ino;
}

static enum mbox_result load_row(struct mbox_sync *s, struct err *err)
{
	struct mbox_index_folder *d = &s->d;
	enum mbox_result r = read_row(s->u, s->p, d, err);

	if (r || is_of(d, s->p))
		return r;
	if (d->number && d->ino != s->p->ino &&
	    ((r = mbox_place_part(s->p, d->ino, err)) || (r = read_row(s->u, s->p, d, err))))
		return r;
	if (d->uidvalidity != s->p->record.uidvalidity) /* new to the index, or its record is another one */
		*d = (struct mbox_index_folder){ .uidvalidity = s->p->record.uidvalidity };
	d->ino = s->p->ino;
	d->new = d->cur = (struct mbox_stamp){ 0 };
	return MBOX_OK;
}

/* ---- reading the directories ---- */

static int fill_plan(struct mbox_sync *s)
{
	struct mbox_tx tx;
	int code = mbox_index_read(&s->u->index, &tx);

	if (code)
		return code;
	code = mbox_plan_tags(&tx, &s->d, s->given, &s->p->f, s->whole, &s->plan);
	if (!code)
		code = mbox_plan_compare(&tx, &s->d, s->whole, &s->plan);
	mbox_index_end(&tx);
	return code;
}

static bool has_tag(const struct mbox_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->m[i].uid)
			return true;
	return false;
}

static enum mbox_result list_files(struct mbox_sync *s, struct err *err)
{
	const struct mbox_record *r = &s->p->record;
	enum mbox_result result;

	mbox_plan_free(&s->plan);
	s->at_ns = mbox_now_ns();
	if ((result = mbox_place_look(s->p, &s->new, &s->cur, err)))
		return result;
	return mbox_scan_once(&s->p->f, r->uidvalidity, r->uidnext, s->whole, &s->plan.list, err);
}

static enum mbox_result scan(struct mbox_sync *s, struct err *err)
{
	enum mbox_result r = list_files(s, err);

	if (!r && !s->whole && has_tag(&s->plan.list)) { /* which of them is valid, only the whole folder tells */
		s->whole = true;
		r = list_files(s, err);
	}
	if (r)
		return r;
	int code = fill_plan(s);
	return code ? mbox_index_failed(&s->u->index, code, err) : MBOX_OK;
}

static bool same_sight(const struct mbox_sight *a, const struct mbox_sight *b)
{
	return a->ino == b->ino && a->changed_ns == b->changed_ns;
}

/*
 * Reads until nothing was changed meanwhile. A message that another program renames may not be seen at all, so one that is missing
 * counts as gone only when no change can have been overlooked.
 */
static enum mbox_result scan_stable(struct mbox_sync *s, struct err *err)
{
	const struct timespec pause = { .tv_nsec = SCAN_PAUSE_NS };
	struct mbox_sight new, cur;

	for (int try = 0; try < SCAN_TRIES; try++) {
		enum mbox_result r = scan(s, err);
		if (r || (r = mbox_place_look(s->p, &new, &cur, err)))
			return r;
		s->restless = !same_sight(&new, &s->new) || !same_sight(&cur, &s->cur);
		bool all = s->plan.n_gone > 0 || (s->d.number && s->d.uidnext > s->given);
		if (!all || (!s->restless && mbox_sight_settled(&cur, s->at_ns) && mbox_sight_settled(&new, s->at_ns)))
			return MBOX_OK;
		nanosleep(&pause, NULL);
	}
	s->plan.n_gone = 0;
	s->again = true;
	return MBOX_OK;
}

/* ---- UIDs and names ---- */

/* A UID that the index did not know to be given: by another process, or before the index lost its last change. */
static void raise_uidnext(struct mbox_sync *s)
{
	const struct mbox_list *l = &s->plan.list;

	for (size_t i = l->n; i > 0; i--) {
		if (l->m[i - 1].uid >= s->d.uidnext)
			s->d.uidnext = l->m[i - 1].uid + 1;
		if (l->m[i - 1].uid)
			return;
	}
}

static enum mbox_result take_new(struct mbox_sync *s, struct err *err)
{
	struct mbox_list *l = &s->plan.list;
	size_t from = l->n;
	uint32_t first;
	enum mbox_result r;

	while (from > 0 && l->m[from - 1].uid == 0)
		from--;
	if (from == l->n)
		return MBOX_OK;
	if ((r = mbox_folder_soil(&s->p->f, err)))
		return r;
	r = mbox_place_uids(s->p, &s->d, l->n - from, &first, err);
	if (r == MBOX_FULL) { /* they wait; the others can be read, and removed */
		s->again = true;
		l->n = from;
		return MBOX_OK;
	}
	if (r)
		return r;
	s->again |= !mbox_take_all(&s->p->f, s->p->record.uidvalidity, l, from, first);
	s->named = true;
	return MBOX_OK;
}

/* A message with a UID in new/: it is moved as any other program would that has seen it. */
static void move_to_cur(struct mbox_sync *s, size_t i)
{
	struct mbox_message *m = &s->plan.list.m[i];

	if (mbox_take_to_cur(&s->p->f, &s->plan.list, m)) {
		s->plan.what[i] |= PLAN_NAME;
		s->named = true;
	} else if (errno == ENOENT) {
		s->again = true;
	}
}

static void settle_names(struct mbox_sync *s)
{
	struct mbox_plan *plan = &s->plan;

	plan->n_changes = plan->n_gone;
	for (size_t i = 0; i < plan->list.n; i++) {
		struct mbox_message *m = &plan->list.m[i];
		if (m->in_new)
			move_to_cur(s, i);
		if (plan->what[i] & PLAN_ADD && !mbox_sizes_known(&s->p->f, &plan->list, m)) {
			s->again |= errno == ENOENT;
			plan->what[i] = 0;
		}
		plan->n_changes += (plan->what[i] & (PLAN_ADD | PLAN_FLAGS)) != 0;
		plan->n_names += (plan->what[i] & PLAN_NAME) != 0;
	}
}

/* ---- all of it ---- */

static uint32_t count_keywords(const struct mbox_record *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < COUNT(r->keywords); i++)
		n += r->keywords[i].n > 0;
	return n;
}

static struct mbox_stamp stamp(const struct mbox_sync *s, const struct mbox_sight *sight)
{
	bool sure = mbox_sight_settled(sight, s->at_ns) && !s->again;

	return (struct mbox_stamp){ sight->ino, sight->changed_ns, sure ? 0 : s->at_ns / 1000 };
}

/*
 * What was read is as it was before it was read; what we named ourselves comes on top. When another program was at work, the
 * stamp of before stays: it fits no more, and the next one reads again.
 */
static enum mbox_result take_stamps(struct mbox_sync *s, struct err *err)
{
	struct mbox_sight new, cur;
	struct mbox_index_folder *d = &s->d;
	enum mbox_result r = mbox_place_look(s->p, &new, &cur, err);

	if (r)
		return r;
	d->new = stamp(s, &s->new);
	if (s->whole)
		d->cur = stamp(s, &s->cur);
	if (s->named && !s->restless) {
		mbox_stamp_move(&d->new, &s->new, &new);
		mbox_stamp_move(&d->cur, &s->cur, &cur);
	}
	return MBOX_OK;
}

static enum mbox_result take_in(struct mbox_sync *s, struct err *err)
{
	enum mbox_result r = scan_stable(s, err);

	if (r)
		return r;
	raise_uidnext(s);
	if ((r = take_new(s, err)))
		return r;
	settle_names(s);
	if (s->plan.n_changes)
		mbox_fresh_take(&s->p->f, &s->fresh);
	if (s->named && (r = mbox_flush_names(&s->p->f, err)))
		return r;
	if ((s->plan.n_changes || s->d.number == 0) && (r = mbox_place_modseq(s->p, &s->d, err)))
		return r;
	return take_stamps(s, err);
}

/* Whether users would see no difference. */
static bool same_row(const struct mbox_index_folder *a, const struct mbox_index_folder *b)
{
	return a->keywords == b->keywords && a->uidnext == b->uidnext && a->modseq == b->modseq;
}

static enum mbox_result sync_locked(struct mbox_sync *s, bool doubt, struct err *err)
{
	struct mbox_index_folder before;
	enum mbox_result r = load_row(s, err);

	if (r)
		return r;
	before = s->d;
	bool fresh = s->d.number == 0;
	s->given = s->d.uidnext;
	mbox_place_reserved(s->p, &s->d);
	doubt |= !fresh && s->d.uidnext > s->given; /* all of those must be seen now: later, what is not known is gone */
	if (fresh)
		s->d.recent_from = s->d.uidnext;
	s->d.keywords = count_keywords(&s->p->record);
	if ((r = mbox_place_look(s->p, &s->new, &s->cur, err)))
		return r;
	bool new = doubt || !fits(&s->d.new, &s->new, 0), cur = doubt || !fits(&s->d.cur, &s->cur, s->d.messages);
	if (!new && !cur)
		return same_row(&before, &s->d) ? MBOX_OK : mbox_sync_write(s, err);
	s->whole = cur || s->d.in_new > 0;
	r = take_in(s, err);
	return r ? r : mbox_sync_write(s, err);
}

static void sync_free(struct mbox_sync *s)
{
	mbox_plan_free(&s->plan);
	mbox_fresh_free(&s->fresh);
}

static enum mbox_result run(struct mbox_user *u, struct mbox_place *p, bool doubt, struct mbox_index_folder *d,
			    struct err *err)
{
	struct mbox_sync s = { .u = u, .p = p };
	enum mbox_result r = sync_locked(&s, doubt, err);

	if (r && u->index.damaged) { /* a new one, and from the beginning: what was done to names stays right */
		sync_free(&s);
		s = (struct mbox_sync){ .u = u, .p = p };
		r = mbox_index_ready(&u->index, err);
		if (!r)
			r = sync_locked(&s, doubt, err);
	}
	sync_free(&s);
	*d = s.d;
	return r;
}

enum mbox_result mbox_sync_again(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d,
				 struct err *err)
{
	return run(u, p, true, d, err);
}

enum mbox_result mbox_sync_lock(struct mbox_user *u, struct mbox_place *p, bool doubt, struct mbox_index_folder *d,
				struct err *err)
{
	enum mbox_result r = mbox_place_lock(p, err);

	if (r)
		return r;
	/* the index is looked for under the lock: no other one can come to know this folder meanwhile */
	r = mbox_index_ready(&u->index, err);
	if (!r)
		r = run(u, p, doubt, d, err);
	if (r)
		mbox_folder_unlock(&p->f, false);
	return r;
}

/* Whether the index knows the folder as it is. */
static enum mbox_result look(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d, struct mbox_sight *cur,
			     bool *known, struct err *err)
{
	struct mbox_sight new;
	enum mbox_result r = mbox_place_look(p, &new, cur, err);

	*known = false;
	if (r)
		return r;
	r = read_row(u, p, d, err);
	if (r)
		return u->index.damaged ? MBOX_OK : r;
	*known = is_of(d, p) && fits(&d->new, &new, 0) && fits(&d->cur, cur, d->messages);
	return MBOX_OK;
}

static bool just_changed(const struct mbox_sight *cur, const struct mbox_index_folder *d)
{
	return d->number && cur->changed_ns != d->cur.changed_ns && !mbox_sight_settled(cur, mbox_now_ns());
}

/*
 * Most often it is one of ours who has just changed it, and tells the index before it gives the lock back. After another
 * program's change a short wait makes one reading enough to be sure of it.
 */
static enum mbox_result look_again(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d, struct mbox_sight *cur,
				   bool *known, struct err *err)
{
	const struct timespec pause = { .tv_nsec = SCAN_PAUSE_NS };
	enum mbox_result r = mbox_place_lock(p, err);

	if (r)
		return r;
	mbox_folder_unlock(&p->f, false);
	if ((r = look(u, p, d, cur, known, err)) || *known)
		return r;
	if (just_changed(cur, d))
		nanosleep(&pause, NULL);
	return MBOX_OK;
}

enum mbox_result mbox_sync(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d, struct err *err)
{
	struct mbox_sight cur;
	bool known;
	enum mbox_result r = mbox_index_ready(&u->index, err);

	if (r || (r = look(u, p, d, &cur, &known, err)) || known)
		return r;
	if (just_changed(&cur, d) && ((r = look_again(u, p, d, &cur, &known, err)) || known))
		return r;
	if ((r = mbox_sync_lock(u, p, false, d, err)))
		return r;
	mbox_folder_unlock(&p->f, true);
	return MBOX_OK;
}
