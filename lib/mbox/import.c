#include "mbox/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/time.h"
#include "io/fd.h"
#include "mbox/folders.h"
#include "mbox/house.h"
#include "mbox/scan.h"

enum {
	TAG_TRIES = 4,
	SERVER_LOCK_S = 120, /* Dovecot believes no lock that is older */
	UIDL_LINE_MAX = MBOX_UIDL_MAX + 30,
};

struct import {
	struct mbox_house *h;
	struct str dir; /* as the house has it */
	struct mbox_folder f;
	int into;	 /* tayori-imported/ */
	struct buf name; /* ours of the folder */
	struct mbox_former_texts texts;
	struct arena arena;
	struct mbox_former former;
	struct mbox_former_index ix;
	uint8_t *there; /* by message of `former`: it has its tag */
	size_t kept, passed;
};

static enum mbox_result refuse(struct err *err, const char *why)
{
	err_set(err, "%s", why);
	return MBOX_REFUSED;
}

/* ---- what the former server knew ---- */

static size_t count_uidls(const struct mbox_former *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += f->m[i].uidl.n > 0;
	return n;
}

static bool at_work(int dir)
{
	static const char *const locks[] = { "dovecot-uidlist.lock", "courierimapuiddb.lock" };
	struct stat st;

	for (size_t i = 0; i < COUNT(locks); i++)
		if (fstatat(dir, locks[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime > clock_wall_us() / 1000000 - SERVER_LOCK_S)
			return true;
	return false;
}

/* What is to be is written down before anything is done: who is cut off goes on by it, whatever is renamed already. */
static enum mbox_result write_names(struct import *im, struct err *err)
{
	scoped_buf struct buf text = { 0 };
	enum mbox_result r;

	if (at_work(im->f.dir)) {
		err_set(err, "the other server is at work in the folder: it must be stopped first");
		return MBOX_BUSY;
	}
	if ((r = mbox_house_former(im->h, &im->f, im->dir, &im->texts, &im->arena, &im->former, err)))
		return r;
	if (im->f.inbox && count_uidls(&im->former) > MBOX_RECORD_BYTES_MAX / UIDL_LINE_MAX)
		return refuse(err, "too many messages have unique ids of POP3");
	mbox_former_format(&im->former, &text);
	return fd_replace_file(im->into, MBOX_NAMES, buf_str(&text), 0600) < 0
		       ? mbox_failed(err, "cannot write %s/%s", MBOX_IMPORTED, MBOX_NAMES)
		       : MBOX_OK;
}

/* ---- names of messages ---- */

/* The date that both servers showed was that of the file; ours stands in the name. */
static struct str dated(struct str file, const struct mbox_name *name, int64_t date, struct buf *out)
{
	if (name->seconds < 0 || date < 0 || date == name->seconds)
		return file;
	buf_addf(out, "%lld%.*s", (long long)date, STR_ARG(str_skip(file, (size_t)str_find(file, '.'))));
	return buf_str(out);
}

static void tagged_name(const struct import *im, const struct mbox_message *m, const struct mbox_former_message *known,
			int64_t date, struct buf *out)
{
	scoped_buf struct buf with_date = { 0 }, with_letters = { 0 };
	struct mbox_name name;

	mbox_name_parse(m->name, &name);
	if (!mbox_name_parse(dated(m->name, &name, date, &with_date), &name)) /* longer by a digit, too long */
		mbox_name_parse(m->name, &name);
	if (known->letters) {
		mbox_name_reflag(&name, m->flags | known->letters, &with_letters);
		mbox_name_parse(buf_str(&with_letters), &name);
	}
	mbox_name_tag(&name, m->size, m->vsize, im->former.uidvalidity, known->uid, out);
}

/* False with errno. */
static bool tag(struct import *im, struct mbox_message *m, const struct mbox_former_message *known)
{
	int dir = mbox_message_dir(&im->f, m);
	scoped_buf struct buf name = { 0 };
	struct stat st;

	if (fstatat(dir, m->name.p, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if ((m->size != st.st_size || m->vsize < m->size) && !mbox_measure(&im->f, m))
		return false;
	tagged_name(im, m, known, st.st_mtime, &name);
	return mbox_move(dir, m->name.p, im->f.cur, buf_cstr(&name)) == 0;
}

static uint8_t *mark_of(const struct import *im, const struct mbox_former_message *m)
{
	return &im->there[m - im->former.m];
}

static void see_tagged(const struct import *im, const struct mbox_list *l)
{
	memset(im->there, 0, im->former.n);
	for (size_t i = 0; i < l->n; i++) {
		const struct mbox_former_message *m = l->m[i].uid ? mbox_former_uid(&im->former, l->m[i].uid) : NULL;
		if (m)
			*mark_of(im, m) = 1;
	}
}

/* One that cannot be read by its owner, or a trick with links, stays without a UID; *again: another program was at work. */
static enum mbox_result tag_one(struct import *im, struct mbox_message *m, bool *again, struct err *err)
{
	const struct mbox_former_message *known = mbox_former_find(&im->ix, mbox_message_base(m));

	if (!known || *mark_of(im, known)) /* new, or twice */
		return MBOX_OK;
	if (tag(im, m, known)) {
		*mark_of(im, known) = 1;
		return MBOX_OK;
	}
	switch (errno) {
	case ENOENT: *again = true; return MBOX_OK;
	case EACCES:
	case EPERM:
	case ELOOP:
	case EISDIR:
	case EEXIST:
		im->passed++;
		mbox_house_tell(im->h, buf_str(&im->name), "UID %u is lost: cannot take in %.*s: %s", known->uid,
				STR_ARG(m->name), strerror(errno));
		return MBOX_OK;
	default: return mbox_failed(err, "cannot rename %.*s", STR_ARG(m->name));
	}
}

static enum mbox_result tag_once(struct import *im, bool *again, struct err *err)
{
	scoped_list struct mbox_list list;
	enum mbox_result r = mbox_scan(&im->f, im->former.uidvalidity, im->former.uidnext, &list, err);

	if (r)
		return r;
	see_tagged(im, &list);
	im->passed = 0;
	for (size_t i = 0; i < list.n && !r; i++)
		if (list.m[i].uid == 0)
			r = tag_one(im, &list.m[i], again, err);
	return r;
}

static enum mbox_result tag_all(struct import *im, struct err *err)
{
	bool again = true;

	for (int try = 0; again && try < TAG_TRIES; try++) {
		again = false;
		enum mbox_result r = tag_once(im, &again, err);
		if (r)
			return r;
	}
	if (again) {
		err_set(err, "another program is at work in the folder");
		return MBOX_BUSY;
	}
	for (size_t i = 0; i < im->former.n; i++)
		im->kept += im->there[i];
	return mbox_flush_names(&im->f, err);
}

/* ---- the folder ---- */

static bool is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum mbox_result rename_folder(struct import *im, struct err *err)
{
	char from[MBOX_NAME_MAX + 2], to[MBOX_PATH_MAX];

	if (im->f.inbox)
		return MBOX_OK;
	mbox_house_path(im->dir, from);
	mbox_folder_path(buf_str(&im->name), to);
	if (strcmp(from, to) == 0)
		return MBOX_OK;
	if (mbox_move(im->h->home, from, im->h->home, to) < 0)
		return mbox_failed(err, "cannot rename the folder to %s", to);
	return fsync(im->h->home) < 0 ? mbox_flush_failed(err, "the folder's name") : MBOX_OK;
}

static enum mbox_result write_record(struct import *im, struct err *err)
{
	const struct mbox_former *f = &im->former;
	/* above all that the other server can have given: clients ask for what has changed since */
	uint64_t modseq = (uint64_t)(clock_wall_us() / 1000000);
	struct mbox_record r = { .uidvalidity = f->uidvalidity, .uidnext = f->uidnext, .modseq = modseq };
	uint8_t id[16];
	enum mbox_result result;

	random_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), r.id);
	memcpy(r.keywords, f->keywords, sizeof(r.keywords));
	if (im->f.inbox && f->origin == ORIGIN_DOVECOT)
		r.dovecot_uidls = f->uidnext;
	r.uidls = arena_array(&im->arena, im->kept + 1, sizeof(*r.uidls));
	for (size_t i = 0; i < f->n && im->f.inbox; i++)
		if (im->there[i] && f->m[i].uidl.n)
			r.uidls[r.n_uidls++] = (struct mbox_kept_uidl){ f->m[i].uid, f->m[i].uidl };
	/* whoever dies in between may leave a record that is not durable yet */
	if ((result = mbox_raise_uidvalidity(im->h->home, f->uidvalidity, err)) ||
	    (result = mbox_folder_soil(&im->f, err)))
		return result;
	return mbox_folder_store(&im->f, &r, err);
}

static enum mbox_result mark_folder(const struct import *im, struct err *err)
{
	scoped_fd int mark = im->f.inbox ? -1 : mbox_file_open(im->f.dir, "maildirfolder", O_WRONLY | O_CREAT);

	return im->f.inbox || mark >= 0 ? MBOX_OK : mbox_failed(err, "cannot create maildirfolder");
}

static enum mbox_result take_over(struct import *im, struct err *err)
{
	enum mbox_result r;

	im->there = arena_array(&im->arena, im->former.n + 1, 1);
	if (!im->there || !mbox_former_index(&im->former, &im->arena, &im->ix))
		return refuse(err, "too many messages");
	if ((r = tag_all(im, err)) || (r = mark_folder(im, err)) ||
	    (r = mbox_house_move_controls(im->f.dir, im->into, err)) || (r = rename_folder(im, err)))
		return r;
	return write_record(im, err);
}

static bool newer(int dir, const char *name, const struct stat *than)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mtim.tv_sec > than->st_mtim.tv_sec ||
		(st.st_mtim.tv_sec == than->st_mtim.tv_sec && st.st_mtim.tv_nsec > than->st_mtim.tv_nsec));
}

