#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/folders.h"
#include "mbox/house.h"
#include "mbox/import.h"
#include "mbox/sync.h"

enum { STRIP_TRIES = 4 };

struct undo {
	struct mbox_house *h;
	struct str dir; /* as it is called now */
	struct mbox_folder f;
	int from;  /* tayori-imported/ */
	bool ours; /* the record is in its place still: messages can be opened, and get UIDs */
	struct buf text, record_bytes;
	struct arena arena, record_arena;
	struct mbox_former former;
	struct mbox_record record;
	size_t n, later;
};

static bool is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static enum mbox_result replace(int dir, const char *name, const struct buf *text, struct err *err)
{
	return fd_replace_file(dir, name, buf_str(text), 0600) < 0 ? mbox_failed(err, "cannot write %s", name)
								   : MBOX_OK;
}

/* ---- names ---- */

/* Capital letters only: Courier keeps keywords elsewhere. */
static void add_capitals(struct str info, struct buf *out)
{
	for (size_t i = 0; i < info.n; i++)
		if (info.p[i] < 'a' || info.p[i] > 'z')
			buf_addc(out, info.p[i]);
}

static const struct mbox_former_message *known_as(const struct undo *u, const struct mbox_name *name)
{
	return name->uidvalidity == u->former.uidvalidity ? mbox_former_uid(&u->former, name->uid) : NULL;
}

static void old_base(const struct undo *u, const struct mbox_name *name, struct buf *out)
{
	const struct mbox_former_message *known = known_as(u, name);

	if (known)
		buf_add(out, known->base);
	else
		mbox_name_untag(name, out);
}

static void old_name(const struct undo *u, const struct mbox_name *name, struct buf *out)
{
	scoped_buf struct buf info = { 0 };

	if (name->info.n)
		buf_addc(&info, ':');
	if (u->former.origin == ORIGIN_COURIER)
		add_capitals(name->info, &info);
	else
		buf_add(&info, name->info);
	old_base(u, name, out);
	if (out->n + info.n > MBOX_NAME_MAX) { /* flags have been added to a very long one */
		buf_reset(out);
		mbox_name_untag(name, out);
	}
	buf_add(out, buf_str(&info));
}

/* The other server takes the file's date for that of arrival. What it knew has that date. */
static void set_date(int dir, const char *file, int64_t seconds)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds } };

	if (seconds >= 0)
		utimensat(dir, file, times, AT_SYMLINK_NOFOLLOW);
}

static enum mbox_result strip_one(struct undo *u, const struct mbox_message *m, bool *again, struct err *err)
{
	int dir = mbox_message_dir(&u->f, m);
	scoped_buf struct buf to = { 0 };
	struct mbox_name name;

	u->n++;
	if (!mbox_name_parse(m->name, &name) || name.uid == 0)
		return MBOX_OK;
	old_name(u, &name, &to);
	if (!known_as(u, &name)) {
		u->later++;
		set_date(dir, m->name.p, name.seconds);
	}
	if (mbox_move(dir, m->name.p, dir, buf_cstr(&to)) == 0)
		return MBOX_OK;
	if (errno == EEXIST) {
		mbox_house_tell(u->h, u->dir, "%.*s keeps its name, since the one before is used", STR_ARG(m->name));
		return MBOX_OK;
	}
	if (errno != ENOENT)
		return mbox_failed(err, "cannot rename %.*s", STR_ARG(m->name));
	*again = true;
	return MBOX_OK;
}

static enum mbox_result strip_once(struct undo *u, bool *again, struct err *err)
{
	scoped_list struct mbox_list list;
	enum mbox_result r = mbox_scan(&u->f, u->former.uidvalidity, UINT32_MAX, &list, err);

	u->n = 0;
	for (size_t i = 0; i < list.n && !r; i++)
		r = strip_one(u, &list.m[i], again, err);
	return r;
}

static enum mbox_result strip_all(struct undo *u, struct err *err)
{
	bool again = true;

	for (int try = 0; again && try < STRIP_TRIES; try++) {
		again = false;
		enum mbox_result r = strip_once(u, &again, err);
		if (r)
			return r;
	}
	if (!again)
		return mbox_flush_names(&u->f, err);
	err_set(err, "another program is at work in the folder");
	return MBOX_BUSY;
}

/* ---- control files, as long as the record is in its place ---- */

