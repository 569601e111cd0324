#include <stdarg.h>
#include <stdio.h>

#include "mbox/sync.h"

struct check {
	struct mbox_user *u;
	const struct mbox_report *report;
	struct str folder;
	size_t *wrong; /* NULL: rebuilding */
};

__attribute__((format(printf, 3, 4))) static void tell(const struct check *c, bool wrong, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (wrong && c->wrong)
		++*c->wrong;
	if (c->report)
		c->report->tell(c->report->arg, c->folder, text);
}

/* Counts as the rows themselves give them. */
static int count_rows(struct mbox_tx *tx, const struct mbox_index_folder *d, struct mbox_index_folder *out)
{
	struct mbox_flags_row flags;
	struct mbox_facts_row facts;
	struct mbox_walk w, f;
	uint32_t uid;
	int code = mbox_walk_begin(tx, DB_FLAGS, d->number, 0, &w);

	*out = (struct mbox_index_folder){ 0 };
	if (code)
		return code;
	if ((code = mbox_walk_begin(tx, DB_FACTS, d->number, 0, &f))) {
		mbox_walk_end(&w);
		return code;
	}
	while ((code = mbox_walk_flags(&w, &uid, &flags)) == 0 && (code = mbox_walk_facts_at(&f, uid, &facts)) == 0) {
		out->messages++;
		out->unseen += !(flags.flags & MBOX_SEEN);
		out->deleted += (flags.flags & MBOX_TRASHED) != 0;
		out->in_new += facts.in_new;
		out->octets += (uint64_t)facts.vsize;
		out->modseq = flags.modseq > out->modseq ? flags.modseq : out->modseq;
		out->uidnext = uid + 1;
	}
	mbox_walk_end(&w);
	mbox_walk_end(&f);
	return code == MDB_NOTFOUND ? 0 : code;
}

static int check_texts(struct mbox_tx *tx, const struct check *c, uint32_t number, const struct mbox_plan *plan)
{
	static const enum mbox_db dbs[] = { DB_ENVELOPES, DB_STRUCTURES };
	struct str text;

	for (size_t i = 0; i < plan->list.n; i++)
		for (size_t k = 0; k < COUNT(dbs); k++) {
			int code = mbox_row_text(tx, dbs[k], number, plan->list.m[i].uid, &text);
			if (code == MDB_CORRUPTED)
				tell(c, true, "the text kept of message %u is damaged", plan->list.m[i].uid);
			else if (code && code != MDB_NOTFOUND)
				return code;
		}
	return 0;
}

static void check_counts(const struct check *c, const struct mbox_index_folder *d, const struct mbox_index_folder *is)
{
	if (d->messages != is->messages || d->unseen != is->unseen || d->deleted != is->deleted ||
	    d->in_new != is->in_new || d->octets != is->octets)
		tell(c, true,
		     "the index counts %u messages, %u unseen, %u deleted, %llu octets; it has %u, %u, %u, %llu",
		     d->messages, d->unseen, d->deleted, (unsigned long long)d->octets, is->messages, is->unseen,
		     is->deleted, (unsigned long long)is->octets);
	if (is->modseq > d->modseq || is->uidnext > d->uidnext)
		tell(c, true, "the index has UIDs or modseqs that it has not given");
}

static void check_files(const struct check *c, const struct mbox_plan *plan)
{
	for (size_t i = 0; i < plan->n_gone; i++)
		tell(c, true, "message %u has no file", plan->gone[i]);
	for (size_t i = 0; i < plan->list.n; i++) {
		const struct mbox_message *m = &plan->list.m[i];
		if (plan->what[i] & PLAN_ADD)
			tell(c, true, "%.*s is not in the index", STR_ARG(m->name));
		else if (plan->what[i])
			tell(c, true, "message %u has other flags or another name in the index: %.*s", m->uid,
			     STR_ARG(m->name));
	}
}