/* It has seen messages under new names, and others that we do not know of. */
static bool has_run_since(const struct import *im)
{
	struct stat names;

	return fstatat(im->into, MBOX_NAMES, &names, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (newer(im->f.dir, "dovecot-uidlist", &names) || newer(im->f.dir, "courierimapuiddb", &names));
}

/* The name that it will have; it must be free. */
static enum mbox_result choose_name(struct import *im, struct err *err)
{
	struct str disk = im->former.uidvalidity ? im->former.folder : im->dir;
	char path[MBOX_PATH_MAX];

	if (im->f.inbox)
		return MBOX_OK;
	if (!mbox_former_name(disk, &im->name) || mbox_is_inbox(buf_str(&im->name)))
		return refuse(err, "no name for a folder");
	mbox_folder_path(buf_str(&im->name), path);
	if (str_eq(buf_str(&im->name), im->dir) || !is_there(im->h->home, path))
		return MBOX_OK;
	err_set(err, "it would be called %.*s, which is there already", STR_ARG(buf_str(&im->name)));
	return MBOX_EXISTS;
}

static enum mbox_result begin(struct import *im, struct err *err)
{
	bool there;
	enum mbox_result r;

	im->into = mbox_directory_open(im->f.dir, MBOX_IMPORTED);
	if (im->into >= 0 && is_there(im->into, MBOX_RECORD))
		return refuse(err, "the import was being undone: that must come to its end first (--undo)");
	if (im->into >= 0 && has_run_since(im))
		return refuse(err, "the other server has run since the import was cut off: undo it first (--undo)");
	if (im->into >= 0 &&
	    ((r = mbox_house_names(im->into, &im->texts.list, &im->arena, &im->former, &there, err)) || there))
		return r ? r : choose_name(im, err);
	if ((r = choose_name(im, err)) || (im->into < 0 && (r = mbox_make_directory(im->f.dir, MBOX_IMPORTED, err))))
		return r;
	if (im->into < 0)
		im->into = mbox_directory_open(im->f.dir, MBOX_IMPORTED);
	if (im->into < 0)
		return mbox_failed(err, "cannot open %s", MBOX_IMPORTED);
	if (fsync(im->f.dir) < 0)
		return mbox_flush_failed(err, MBOX_IMPORTED);
	return write_names(im, err);
}

static void report(const struct import *im)
{
	const struct mbox_former *f = &im->former;
	struct str name = buf_str(&im->name);

	mbox_house_tell(im->h, name, "imported from %s: %zu messages keep their UIDs, UIDVALIDITY %u, UIDNEXT %u",
			mbox_origin_name(f->origin), im->kept, f->uidvalidity, f->uidnext);
	if (f->lost)
		mbox_house_tell(im->h, name, "%zu keywords cannot be kept", f->lost);
}

static enum mbox_result import_locked(struct import *im, struct err *err)
{
	enum mbox_result r = MBOX_OK;

	if (is_there(im->f.dir, MBOX_RECORD)) /* by another one, while we waited */
		return r;
	if (!(r = begin(im, err)) && !(r = take_over(im, err)))
		report(im);
	return r;
}

static enum mbox_result import_open(struct import *im, struct err *err)
{
	char path[MBOX_NAME_MAX + 2];
	bool dirty;
	enum mbox_result r;

	mbox_house_path(im->dir, path);
	if ((r = mbox_folder_open_foreign(im->h->home, path, &im->f, err)) || is_there(im->f.dir, MBOX_RECORD))
		return r;
	if ((r = mbox_folder_lock(&im->f, &dirty, err)))
		return r;
	r = import_locked(im, err);
	mbox_folder_unlock(&im->f, !r);
	return r;
}

static void import_folder(struct mbox_house *h, struct str dir)
{
	struct import im = { .h = h, .dir = dir, .f = MBOX_FOLDER_CLOSED, .into = -1 };
	struct err why = { .at = -1 };
	enum mbox_result r = import_open(&im, &why);

	mbox_house_end(h, im.name.n ? buf_str(&im.name) : dir, r, &why);
	fd_close(&im.into);
	mbox_folder_close(&im.f);
	buf_free(&im.name);
	mbox_former_texts_free(&im.texts);
	arena_free(&im.arena);
}

/* ---- subscriptions ---- */

static enum mbox_result add_subscriptions(struct mbox_house *h, struct str theirs, struct err *err)
{
	scoped_buf struct buf ours = { 0 }, names = { 0 };
	scoped_table struct table known = { 0 };
	size_t lost = 0;

	if (mbox_house_file(h->home, MBOX_SUBSCRIPTIONS, MBOX_SUBSCRIPTIONS_MAX, &ours) < 0)
		return mbox_failed(err, "cannot read %s", MBOX_SUBSCRIPTIONS);
	if (h->origin == ORIGIN_DOVECOT)
		mbox_dovecot_subscriptions(theirs, &names, &lost);
	else
		mbox_courier_subscriptions(theirs, &names, &lost);
	if (lost)
		mbox_house_tell(h, STR(""), "%zu subscriptions are not of this user's folders, or have bad names",
				lost);
	for (struct str rest = buf_str(&ours); rest.n > 0;)
		table_set(&known, str_cut(&rest, '\n'), h);
	for (struct str rest = buf_str(&names); rest.n > 0;) {
		struct str name = str_cut(&rest, '\n');
		if (!table_set(&known, name, h) && !(buf_add(&ours, name) && buf_addc(&ours, '\n')))
			return refuse(err, "too many subscriptions");
	}
	return fd_replace_file(h->home, MBOX_SUBSCRIPTIONS, buf_str(&ours), 0600) < 0
		       ? mbox_failed(err, "cannot write %s", MBOX_SUBSCRIPTIONS)
		       : MBOX_OK;
}

/* Once INBOX, the last one, has its record, the user may have changed them. */
static enum mbox_result import_subscriptions(struct mbox_house *h, struct err *err)
{
	const char *name = h->origin == ORIGIN_DOVECOT ? "subscriptions" : "courierimapsubscribed";
	scoped_buf struct buf text = { 0 };
	scoped_fd int lock = -1, imported = mbox_directory_open(h->home, MBOX_IMPORTED);
	bool there;

	if (is_there(h->home, MBOX_RECORD))
		return MBOX_OK;
	enum mbox_result r = mbox_house_read(h->home, name, &text, &there, err);
	if (!r && !there && imported >= 0)
		r = mbox_house_read(imported, name, &text, &there, err);
	if (r || !there || (r = mbox_home_lock(h->home, &lock, err)))
		return r;
	return add_subscriptions(h, buf_str(&text), err);
}

enum mbox_result mbox_import(int home, const struct mbox_report *report, struct err *err)
{
	scoped_house struct mbox_house h;
	enum mbox_result r = mbox_house_open(home, report, &h, err);

	if (!r && !h.waiting && !h.imported) {
		err_set(err, "no other server has kept this mailbox");
		return MBOX_MISSING;
	}
	if (r || (r = import_subscriptions(&h, err)))
		return r;
	for (size_t i = 0; i < h.n; i++)
		import_folder(&h, h.dirs[i]);
	if (err && h.worst)
		err_set(err, "%zu folders are not imported; the first: %.150s", h.failed, h.why.text);
	return h.worst;
}
