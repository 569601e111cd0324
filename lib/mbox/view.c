#include "mbox/view.h"

#include <errno.h>
#include <stdlib.h>

#include "mbox/seen.h"

static void keep_keywords(struct mbox_view *v)
{
	const struct mbox_record *r = &v->inner->place.record;

	v->inner->n_keywords = 0;
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++) {
		struct str name = r->keywords[i];
		v->inner->n_keywords += name.n > 0;
		if (name.n == 0 || (v->keywords[i] && str_eq(str_from(v->keywords[i]), name)))
			continue;
		free(v->keywords[i]);
		v->keywords[i] = strndup(name.p, name.n);
		if (!v->keywords[i])
			panic("out of memory: a keyword");
		v->keywords_changed++;
	}
}

static enum mbox_result load_keywords(struct mbox_view *v, const struct mbox_index_folder *d, struct err *err)
{
	if (d->keywords == v->inner->n_keywords)
		return MBOX_OK;
	enum mbox_result r = mbox_place_reload(&v->inner->place, err);
	if (!r)
		keep_keywords(v);
	return r;
}

/* ---- \Recent: the first session that is told of a message, and no other ---- */

struct claim {
	const char *id;
	uint32_t from, to;
};

static int claim(struct mbox_tx *tx, void *ctx)
{
	struct claim *c = ctx;
	struct mbox_index_folder d;
	int code = mbox_row_folder(tx, c->id, &d);

	if (code)
		return code;
	c->from = d.recent_from;
	if (d.recent_from >= c->to)
		return 0;
	d.recent_from = c->to;
	return mbox_row_folder_put(tx, c->id, &d);
}

/* Rows from `first` on are new here. Should the claim not come to the disk, another session may show them too. */
static void take_recent(struct mbox_view *v, size_t first, const struct mbox_index_folder *d)
{
	struct claim c = { v->inner->place.record.id, d->recent_from, d->uidnext };

	if (v->n == first || v->rows[v->n - 1].uid < d->recent_from)
		return;
	if (!v->readonly) {
		int code = mbox_index_write(&v->user->index, claim, &c);
		if (code && code != MDB_NOTFOUND)
			mbox_index_failed(&v->user->index, code, NULL);
	}
	for (size_t i = v->n; i > first && v->rows[i - 1].uid >= c.from; i--)
		v->rows[i - 1].marks |= ROW_RECENT;
}

enum mbox_result mbox_view_take_in(struct mbox_view *v, const struct mbox_index_folder *d, struct err *err)
{
	struct mbox_index_folder now = *d;
	struct mbox_tx tx;
	size_t n = v->n;
	int code = mbox_index_read(&v->user->index, &tx);

	if (!code) {
		code = mbox_view_take_rows(v, &tx, &now);
		mbox_index_end(&tx);
	}
	if (code)
		return mbox_index_failed(&v->user->index, code, err);
	v->uidnext = now.uidnext;
	take_recent(v, n, &now);
	return load_keywords(v, &now, err);
}

enum mbox_result mbox_view_sync(struct mbox_view *v, struct err *err)
{
	struct mbox_index_folder d;
	enum mbox_result r = MBOX_IO;

	for (int try = 0; try < 2 && r; try++) {
		r = mbox_sync(v->user, &v->inner->place, &d, err);
		if (!r)
			r = mbox_view_take_in(v, &d, err);
		if (r && !v->user->index.damaged)
			break;
	}
	return r;
}

enum mbox_result mbox_view_lock(struct mbox_view *v, struct mbox_index_folder *d, struct err *err)
{
	struct mbox_place *p = &v->inner->place;
	enum mbox_result r = MBOX_IO;

	for (int try = 0; try < 2 && r; try++) {
		if ((r = mbox_sync_lock(v->user, p, false, d, err)))
			return r;
		if (!(r = mbox_view_take_in(v, d, err)))
			return r;
		mbox_folder_unlock(&p->f, true);
		if (!v->user->index.damaged)
			break;
	}
	return r;
}

enum mbox_result mbox_view_unlock(struct mbox_view *v, enum mbox_result r, struct err *err)
{
	mbox_folder_unlock(&v->inner->place.f, !r);
	enum mbox_result later = mbox_view_sync(v, r ? NULL : err);
	return r ? r : later;
}

static void copy_about(struct mbox_view *v)
{
	const struct mbox_record *r = &v->inner->place.record;

	v->uidvalidity = r->uidvalidity;
	memcpy(v->id, r->id, sizeof(v->id));
	keep_keywords(v);
}

/* A folder that turned out to be a copy of another one has become itself meanwhile. */
static enum mbox_result open_view(struct mbox_view *v, struct err *err)
{
	struct mbox_view_inner *in = v->inner;
	struct mbox_index_folder d;
	enum mbox_result r = mbox_place_open(v->user->home, v->name, false, &in->place, err);

	if (r || (r = mbox_sync(v->user, &in->place, &d, err)))
		return r;
	mbox_sweep(&in->place.f);
	copy_about(v);
	return mbox_view_sync(v, err);
}

enum mbox_result mbox_view_open(struct mbox_user *u, struct str name, bool readonly, struct mbox_view **out,
				struct err *err)
{
	struct mbox_view *v = calloc(1, sizeof(*v));
	struct mbox_view_inner *in = calloc(1, sizeof(*in));

	if (!v || !in)
		panic("out of memory: view");
	v->inner = in;
	v->user = u;
	v->readonly = readonly;
	in->place.f = MBOX_FOLDER_CLOSED;
	in->name = strndup(name.n ? name.p : "INBOX", name.n ? name.n : 5);
	if (!in->name)
		panic("out of memory: view");
	v->name = str_from(in->name);
	enum mbox_result r = open_view(v, err);
	if (r)
		mbox_view_close(&v);
	*out = v;
	return r;
}

void mbox_view_close(struct mbox_view **vp)
{
	struct mbox_view *v = *vp;

	if (!v)
		return;
	for (size_t i = 0; i < MBOX_KEYWORDS_MAX; i++)
		free(v->keywords[i]);
	mbox_place_close(&v->inner->place);
	free(v->inner->name);
	free(v->inner);
	free(v->rows);
	free(v);
	*vp = NULL;
}

void mbox_view_forget(struct mbox_view *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->rows[i].marks & ROW_GONE)
			v->n_changed -= (v->rows[i].marks & ROW_CHANGED) != 0;
		else
			v->rows[kept++] = v->rows[i];
	}
	v->n = kept;
	v->n_gone = 0;
}

void mbox_view_directories(const struct mbox_view *v, int fds[2])
{
	fds[0] = v->inner->place.f.new;
	fds[1] = v->inner->place.f.cur;
}