static bool is_current(const struct mbox_stamp *stamp, const struct mbox_sight *sight)
{
	return stamp->ino == sight->ino && stamp->changed_ns == sight->changed_ns;
}

static int check_rows(struct mbox_tx *tx, const struct check *c, struct mbox_place *p, struct mbox_plan *plan)
{
	struct mbox_index_folder d, is;
	struct mbox_sight new, cur;
	int code = mbox_row_folder(tx, p->record.id, &d);

	if (code == MDB_NOTFOUND) {
		tell(c, false, "not in the index yet");
		return 0;
	}
	if (code || (code = count_rows(tx, &d, &is)))
		return code;
	check_counts(c, &d, &is);
	if (mbox_place_look(p, &new, &cur, NULL) || !is_current(&d.new, &new) || !is_current(&d.cur, &cur)) {
		tell(c, false, "has changed since the index was brought up to date");
		return 0;
	}
	if ((code = mbox_plan_tags(tx, &d, d.uidnext, &p->f, true, plan)) || (code = mbox_plan_compare(tx, &d, true, plan)) ||
	    (code = check_texts(tx, c, d.number, plan)))
		return code;
	check_files(c, plan);
	return 0;
}

/* Under the lock, so that nothing of ours changes meanwhile. */
static enum mbox_result check_place(const struct check *c, struct mbox_place *p, struct err *err)
{
	scoped_plan struct mbox_plan plan = { 0 };
	struct mbox_tx tx;
	const struct mbox_record *r = &p->record;
	enum mbox_result result = mbox_scan(&p->f, r->uidvalidity, r->uidnext, &plan.list, err);

	if (result)
		return result;
	int code = mbox_index_read(&c->u->index, &tx);
	if (!code) {
		code = check_rows(&tx, c, p, &plan);
		mbox_index_end(&tx);
	}
	if (code) /* told, and left as it is */
		tell(c, true, "the index cannot be read: %s", mdb_strerror(code));
	return MBOX_OK;
}

static void check_folder(const struct check *c)
{
	scoped_place struct mbox_place p;
	struct err err = { 0 };
	enum mbox_result r = mbox_place_open(c->u->home, c->folder, false, &p, &err);

	if (!r && !(r = mbox_place_lock(&p, &err))) {
		r = check_place(c, &p, &err);
		mbox_folder_unlock(&p.f, true);
	}
	if (r)
		tell(c, true, "%s", err.text);
}

static void build_folder(const struct check *c)
{
	scoped_place struct mbox_place p;
	struct mbox_index_folder d;
	struct err err = { 0 };
	enum mbox_result r = mbox_place_open(c->u->home, c->folder, false, &p, &err);

	if (!r)
		r = mbox_sync(c->u, &p, &d, &err);
	if (r)
		tell(c, true, "%s", err.text);
	else
		tell(c, false, "%u messages", d.messages);
}

static enum mbox_result each_folder(struct check *c, void (*work)(const struct check *c), struct err *err)
{
	scoped_arena struct arena arena = { 0 };
	struct mbox_folder_row *rows;
	size_t n;
	enum mbox_result r = mbox_folders(c->u, &arena, &rows, &n, err);

	for (size_t i = 0; !r && i < n; i++) {
		c->folder = rows[i].name;
		if (rows[i].exists)
			work(c);
	}
	return r;
}

enum mbox_result mbox_check(struct mbox_user *u, const struct mbox_report *report, size_t *wrong, struct err *err)
{
	struct check c = { .u = u, .report = report, .wrong = wrong };
	enum mbox_result r = mbox_index_ready(&u->index, err);

	*wrong = 0;
	return r ? r : each_folder(&c, check_folder, err);
}

enum mbox_result mbox_rebuild(struct mbox_user *u, const struct mbox_report *report, struct err *err)
{
	struct check c = { .u = u, .report = report };
	enum mbox_result r = mbox_index_remove(&u->index, err);

	return r ? r : each_folder(&c, build_folder, err);
}