static int by_uid(const void *pa, const void *pb)
{
	const struct mbox_former_later *a = pa, *b = pb;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static struct str keep_base(struct undo *u, const struct mbox_message *m)
{
	scoped_buf struct buf base = { 0 };
	struct mbox_name name;

	mbox_name_parse(m->name, &name);
	old_base(u, &name, &base);
	return arena_str(&u->arena, buf_str(&base));
}

/* What POP3 shows of it here. */
static struct str keep_uidl(struct undo *u, uint32_t uid)
{
	char text[MBOX_RECORD_UIDL_MAX + 1];

	if (!u->f.inbox)
		return (struct str){ 0 };
	return arena_str(&u->arena, mbox_record_shown_uidl(&u->record, uid, text));
}

/* UIDs that clients have seen must not come again for other messages. */
static enum mbox_result write_uids(struct undo *u, const struct mbox_list *list, struct err *err)
{
	const char *file = u->former.origin == ORIGIN_DOVECOT ? "dovecot-uidlist" : "courierimapuiddb";
	struct mbox_former_later *later = arena_array(&u->arena, list->n + 1, sizeof(*later));
	scoped_buf struct buf old = { 0 }, text = { 0 };
	size_t n = 0;
	bool there;
	enum mbox_result r = mbox_house_read(u->from, file, &old, &there, err);

	if (r)
		return r;
	for (size_t i = 0; i < list->n; i++)
		if (list->m[i].uid)
			later[n++] = (struct mbox_former_later){ list->m[i].uid, keep_base(u, &list->m[i]),
								 keep_uidl(u, list->m[i].uid) };
	qsort(later, n, sizeof(*later), by_uid);
	if (!mbox_former_uids(&u->former, buf_str(&old), u->record.uidnext, u->record.id, later, n, &text)) {
		err_set(err, "it is not known which server kept it");
		return MBOX_REFUSED;
	}
	return replace(u->from, file, &text, err);
}

static enum mbox_result write_dovecot_keywords(struct undo *u, struct err *err)
{
	scoped_buf struct buf old = { 0 }, text = { 0 };
	bool there;
	enum mbox_result r = mbox_house_read(u->from, "dovecot-keywords", &old, &there, err);

	if (r)
		return r;
	mbox_dovecot_keywords_add(buf_str(&old), u->record.keywords, &text);
	return text.n > old.n ? replace(u->from, "dovecot-keywords", &text, err) : MBOX_OK;
}

static bool remove_keyword_file(void *ctx, struct str file, unsigned char type)
{
	int *dir = ctx;

	(void)type;
	if (!str_eq(file, STR(":list")))
		unlinkat(*dir, file.p, 0);
	return true;
}

/* A number for each keyword that has a name, in the order of the letters; then the messages. */
static void format_courier_keywords(struct undo *u, const struct mbox_list *list, struct buf *out)
{
	unsigned numbers[MBOX_RECORD_KEYWORDS], n = 0;

	for (unsigned i = 0; i < MBOX_RECORD_KEYWORDS; i++) {
		numbers[i] = n;
		if (u->record.keywords[i].n) {
			n++;
			buf_add(out, u->record.keywords[i]);
			buf_addc(out, '\n');
		}
	}
	buf_addc(out, '\n');
	for (size_t k = 0; k < list->n; k++) {
		char sep = ':';
		for (unsigned i = 0; i < MBOX_RECORD_KEYWORDS; i++) {
			if (!u->record.keywords[i].n || !(list->m[k].flags & (uint32_t)MBOX_KEYWORD_A << i))
				continue;
			if (sep == ':')
				buf_add(out, keep_base(u, &list->m[k]));
			buf_addf(out, "%c%u", sep, numbers[i]);
			sep = ' ';
		}
		if (sep == ' ')
			buf_addc(out, '\n');
	}
}

/* When some could not be kept, those of before are worth more than those of now. */
static enum mbox_result write_courier_keywords(struct undo *u, const struct mbox_list *list, struct err *err)
{
	scoped_buf struct buf text = { 0 };
	enum mbox_result r;

	if (u->former.lost)
		return MBOX_OK;
	if ((r = mbox_make_directory(u->from, "courierimapkeywords", err)))
		return r;
	scoped_fd int dir = mbox_directory_open(u->from, "courierimapkeywords");
	if (dir < 0)
		return mbox_failed(err, "cannot open courierimapkeywords/");
	format_courier_keywords(u, list, &text);
	if (!(r = replace(dir, ":list", &text, err)))
		mbox_walk_all(dir, remove_keyword_file, &dir);
	return r;
}

static enum mbox_result write_subscriptions(struct undo *u, struct err *err)
{
	const char *file = u->former.origin == ORIGIN_DOVECOT ? "subscriptions" : "courierimapsubscribed";
	scoped_buf struct buf ours = { 0 }, old = { 0 }, text = { 0 };
	bool there, known;
	enum mbox_result r = mbox_house_read(u->h->home, MBOX_SUBSCRIPTIONS, &ours, &there, err);

	if (r || !there || (r = mbox_house_read(u->from, file, &old, &known, err)))
		return r;
	mbox_former_subscriptions(u->former.origin, u->former.utf7, buf_str(&old), buf_str(&ours), &text);
	return replace(u->from, file, &text, err);
}

static enum mbox_result write_controls(struct undo *u, struct err *err)
{
	scoped_list struct mbox_list list;
	enum mbox_result r = mbox_scan(&u->f, u->record.uidvalidity, u->record.uidnext, &list, err);

	if (r || (r = write_uids(u, &list, err)))
		return r;
	r = u->former.origin == ORIGIN_DOVECOT ? write_dovecot_keywords(u, err) : write_courier_keywords(u, &list, err);
	return r || !u->f.inbox ? r : write_subscriptions(u, err);
}

/* From now on nobody can open the folder. */
static enum mbox_result take_record(struct undo *u, struct err *err)
{
	if (renameat(u->f.dir, MBOX_RECORD, u->from, MBOX_RECORD) < 0)
		return mbox_failed(err, "cannot move %s", MBOX_RECORD);
	if (fsync(u->from) < 0 || fsync(u->f.dir) < 0)
		return mbox_flush_failed(err, MBOX_RECORD);
	return MBOX_OK;
}

/* ---- what was imported ---- */

/* A folder that is not the former server's: it has been created since, or copied from another one. */
static enum mbox_result make_names(struct undo *u, struct err *err)
{
	scoped_buf struct buf text = { 0 }, disk = { 0 };

	if (!u->f.inbox && !mbox_former_disk(u->dir, u->h->utf7, &disk)) {
		err_set(err, "its name cannot be written as the other server does");
		return MBOX_REFUSED;
	}
	u->former = (struct mbox_former){ .origin = u->h->origin,
					  .utf7 = u->h->utf7,
					  .folder = arena_str(&u->arena, buf_str(&disk)),
					  .uidvalidity = u->record.uidvalidity,
					  .uidnext = u->record.uidnext };
	mbox_former_format(&u->former, &text);
	return replace(u->from, MBOX_NAMES, &text, err);
}

static enum mbox_result open_imported(struct undo *u, struct err *err)
{
	enum mbox_result r = u->from < 0 ? mbox_make_directory(u->f.dir, MBOX_IMPORTED, err) : MBOX_OK;

	if (u->from < 0)
		u->from = mbox_directory_open(u->f.dir, MBOX_IMPORTED);
	return r || u->from >= 0 ? r : mbox_failed(err, "cannot open %s", MBOX_IMPORTED);
}

static enum mbox_result load_names(struct undo *u, struct err *err)
{
	bool there = false;
	enum mbox_result r =
		u->from < 0 ? MBOX_OK : mbox_house_names(u->from, &u->text, &u->arena, &u->former, &there, err);

	if (r || (there && (!u->ours || u->former.uidvalidity == u->record.uidvalidity)))
		return r;
	if (!u->ours) /* it was cut off before anything was renamed */
		return MBOX_OK;
	if (there) { /* a copy, with the files of the one that it was copied from */
		fd_close(&u->from);
		if (mbox_remove_tree(u->f.dir, MBOX_IMPORTED) < 0)
			return mbox_failed(err, "cannot remove %s", MBOX_IMPORTED);
	}
	if ((r = open_imported(u, err)))
		return r;
	return make_names(u, err);
}

static enum mbox_result load_record(struct undo *u, bool dirty, struct err *err)
{
	enum mbox_result r = mbox_folder_load(&u->f, &u->record_bytes, &u->record_arena, &u->record, err);

	return r || !dirty ? r : mbox_folder_recover(&u->f, &u->record, err);
}

/* ---- the folder ---- */

static enum mbox_result rename_back(struct undo *u, struct err *err)
{
	char from[MBOX_NAME_MAX + 2], to[MBOX_NAME_MAX + 2];
	scoped_buf struct buf before = { 0 }, disk = { 0 };

	if (u->f.inbox || u->former.uidvalidity == 0)
		return MBOX_OK;
	/* as it was called; unless the user has renamed it */
	if (mbox_former_name(u->former.folder, &before) &&
	    (str_eq(buf_str(&before), u->dir) || str_eq(u->former.folder, u->dir)))
		buf_add(&disk, u->former.folder);
	else if (!mbox_former_disk(u->dir, u->former.utf7, &disk) || disk.n > MBOX_NAME_MAX)
		return MBOX_OK;
	mbox_house_path(u->dir, from);
	mbox_house_path(buf_str(&disk), to);
	if (strcmp(from, to) == 0)
		return MBOX_OK;
	if (mbox_move(u->h->home, from, u->h->home, to) < 0)
		return mbox_failed(err, "cannot rename the folder to %s", to);
	return fsync(u->h->home) < 0 ? mbox_flush_failed(err, "the folder's name") : MBOX_OK;
}

static enum mbox_result leave_home(struct undo *u, struct err *err)
{
	scoped_mbox_user struct mbox_user *user = mbox_user_new(u->h->home);
	enum mbox_result r = mbox_index_remove(&user->index, err);

	unlinkat(u->h->home, MBOX_SUBSCRIPTIONS, 0);
	unlinkat(u->h->home, "tayori-uidvalidity", 0);
	return r;
}

/* The mark goes at one stroke; what is left of it then is rubbish. */
static enum mbox_result leave(struct undo *u, struct err *err)
{
	char aside[64];

	snprintf(aside, sizeof(aside), "tayori-gone.%016llx", (unsigned long long)random_u64());
	unlinkat(u->f.dir, "tayori-pop3", 0);
	unlinkat(u->f.dir, "tayori-lock", 0);
	if (u->from >= 0 && renameat(u->f.dir, MBOX_IMPORTED, u->f.tmp, aside) < 0)
		return mbox_failed(err, "cannot remove %s", MBOX_IMPORTED);
	if (fsync(u->f.dir) < 0)
		return mbox_flush_failed(err, MBOX_IMPORTED);
	mbox_remove_tree(u->f.tmp, aside);
	return MBOX_OK;
}

static enum mbox_result undo_locked(struct undo *u, bool dirty, struct err *err)
{
	enum mbox_result r = MBOX_OK;

	u->from = mbox_directory_open(u->f.dir, MBOX_IMPORTED);
	u->ours = is_there(u->f.dir, MBOX_RECORD);
	if (u->from < 0 && !u->ours) /* by another one, while we waited */
		return r;
	if (u->ours)
		r = load_record(u, dirty, err);
	if (r || (r = load_names(u, err)) || (u->ours && ((r = write_controls(u, err)) || (r = take_record(u, err)))))
		return r;
	unlinkat(u->from, "maildirsize", 0); /* not true any more: the other one counts anew */
	if ((u->former.uidvalidity && (r = strip_all(u, err))) ||
	    (r = mbox_house_move_controls(u->from, u->f.dir, err)) || (r = rename_back(u, err)) ||
	    (u->f.inbox && u->h->failed == 0 && (r = leave_home(u, err))))
		return r;
	if (u->former.uidvalidity)
		mbox_house_tell(u->h, u->dir, "given back to %s: %zu messages, of which %zu have come since",
				mbox_origin_name(u->former.origin), u->n, u->later);
	return leave(u, err);
}

static enum mbox_result undo_open(struct undo *u, struct err *err)
{
	char path[MBOX_NAME_MAX + 2];
	bool dirty;
	enum mbox_result r;

	mbox_house_path(u->dir, path);
	if ((r = mbox_folder_open_foreign(u->h->home, path, &u->f, err)) ||
	    (!is_there(u->f.dir, MBOX_RECORD) && !is_there(u->f.dir, MBOX_IMPORTED)) ||
	    (r = mbox_folder_lock(&u->f, &dirty, err)))
		return r;
	r = undo_locked(u, dirty, err);
	mbox_folder_unlock(&u->f, !r);
	return r;
}

static void undo_folder(struct mbox_house *h, struct str dir)
{
	struct undo u = { .h = h, .dir = dir, .f = MBOX_FOLDER_CLOSED, .from = -1 };
	struct err why = { .at = -1 };
	enum mbox_result r = undo_open(&u, &why);

	mbox_house_end(h, dir, r, &why);
	fd_close(&u.from);
	mbox_folder_close(&u.f);
	buf_free(&u.text);
	buf_free(&u.record_bytes);
	arena_free(&u.arena);
	arena_free(&u.record_arena);
}

enum mbox_result mbox_import_undo(int home, const struct mbox_report *report, struct err *err)
{
	scoped_house struct mbox_house h;
	enum mbox_result r = mbox_house_open(home, report, &h, err);

	if (!r && !h.imported) {
		err_set(err, "nothing in this mailbox was imported");
		return MBOX_MISSING;
	}
	if (r)
		return r;
	for (size_t i = 0; i < h.n; i++)
		undo_folder(&h, h.dirs[i]);
	if (err && h.worst)
		err_set(err, "%zu folders are not given back; the first: %.150s", h.failed, h.why.text);
	return h.worst;
}
