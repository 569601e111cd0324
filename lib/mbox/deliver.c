#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/delivery.h"
#include "mbox/fresh.h"

enum { WRITE_CHUNK = 65536 };

bool mbox_already(const struct mbox_delivery *d)
{
	return d->already;
}

/* Every later step gives the same again: what was lost once must not look whole. */
static enum mbox_result keep_failure(struct mbox_delivery *d, enum mbox_result r, struct err *err)
{
	if (r && !d->failed) {
		d->failed = r;
		if (err)
			d->why = *err;
	}
	if (d->failed && err)
		*err = d->why;
	return d->failed;
}

/* The name may lie only in the page cache, left by who was killed before the flush. */
static enum mbox_result flush_found(struct mbox_delivery *d, bool in_new, struct err *err)
{
	d->already = true;
	return fsync(in_new ? d->folder.new : d->folder.cur) < 0 ? mbox_failed(err, "cannot flush the folder")
								 : MBOX_OK;
}

static enum mbox_result find_id(struct mbox_delivery *d, struct str id, struct err *err)
{
	scoped_list struct mbox_list list;
	struct mbox_name name;
	enum mbox_result r = mbox_scan(&d->folder, 0, 0, &list, err);

	for (size_t i = 0; !r && i < list.n; i++)
		if (mbox_name_parse(list.m[i].name, &name) && str_eq(name.id, id))
			return flush_found(d, list.m[i].in_new, err);
	return r;
}

/* Under the lock, so that no flag change hides the file. */
static enum mbox_result look_again(struct mbox_delivery *d, struct str id, struct err *err)
{
	bool dirty;
	enum mbox_result r = mbox_folder_lock(&d->folder, &dirty, err);

	if (r)
		return r;
	r = find_id(d, id, err);
	mbox_folder_unlock(&d->folder, false);
	return r;
}

static enum mbox_result create_file(struct mbox_delivery *d, int64_t now_us, struct err *err)
{
	char temp[64];

	snprintf(temp, sizeof(temp), "%lld.T%016llx", (long long)(now_us / 1000000), (unsigned long long)random_u64());
	d->fd = mbox_file_open(d->folder.tmp, temp, O_RDWR | O_CREAT | O_EXCL);
	if (d->fd < 0)
		return mbox_failed(err, "cannot create a file in tmp/");
	memcpy(d->temp, temp, sizeof(temp));
	return MBOX_OK;
}

static enum mbox_result begin(struct mbox_delivery *d, int home, const struct mbox_order *o, struct err *err)
{
	char drawn[24];
	struct str id = o->id;
	enum mbox_result r;

	if (id.n == 0)
		id = str_of(drawn,
			    (size_t)snprintf(drawn, sizeof(drawn), "U%016llx", (unsigned long long)random_u64()));
	if (!mbox_id_ok(id)) {
		err_set(err, "no delivery id");
		return MBOX_REFUSED;
	}
	if ((r = mbox_folder_open(home, o->folder, !o->must_exist, &d->folder, err)))
		return r;
	if (o->again && o->id.n && (r = look_again(d, id, err)))
		return r;
	mbox_name_stem(o->now_us, id, o->host, &d->stem);
	return d->already ? MBOX_OK : create_file(d, o->now_us, err);
}

enum mbox_result mbox_begin(int home, const struct mbox_order *order, struct mbox_delivery **out, struct err *err)
{
	struct mbox_delivery *d = calloc(1, sizeof(*d));

	if (!d)
		panic("out of memory: delivery");
	d->folder = MBOX_FOLDER_CLOSED;
	d->fd = -1;
	enum mbox_result r = begin(d, home, order, err);
	if (r)
		mbox_abort(&d);
	*out = d;
	return r;
}

static enum mbox_result give(struct mbox_delivery *d, struct err *err)
{
	d->size += (int64_t)d->out.n;
	d->bare_lf += mbox_bare_lf(buf_str(&d->out), &d->last);
	int failed = fd_write_all(d->fd, buf_str(&d->out));
	buf_reset(&d->out);
	return failed ? mbox_failed(err, "cannot write the message") : MBOX_OK;
}

