#include "mbox/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/fresh.h"
#include "mbox/texts.h"

enum {
	SCAN_TRIES = 4,
	SCAN_PAUSE_NS = 25000000,
	UNSURE_US = 2000000,	   /* a stamp may hide another program's change for so long */
	UNSURE_US_A_MESSAGE = 50,  /* and longer in a large folder, so that looking costs a few hundredths of the time */
};

struct sync {
	struct mbox_user *u;
	struct mbox_place *p;
	struct mbox_index_folder d;
	struct mbox_plan plan;
	struct mbox_fresh fresh;
	struct mbox_sight new, cur; /* before it was read */
	int64_t at_ns;		    /* when */
	bool whole;		    /* cur/ too */
	bool restless;		    /* another program has changed something meanwhile */
	bool again;		    /* something is left to do later */
	bool named;		    /* we have changed names */
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

/* ---- a folder that was copied, record and all ---- */

struct twin {
	const struct mbox_place *p;
	uint64_t ino;
	bool found;
};

static bool see_folder(void *ctx, struct str name, unsigned char type)
{
	struct twin *t = ctx;
	struct stat st;

	(void)type;
	if (name.p[0] == '.' && fstatat(t->p->home, name.p, &st, AT_SYMLINK_NOFOLLOW) == 0)
		t->found = S_ISDIR(st.st_mode) && st.st_ino == t->ino;
	return !t->found;
}

/* The one that the index knows keeps id and UIDs; this one becomes a folder of its own. */
static enum mbox_result part_from(struct mbox_place *p, uint64_t ino, struct err *err)
{
	struct twin t = { p, ino, false };
	struct mbox_record r = p->record;
	uint8_t id[16];
	enum mbox_result result;

	t.found = ino == p->f.home;
	if (p->f.inbox || (!t.found && mbox_walk_all(p->home, see_folder, &t) < 0) || !t.found)
		return MBOX_OK; /* the same folder under another inode: restored, or moved to another disk */
	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), r.id);
	r.uidnext = 1;
	r.n_uidls = 0;
	if ((result = mbox_draw_uidvalidity(p->home, &r.uidvalidity, err)) ||
	    (result = mbox_folder_store(&p->f, &r, err)))
		return result;
	return mbox_place_reload(p, err);
}

static enum mbox_result load_row(struct sync *s, struct err *err)
{
	struct mbox_index_folder *d = &s->d;
	enum mbox_result r = read_row(s->u, s->p, d, err);

	if (r || is_of(d, s->p))
		return r;
	if (d->number && d->ino != s->p->ino && ((r = part_from(s->p, d->ino, err)) || (r = read_row(s->u, s->p, d, err))))
		return r;
	if (d->uidvalidity != s->p->record.uidvalidity) /* new to the index, or its record is another one */
		*d = (struct mbox_index_folder){ .uidvalidity = s->p->record.uidvalidity };
	d->ino = s->p->ino;
	d->new = d->cur = (struct mbox_stamp){ 0 };
	return MBOX_OK;
}

/* ---- reading the directories ---- */

static int fill_plan(struct sync *s)
{
	struct mbox_tx tx;
	int code = mbox_index_read(&s->u->index, &tx);

	if (code)
		return code;
	code = mbox_plan_tags(&tx, &s->d, &s->p->f, s->whole, &s->plan);
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

static enum mbox_result list_files(struct sync *s, struct err *err)
{
	const struct mbox_record *r = &s->p->record;
	enum mbox_result result;

	mbox_plan_free(&s->plan);
	s->at_ns = mbox_now_ns();
	if ((result = mbox_place_look(s->p, &s->new, &s->cur, err)))
		return result;
	return mbox_scan_once(&s->p->f, r->uidvalidity, r->uidnext, s->whole, &s->plan.list, err);
}

static enum mbox_result scan(struct sync *s, struct err *err)
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
static enum mbox_result scan_stable(struct sync *s, struct err *err)
{
	const struct timespec pause = { .tv_nsec = SCAN_PAUSE_NS };
	struct mbox_sight new, cur;

	for (int try = 0; try < SCAN_TRIES; try++) {
		enum mbox_result r = scan(s, err);
		if (r || (r = mbox_place_look(s->p, &new, &cur, err)))
			return r;
		s->restless = !same_sight(&new, &s->new) || !same_sight(&cur, &s->cur);
		if (s->plan.n_gone == 0 || (!s->restless && mbox_sight_settled(&cur, s->at_ns) &&
					    mbox_sight_settled(&new, s->at_ns)))
			return MBOX_OK;
		nanosleep(&pause, NULL);
	}
	s->plan.n_gone = 0;
	s->again = true;
	return MBOX_OK;
}

/* ---- UIDs and names ---- */

/* A UID that the index did not know to be given: by another process, or before the index lost its last change. */
static void raise_uidnext(struct sync *s)
{
	const struct mbox_list *l = &s->plan.list;

	for (size_t i = l->n; i > 0; i--) {
		if (l->m[i - 1].uid >= s->d.uidnext)
			s->d.uidnext = l->m[i - 1].uid + 1;
		if (l->m[i - 1].uid)
			return;
	}
}

static enum mbox_result take_new(struct sync *s, struct err *err)
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
static void move_to_cur(struct sync *s, size_t i)
{
	struct mbox_message *m = &s->plan.list.m[i];

	if (mbox_take_to_cur(&s->p->f, &s->plan.list, m)) {
		s->plan.what[i] |= PLAN_NAME;
		s->named = true;
	} else if (errno == ENOENT) {
		s->again = true;
	}
}

static void settle_names(struct sync *s)
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

/* ---- the index ---- */

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

static int apply_plan(struct mbox_tx *tx, struct mbox_index_folder *d, const struct sync *s)
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
	struct sync *s;
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

static uint32_t count_keywords(const struct mbox_record *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < COUNT(r->keywords); i++)
		n += r->keywords[i].n > 0;
	return n;
}

