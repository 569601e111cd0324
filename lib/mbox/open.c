#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "mbox/inner.h"

static enum mbox_result take_pop3_lock(struct mbox_inner *in, struct err *err)
{
	in->pop3 = mbox_file_open(in->folder.dir, "tayori-pop3", O_RDWR | O_CREAT);
	if (in->pop3 < 0)
		return mbox_failed(err, "cannot open tayori-pop3");
	if (flock(in->pop3, LOCK_EX | LOCK_NB) == 0)
		return MBOX_OK;
	if (errno != EWOULDBLOCK)
		return mbox_failed(err, "cannot lock tayori-pop3");
	err_set(err, "another POP3 session is using the folder");
	return MBOX_BUSY;
}

static enum mbox_result assign(struct mbox_inner *in, struct err *err)
{
	struct mbox_list *l = &in->list;
	uint32_t first = in->record.uidnext;
	size_t from = l->n;
	enum mbox_result r;

	while (from > 0 && l->m[from - 1].uid == 0)
		from--;
	if (from == l->n)
		return MBOX_OK;
	if ((r = mbox_folder_soil(&in->folder, err)))
		return r;
	r = mbox_folder_reserve(&in->folder, &in->record, l->n - from, err);
	if (r == MBOX_FULL) { /* show what has a uid, so that something can be removed */
		mbox_list_skip(l, "%zu new messages wait: no space to give them UIDs", l->n - from);
		l->skipped += l->n - from - 1;
		l->n = from;
		return MBOX_OK;
	}
	if (r)
		return r;
	mbox_take_all(&in->folder, in->record.uidvalidity, l, from, first);
	return mbox_flush_names(&in->folder, err);
}

static enum mbox_result read_folder(struct mbox_inner *in, struct err *err)
{
	bool dirty;
	enum mbox_result r = mbox_folder_lock(&in->folder, &dirty, err);

	if (r)
		return r;
	r = mbox_folder_load(&in->folder, &in->record_bytes, &in->record_arena, &in->record, err);
	if (!r && dirty)
		r = mbox_folder_recover(&in->folder, &in->record, err);
	if (!r)
		r = mbox_scan(&in->folder, in->record.uidvalidity, in->record.uidnext, &in->list, err);
	if (!r) {
		mbox_list_order(&in->folder, &in->list);
		r = assign(in, err);
	}
	mbox_folder_unlock(&in->folder, !r);
	return r;
}

static void measure_all(struct mbox_inner *in)
{
	struct mbox_list *l = &in->list;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (mbox_sizes_known(&in->folder, l, &l->m[i]))
			l->m[kept++] = l->m[i];
	l->n = kept;
}

static enum mbox_result open_inner(struct mbox_inner *in, int home, struct str folder, enum mbox_access access,
				   struct err *err)
{
	enum mbox_result r = mbox_folder_open(home, folder, false, &in->folder, err);

	if (!r && access == MBOX_POP3)
		r = take_pop3_lock(in, err);
	if (r)
		return r;
	mbox_sweep(&in->folder);
	if ((r = read_folder(in, err)))
		return r;
	measure_all(in);
	return MBOX_OK;
}

enum mbox_result mbox_open(int home, struct str folder, enum mbox_access access, struct mbox **out, struct err *err)
{
	struct mbox *m = calloc(1, sizeof(*m));
	struct mbox_inner *in = calloc(1, sizeof(*in));

	if (!m || !in)
		panic("out of memory: folder");
	m->inner = in;
	in->folder = MBOX_FOLDER_CLOSED;
	in->pop3 = -1;
	enum mbox_result r = open_inner(in, home, folder, access, err);
	if (r) {
		mbox_close(&m);
	} else {
		m->uidvalidity = in->record.uidvalidity;
		memcpy(m->id, in->record.id, sizeof(m->id));
		m->messages = in->list.m;
		m->n = in->list.n;
		m->skipped = in->list.skipped;
		m->trouble = in->list.trouble;
	}
	*out = m;
	return r;
}

void mbox_close(struct mbox **m)
{
	if (!*m)
		return;
	struct mbox_inner *in = (*m)->inner;
	mbox_folder_close(&in->folder);
	fd_close(&in->pop3);
	mbox_list_free(&in->list);
	buf_free(&in->record_bytes);
	arena_free(&in->record_arena);
	free(in);
	free(*m);
	*m = NULL;
}

struct str mbox_uidl(const struct mbox *m, size_t i, char out[MBOX_UIDL_MAX + 1])
{
	return mbox_record_shown_uidl(&m->inner->record, m->messages[i].uid, out);
}