static void add_without_cr(struct mbox_delivery *d, struct str s)
{
	while (s.n > 0) {
		if (d->pending_cr && s.p[0] != '\n')
			buf_addc(&d->out, '\r');
		ptrdiff_t cr = str_find(s, '\r');
		d->pending_cr = cr >= 0;
		buf_add(&d->out, cr < 0 ? s : str_head(s, (size_t)cr));
		s = cr < 0 ? (struct str){ 0 } : str_skip(s, (size_t)cr + 1);
	}
}

enum mbox_result mbox_write(struct mbox_delivery *d, struct str bytes, struct err *err)
{
	enum mbox_result r = MBOX_OK;

	while (!d->already && !d->failed && !r && bytes.n > 0) {
		add_without_cr(d, str_head(bytes, WRITE_CHUNK));
		bytes = str_skip(bytes, WRITE_CHUNK);
		if (d->out.n >= WRITE_CHUNK)
			r = give(d, err);
	}
	return keep_failure(d, r, err);
}

enum mbox_result mbox_write_fd(struct mbox_delivery *d, int fd, struct err *err)
{
	scoped_buf struct buf chunk = { 0 };
	enum mbox_result r = MBOX_OK;
	ssize_t n = 1;

	if (d->already)
		return MBOX_OK;
	buf_reserve(&chunk, WRITE_CHUNK);
	while (!r && n > 0) {
		n = fd_read_full(fd, chunk.p, WRITE_CHUNK);
		if (n < 0) { /* whatever errno says, it is not this disk that is full */
			mbox_failed(err, "cannot read the message");
			r = MBOX_IO;
		} else {
			r = mbox_write(d, str_of(chunk.p, (size_t)n), err);
		}
	}
	return keep_failure(d, r, err);
}

enum mbox_result mbox_drain(struct mbox_delivery *d, struct err *err)
{
	if (d->already || d->failed)
		return keep_failure(d, MBOX_OK, err);
	if (d->pending_cr)
		buf_addc(&d->out, '\r');
	d->pending_cr = false;
	return keep_failure(d, give(d, err), err);
}

enum mbox_result mbox_place(struct mbox_delivery *d, struct err *err)
{
	scoped_buf struct buf name = { 0 };

	if (d->already || d->failed)
		return keep_failure(d, MBOX_OK, err);
	buf_addf(&name, "%.*s,S=%lld,W=%lld", STR_ARG(buf_str(&d->stem)), (long long)d->size,
		 (long long)(d->size + d->bare_lf));
	mbox_fresh_add(&d->folder, buf_str(&d->stem), d->fd, d->size);
	if (mbox_move(d->folder.tmp, d->temp, d->folder.new, buf_cstr(&name)) < 0)
		return keep_failure(d, mbox_failed(err, "cannot move the message to new/"), err);
	d->temp[0] = '\0';
	buf_add(&d->final, buf_str(&name));
	/* whoever removes the folder has moved it away before: what lies in it then is lost */
	return keep_failure(d, mbox_folder_there(&d->folder, err), err);
}

static enum mbox_result commit(struct mbox_delivery *d, struct err *err)
{
	enum mbox_result r = mbox_drain(d, err);

	if (r || d->already)
		return r;
	if (fsync(d->fd) < 0)
		return mbox_failed(err, "cannot flush the message");
	if ((r = mbox_place(d, err)))
		return r;
	return fsync(d->folder.new) < 0 ? mbox_failed(err, "cannot flush new/") : MBOX_OK;
}

enum mbox_result mbox_commit(struct mbox_delivery **d, struct err *err)
{
	enum mbox_result r = commit(*d, err);

	if (r)
		mbox_abort(d);
	else
		mbox_settle(d);
	return r;
}

void mbox_settle(struct mbox_delivery **d)
{
	if (!*d)
		return;
	fd_close(&(*d)->fd);
	mbox_folder_close(&(*d)->folder);
	buf_free(&(*d)->out);
	buf_free(&(*d)->stem);
	buf_free(&(*d)->final);
	free(*d);
	*d = NULL;
}

void mbox_abort(struct mbox_delivery **dp)
{
	struct mbox_delivery *d = *dp;
	int saved = errno;

	if (d && d->temp[0])
		unlinkat(d->folder.tmp, d->temp, 0);
	if (d && d->final.n)
		unlinkat(d->folder.new, buf_cstr(&d->final), 0);
	mbox_settle(dp);
	errno = saved;
}