static struct mbox_stamp stamp(const struct sync *s, const struct mbox_sight *sight)
{
	bool sure = mbox_sight_settled(sight, s->at_ns) && !s->again;

	return (struct mbox_stamp){ sight->ino, sight->changed_ns, sure ? 0 : s->at_ns / 1000 };
}

/*
 * What was read is as it was before it was read; what we named ourselves comes on top. When another program was at work, the
 * stamp of before stays: it fits no more, and the next one reads again.
 */
static enum mbox_result take_stamps(struct sync *s, struct err *err)
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

static enum mbox_result take_in(struct sync *s, struct err *err)
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

static enum mbox_result write_row(struct sync *s, struct err *err)
{
	struct write w = { .s = s };
	int code = mbox_index_write(&s->u->index, write_all, &w);

	if (code)
		return mbox_index_failed(&s->u->index, code, err);
	s->d = w.out;
	return MBOX_OK;
}

/* Whether users would see no difference. */
static bool same_row(const struct mbox_index_folder *a, const struct mbox_index_folder *b)
{
	return a->keywords == b->keywords && a->uidnext == b->uidnext && a->modseq == b->modseq;
}

static enum mbox_result sync_locked(struct sync *s, bool doubt, struct err *err)
{
	struct mbox_index_folder before;
	enum mbox_result r = load_row(s, err);

	if (r)
		return r;
	before = s->d;
	bool fresh = s->d.number == 0;
	mbox_place_reserved(s->p, &s->d);
	if (fresh)
		s->d.recent_from = s->d.uidnext;
	s->d.keywords = count_keywords(&s->p->record);
	if ((r = mbox_place_look(s->p, &s->new, &s->cur, err)))
		return r;
	bool new = doubt || !fits(&s->d.new, &s->new, 0), cur = doubt || !fits(&s->d.cur, &s->cur, s->d.messages);
	if (!new && !cur)
		return same_row(&before, &s->d) ? MBOX_OK : write_row(s, err);
	s->whole = cur || s->d.in_new > 0;
	r = take_in(s, err);
	return r ? r : write_row(s, err);
}

static void sync_free(struct sync *s)
{
	mbox_plan_free(&s->plan);
	mbox_fresh_free(&s->fresh);
}

static enum mbox_result run(struct mbox_user *u, struct mbox_place *p, bool doubt, struct mbox_index_folder *d,
			    struct err *err)
{
	struct sync s = { .u = u, .p = p };
	enum mbox_result r = sync_locked(&s, doubt, err);

	if (r && u->index.damaged) { /* a new one, and from the beginning: what was done to names stays right */
		sync_free(&s);
		s = (struct sync){ .u = u, .p = p };
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

/* The folder has just been changed: after a short wait, one reading is enough to be sure of it. */
static void wait_until_settled(const struct mbox_sight *cur, const struct mbox_index_folder *d)
{
	const struct timespec pause = { .tv_nsec = SCAN_PAUSE_NS };

	if (d->number && cur->changed_ns != d->cur.changed_ns && !mbox_sight_settled(cur, mbox_now_ns()))
		nanosleep(&pause, NULL);
}

enum mbox_result mbox_sync(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d, struct err *err)
{
	struct mbox_sight new, cur;
	enum mbox_result r = mbox_index_ready(&u->index, err);

	if (r || (r = mbox_place_look(p, &new, &cur, err)))
		return r;
	r = read_row(u, p, d, err);
	if (r && !u->index.damaged)
		return r;
	if (!r && is_of(d, p) && fits(&d->new, &new, 0) && fits(&d->cur, &cur, d->messages))
		return MBOX_OK;
	wait_until_settled(&cur, d);
	if ((r = mbox_sync_lock(u, p, false, d, err)))
		return r;
	mbox_folder_unlock(&p->f, true);
	return MBOX_OK;
}
