#include <stdlib.h>

#include "base/hash.h"
#include "mbox/sync.h"

void mbox_plan_free(struct mbox_plan *plan)
{
	mbox_list_free(&plan->list);
	free(plan->what);
	free(plan->gone);
	*plan = (struct mbox_plan){ 0 };
}

/* Whether the name follows from base and flags; then a change of flags needs no new row of facts. */
static bool is_plain(const struct mbox_message *m)
{
	char letters[MBOX_LETTERS_MAX];
	struct str info = str_skip(m->name, m->base_n);

	return !m->in_new && str_starts(info, STR(":2,")) &&
	       str_eq(str_skip(info, 3), str_of(letters, mbox_name_letters(m->flags, letters)));
}

struct mbox_facts_row mbox_message_facts(const struct mbox_message *m)
{
	bool plain = is_plain(m);

	return (struct mbox_facts_row){
		.arrival = m->arrival,
		.size = m->size,
		.vsize = m->vsize,
		.name = plain ? mbox_message_base(m) : m->name,
		.base_n = m->base_n,
		.plain = plain,
		.in_new = m->in_new,
	};
}

static size_t tagged(const struct mbox_list *l)
{
	size_t n = l->n;

	while (n > 0 && l->m[n - 1].uid == 0)
		n--;
	return n;
}

/* A walk over flags and facts together: both tables have the same keys. */
struct pair {
	struct mbox_walk flags, facts;
	uint32_t n, messages; /* so far; how many there must be in the end */
};

static int pair_begin(struct mbox_tx *tx, const struct mbox_index_folder *d, struct pair *p)
{
	int code = mbox_walk_begin(tx, DB_FLAGS, d->number, 0, &p->flags);

	if (code)
		return code;
	p->n = 0;
	p->messages = d->messages;
	code = mbox_walk_begin(tx, DB_FACTS, d->number, 0, &p->facts);
	if (code)
		mbox_walk_end(&p->flags);
	return code;
}

static void pair_end(struct pair *p)
{
	mbox_walk_end(&p->flags);
	mbox_walk_end(&p->facts);
}

static int next(struct pair *p, uint32_t *uid, struct mbox_flags_row *flags, struct mbox_facts_row *facts)
{
	uint32_t second = 0;
	int code = mbox_walk_flags(&p->flags, uid, flags), code2 = mbox_walk_facts(&p->facts, &second, facts);

	if (code != code2)
		return code && code != MDB_NOTFOUND ? code : code2 && code2 != MDB_NOTFOUND ? code2 : MDB_CORRUPTED;
	if (!code && *uid != second)
		return MDB_CORRUPTED;
	p->n += !code;
	/* rows that a damaged page hides must not make their messages' tags void */
	return code == MDB_NOTFOUND && p->n != p->messages ? MDB_CORRUPTED : code;
}

static uint8_t compare(const struct mbox_message *m, const struct mbox_flags_row *flags,
		       const struct mbox_facts_row *facts)
{
	struct mbox_facts_row now = mbox_message_facts(m);
	uint8_t what = m->flags != flags->flags ? PLAN_FLAGS : 0;

	if (now.plain != facts->plain || now.in_new != facts->in_new || !str_eq(now.name, facts->name))
		what |= PLAN_NAME;
	return what;
}

struct tags {
	struct mbox_plan *plan;
	struct table tail; /* those without a uid, by base; filled when it is first needed */
	size_t n;	   /* tagged ones */
	uint32_t given;
	bool changed;
};

static struct mbox_message *find_in_tail(struct tags *t, struct str base)
{
	struct mbox_list *l = &t->plan->list;

	if (t->tail.n == 0)
		for (size_t i = t->n; i < l->n; i++)
			table_set(&t->tail, mbox_message_base(&l->m[i]), &l->m[i]);
	return table_get(&t->tail, base);
}

/*
 * Two files have the same tag: the one whose name the index knows keeps the UID; else, the one whose name begins as that
 * does (its flags have changed).
 */
