#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "io/fd.h"
#include "mbox/seen.h"
#include "mbox/texts.h"

enum { BATCH = 256, BATCH_BYTES = 4 << 20 };

#define WANT_TEXTS (WANT_ENVELOPE | WANT_STRUCTURE | WANT_BODY)

enum text_state { TEXT_NONE, TEXT_READ, TEXT_GONE };

/* Texts that were just read from files: of which[from .. from + n - 1], those that the index lacks. */
struct batch {
	size_t from, n, bytes;
	uint8_t state[BATCH];
	struct mbox_texts texts[BATCH];
};

struct ask {
	struct mbox_view *v;
	const size_t *which;
	size_t n, at;
	unsigned want;
	bool (*see)(void *ctx, size_t row, const struct mbox_facts *f);
	void *ctx;
	size_t missing;
	bool paused, lacks, lost;
	struct batch batch;
	struct buf body;
};

/* The tables that a question walks over. */
struct walks {
	struct mbox_tx tx;
	struct mbox_walk facts, texts[2];
	bool open[3];
};

static const struct {
	enum mbox_db db;
	unsigned want;
} kinds[2] = { { DB_ENVELOPES, WANT_ENVELOPE }, { DB_STRUCTURES, WANT_STRUCTURE | WANT_BODY } };

static void walks_end(struct walks *w)
{
	if (w->open[0])
		mbox_walk_end(&w->facts);
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (w->open[i + 1])
			mbox_walk_end(&w->texts[i]);
}

static int walks_begin(struct mbox_tx *tx, const struct ask *a, struct walks *w)
{
	uint32_t number = a->v->inner->number;
	int code = mbox_walk_begin(tx, DB_FACTS, number, 0, &w->facts);

	*w = (struct walks){ .tx = *tx, .facts = w->facts, .open = { !code } };
	for (size_t i = 0; i < COUNT(kinds) && !code; i++) {
		if (!(a->want & kinds[i].want))
			continue;
		code = mbox_walk_begin(tx, kinds[i].db, number, 0, &w->texts[i]);
		w->open[i + 1] = !code;
	}
	return code;
}

static const struct mbox_texts *from_batch(const struct ask *a)
{
	const struct batch *b = &a->batch;
	size_t i = a->at - b->from;

	return a->at >= b->from && i < b->n && b->state[i] == TEXT_READ ? &b->texts[i] : NULL;
}

static bool is_gone(const struct ask *a)
{
	const struct batch *b = &a->batch;
	size_t i = a->at - b->from;

	return a->at >= b->from && i < b->n && b->state[i] == TEXT_GONE;
}

/* From the index, or from the batch; MDB_NOTFOUND: from neither. */
static int find_text(struct ask *a, struct walks *w, size_t kind, uint32_t uid, struct str *out)
{
	const struct mbox_texts *t = from_batch(a);

	if (t && (kind == 0 ? t->has_envelope : t->has_structure)) {
		*out = buf_str(kind == 0 ? &t->envelope : &t->structure);
		return 0;
	}
	int code = mbox_walk_text_at(&w->texts[kind], uid, out);
	return code == MDB_CORRUPTED ? MDB_NOTFOUND : code; /* it is read again, and takes the bad one's place */
}

/* A row that is not there must have been expunged since the view was brought up to date, or a page is not what it was. */
static int is_expunged(struct ask *a, struct mbox_tx *tx, uint32_t uid)
{
	struct mbox_index_folder d;
	struct mbox_flags_row flags;
	int code = mbox_row_folder(tx, a->v->inner->place.record.id, &d);

	if (!code && d.modseq != a->v->modseq)
		code = mbox_row_flags(tx, d.number, uid, &flags);
	else if (!code)
		return MDB_CORRUPTED;
	return code ? code : MDB_CORRUPTED;
}

static int gather(struct ask *a, struct walks *w, uint32_t uid, struct mbox_facts *out)
{
	struct mbox_facts_row row;
	struct str structure = { 0 };
	int code = mbox_walk_facts_at(&w->facts, uid, &row);

	if (code)
		return code == MDB_NOTFOUND ? is_expunged(a, &w->tx, uid) : code;
	*out = (struct mbox_facts){ .arrival = row.arrival, .vsize = row.vsize };
	if (!(a->want & WANT_TEXTS))
		return 0;
	a->lacks = true; /* from here on, what is not found is in the file */
	if (a->want & WANT_ENVELOPE && (code = find_text(a, w, 0, uid, &out->envelope)))
		return code;
	if (a->want & (WANT_STRUCTURE | WANT_BODY) && (code = find_text(a, w, 1, uid, &structure)))
		return code;
	a->lacks = false;
	out->structure = structure;
	buf_reset(&a->body);
	if (a->want & WANT_BODY)
		out->body = mbox_body_of(structure, &a->body) ? buf_str(&a->body) : structure;
	return 0;
}

/* Until the end, a pause, or a message whose texts the index lacks. */
static int serve(struct ask *a, struct walks *w)
{
	struct mbox_facts facts;

	for (a->lacks = false; a->at < a->n && !a->paused; a->at++) {
		size_t i = a->which[a->at];
		ASSERT(i < a->v->n);
		int code = a->v->rows[i].marks & ROW_GONE ? MDB_NOTFOUND : gather(a, w, a->v->rows[i].uid, &facts);
		if (code == MDB_NOTFOUND && a->lacks && !is_gone(a))
			return 0;
		if (code && code != MDB_NOTFOUND)
			return code;
		a->lacks = false;
		if (code)
			a->missing++;
		else
			a->paused = !a->see(a->ctx, i, &facts);
	}
	return 0;
}

static int serve_some(struct ask *a)
{
	struct mbox_tx tx;
	struct walks w = { 0 };
	int code = mbox_index_read(&a->v->user->index, &tx);

	if (code)
		return code;
	code = walks_begin(&tx, a, &w);
	if (!code)
		code = serve(a, &w);
	walks_end(&w);
	mbox_index_end(&tx);
	return code;
}

/* ---- reading files ---- */

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		mbox_texts_free(&b->texts[i]);
	b->n = b->bytes = 0;
}

static int open_message(const struct mbox_place *p, struct mbox_tx *tx, uint32_t number, uint32_t uid)
{
	scoped_buf struct buf name = { 0 };
	struct mbox_facts_row facts;
	struct mbox_flags_row flags;

	if (mbox_row_flags(tx, number, uid, &flags) || mbox_row_facts(tx, number, uid, &facts))
		return errno = ENOENT, -1;
	mbox_facts_name(&facts, flags.flags, &name);
	return mbox_file_open(facts.in_new ? p->f.new : p->f.cur, buf_cstr(&name), O_RDONLY);
}

static unsigned lacking(struct ask *a, struct mbox_tx *tx, uint32_t uid)
{
	uint32_t number = a->v->inner->number;
	unsigned lacks = 0;
	struct str text;

	for (size_t i = 0; i < COUNT(kinds); i++)
		if (a->want & kinds[i].want && mbox_row_text(tx, kinds[i].db, number, uid, &text))
			lacks |= kinds[i].want;
	/* who reads all of it has the envelope for nothing */
	if (lacks & WANT_STRUCTURE && mbox_row_text(tx, DB_ENVELOPES, number, uid, &text))
		lacks |= WANT_ENVELOPE;
	return lacks;
}

/* Where a file is not found, another program may have renamed it: that is for later. */
static void read_one(struct ask *a, struct mbox_tx *tx, size_t k)
{
	struct batch *b = &a->batch;
	const struct mbox_row *row = &a->v->rows[a->which[b->from + k]];
	unsigned lacks = row->marks & ROW_GONE ? 0 : lacking(a, tx, row->uid);

	if (!lacks)
		return;
	scoped_fd int fd = open_message(&a->v->inner->place, tx, a->v->inner->number, row->uid);
	a->lost |= fd < 0 && errno == ENOENT;
	b->state[k] = TEXT_GONE;
	if (fd < 0 || mbox_texts_read(fd, lacks, &b->texts[k]) < 0)
		return;
	b->state[k] = TEXT_READ;
	b->bytes += b->texts[k].envelope.n + b->texts[k].structure.n;
}

static int read_files(struct ask *a)
{
	struct batch *b = &a->batch;
	struct mbox_tx tx;
	int code = mbox_index_read(&a->v->user->index, &tx);

	if (code)
		return code;
	for (; b->n < BATCH && b->from + b->n < a->n && b->bytes < BATCH_BYTES; b->n++)
		read_one(a, &tx, b->n);
	mbox_index_end(&tx);
	return 0;
}

/* Those that were not found, once more. */
static int read_lost(struct ask *a)
{
	struct mbox_tx tx;
	int code = mbox_index_read(&a->v->user->index, &tx);

	if (code)
		return code;
	for (size_t k = 0; k < a->batch.n; k++)
		if (a->batch.state[k] == TEXT_GONE)
			read_one(a, &tx, k);
	mbox_index_end(&tx);
	return 0;
}