static void check_owner(struct tags *t, struct mbox_message *m, const struct mbox_flags_row *flags,
			const struct mbox_facts_row *facts)
{
	struct str base = str_head(facts->name, facts->base_n);

	if (t->n == t->plan->list.n || compare(m, flags, facts) == 0)
		return;
	struct mbox_message *other = find_in_tail(t, base);
	if (!other || (str_eq(base, mbox_message_base(m)) && compare(other, flags, facts) != 0))
		return;
	other->uid = m->uid;
	m->uid = 0;
	t->changed = true;
}

/* Below what the index has given, and it does not know it: of a message that is gone, or of none. */
static void check_unknown(struct tags *t, struct mbox_message *m)
{
	if (m->uid >= t->given)
		return;
	m->uid = 0;
	t->changed = true;
}

static int check_tags(struct pair *p, struct tags *t)
{
	struct mbox_message *m = t->plan->list.m;
	struct mbox_flags_row flags;
	struct mbox_facts_row facts;
	size_t i = 0;
	uint32_t uid;
	int code;

	while ((code = next(p, &uid, &flags, &facts)) == 0) {
		for (; i < t->n && m[i].uid < uid; i++)
			check_unknown(t, &m[i]);
		if (i < t->n && m[i].uid == uid)
			check_owner(t, &m[i++], &flags, &facts);
	}
	for (; i < t->n; i++)
		check_unknown(t, &m[i]);
	return code == MDB_NOTFOUND ? 0 : code;
}

int mbox_plan_tags(struct mbox_tx *tx, const struct mbox_index_folder *d, uint32_t given, const struct mbox_folder *f,
		   bool whole, struct mbox_plan *plan)
{
	struct tags t = { .plan = plan, .given = given };
	struct pair p;

	mbox_list_order(f, &plan->list);
	t.n = tagged(&plan->list);
	if (d->number == 0 || !whole)
		return 0;
	int code = pair_begin(tx, d, &p);
	if (code)
		return code;
	code = check_tags(&p, &t);
	pair_end(&p);
	table_free(&t.tail);
	if (t.changed)
		mbox_list_order(f, &plan->list);
	return code;
}

static void add_gone(struct mbox_plan *plan, uint32_t uid)
{
	if (plan->n_gone == plan->gone_room) {
		plan->gone_room = plan->gone_room ? plan->gone_room * 2 : 64;
		plan->gone = reallocarray(plan->gone, plan->gone_room, sizeof(*plan->gone));
		if (!plan->gone)
			panic("out of memory: %zu messages", plan->gone_room);
	}
	plan->gone[plan->n_gone++] = uid;
}

static int compare_all(struct pair *p, bool whole, size_t n, struct mbox_plan *plan)
{
	struct mbox_message *m = plan->list.m;
	struct mbox_flags_row flags;
	struct mbox_facts_row facts;
	size_t i = 0;
	uint32_t uid;
	int code;

	while ((code = next(p, &uid, &flags, &facts)) == 0) {
		for (; i < n && m[i].uid < uid; i++)
			plan->what[i] = PLAN_ADD;
		if (i < n && m[i].uid == uid) {
			plan->what[i] = compare(&m[i], &flags, &facts);
			i++;
		} else if (whole) {
			add_gone(plan, uid);
		}
	}
	for (; i < plan->list.n; i++)
		plan->what[i] = PLAN_ADD;
	return code == MDB_NOTFOUND ? 0 : code;
}

int mbox_plan_compare(struct mbox_tx *tx, const struct mbox_index_folder *d, bool whole, struct mbox_plan *plan)
{
	size_t n = plan->list.n;
	struct pair p;
	int code;

	plan->what = calloc(n ? n : 1, 1);
	if (!plan->what)
		panic("out of memory: %zu messages", n);
	if (d->number == 0 || !whole) { /* new/ alone is read only when nothing in it has a uid */
		memset(plan->what, PLAN_ADD, n);
		return 0;
	}
	if ((code = pair_begin(tx, d, &p)))
		return code;
	code = compare_all(&p, whole, tagged(&plan->list), plan);
	pair_end(&p);
	return code;
}