static int put_text(struct mbox_tx *tx, uint32_t number, uint32_t uid, const struct mbox_texts *t)
{
	struct mbox_flags_row row;
	int code = mbox_row_flags(tx, number, uid, &row);

	if (code == MDB_NOTFOUND) /* expunged meanwhile */
		return 0;
	return code ? code : mbox_row_texts_put(tx, number, uid, buf_str(&t->envelope), buf_str(&t->structure));
}

static int put_batch(struct mbox_tx *tx, void *ctx)
{
	const struct ask *a = ctx;
	const struct batch *b = &a->batch;
	int code = 0;

	for (size_t k = 0; k < b->n && !code; k++)
		if (b->state[k] == TEXT_READ)
			code = put_text(tx, a->v->inner->number, a->v->rows[a->which[b->from + k]].uid, &b->texts[k]);
	return code;
}

/* Reads both directories, whatever they look like. */
static enum mbox_result look_again(struct mbox_view *v, struct err *err)
{
	struct mbox_index_folder d;
	enum mbox_result r = mbox_sync_lock(v->user, &v->inner->place, true, &d, err);

	if (r)
		return r;
	mbox_folder_unlock(&v->inner->place.f, true);
	return mbox_view_sync(v, err);
}

/* Fills the batch from a->at on, and the index with it; whether the index takes it or not, it is there for this question. */
static enum mbox_result fill(struct ask *a, struct err *err)
{
	struct mbox_index *ix = &a->v->user->index;
	enum mbox_result r = MBOX_OK;

	batch_free(&a->batch);
	memset(a->batch.state, TEXT_NONE, sizeof(a->batch.state));
	a->batch.from = a->at;
	a->lost = false;
	int code = read_files(a);
	if (!code && a->lost && !(r = look_again(a->v, err)))
		code = read_lost(a);
	if (code || r)
		return r ? r : mbox_index_failed(ix, code, err);
	code = mbox_index_write(ix, put_batch, a);
	if (code)
		mbox_index_failed(ix, code, NULL);
	return MBOX_OK;
}

static enum mbox_result ready(struct mbox_view *v, struct err *err)
{
	enum mbox_result r = mbox_index_ready(&v->user->index, err);

	if (r || v->inner->opened == v->user->index.opened)
		return r;
	return mbox_view_sync(v, err); /* it is another one */
}

static enum mbox_result answer(struct ask *a, struct err *err)
{
	struct mbox_index *ix = &a->v->user->index;
	enum mbox_result r = ready(a->v, err);
	bool again = true; /* once, should the index turn out to be damaged */

	while (!r && a->at < a->n && !a->paused) {
		int code = serve_some(a);
		r = code ? mbox_index_failed(ix, code, err) : a->lacks ? fill(a, err) : MBOX_OK;
		if (ix->damaged && again) {
			again = false;
			r = ready(a->v, err);
		}
	}
	return r;
}

enum mbox_result mbox_view_facts(struct mbox_view *v, const size_t *which, size_t n, unsigned want,
				 bool (*see)(void *ctx, size_t row, const struct mbox_facts *f), void *ctx,
				 size_t *done, size_t *missing, struct err *err)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (!a)
		panic("out of memory: facts");
	*a = (struct ask){ .v = v, .which = which, .n = n, .want = want, .see = see, .ctx = ctx };
	enum mbox_result r = answer(a, err);
	*done = a->at;
	*missing = a->missing;
	batch_free(&a->batch);
	buf_free(&a->body);
	free(a);
	return r;
}

static int open_row(struct mbox_view *v, uint32_t uid)
{
	struct mbox_tx tx;
	int code = mbox_index_read(&v->user->index, &tx);

	if (code) {
		mbox_index_failed(&v->user->index, code, NULL);
		return errno = EIO, -1;
	}
	int fd = open_message(&v->inner->place, &tx, v->inner->number, uid);
	mbox_index_end(&tx);
	return fd;
}

int mbox_view_file(struct mbox_view *v, size_t row)
{
	ASSERT(row < v->n);
	if (ready(v, NULL))
		return errno = EIO, -1;
	int fd = open_row(v, v->rows[row].uid);
	if (fd >= 0 || errno != ENOENT || v->rows[row].marks & ROW_GONE)
		return fd;
	if (look_again(v, NULL))
		return errno = EIO, -1;
	return open_row(v, v->rows[row].uid);
}
