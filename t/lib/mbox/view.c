#include "views.h"

#include <errno.h>
#include <time.h>

#include "base/hash.h"
#include "mbox/sync.h"

START_TEST(empty)
{
	scoped_view struct mbox_view *v = view_open("");

	view_is(v, "");
	ck_assert_uint_gt(v->modseq, 0);
	ck_assert_uint_eq(v->uidnext, 1);
	ck_assert(home_has("tayori-index/data.mdb"));
}
END_TEST

START_TEST(deliver_append_store_expunge)
{
	home_deliver("", "Q1R1", false, "Subject: a\r\n\r\nx\r\n", NULL);
	scoped_view struct mbox_view *v = view_open("");
	scoped_view struct mbox_view *w = view_open("inbox");
	view_is(v, "1-r");
	view_is(w, "1");
	ck_assert_uint_eq(view_put("", "b\n", MBOX_SEEN), 2);
	home_deliver("", "Q1R2", false, "c\r\n", NULL);
	view_sync(w);
	view_is(w, "1 2S-r 3-r");
	view_sync(v);
	view_is(v, "1-r 2S 3");
	uint64_t modseq = v->modseq;
	ck_assert_uint_eq(modseq, w->modseq);
	view_store(v, 0, STORE_ADD, MBOX_FLAGGED);
	view_is(v, "1F-rc 2S 3");
	ck_assert_uint_eq(v->modseq, modseq + 1);
	ck_assert_uint_eq(v->rows[0].modseq, modseq + 1);
	view_store(v, 0, STORE_ADD, MBOX_FLAGGED); /* nothing to do */
	ck_assert_uint_eq(v->modseq, modseq + 1);
	view_sync(w);
	view_is(w, "1F-c 2S-r 3-r");
	ck_assert_uint_eq(w->n_changed, 1);
	view_expunge(w, 1);
	view_is(w, "1F-c 2S-r! 3-r");
	ck_assert_uint_eq(w->n_gone, 1);
	mbox_view_forget(w);
	view_is(w, "1F-c 3-r");
	view_sync(v);
	view_is(v, "1F-rc 2S-! 3");
	view_store(v, 1, STORE_SET, MBOX_DRAFT); /* gone: passed over */
	view_is(v, "1F-rc 2S-! 3");
	user_again();
	scoped_view struct mbox_view *later = view_open("");
	view_is(later, "1F 3");
	ck_assert_uint_eq(later->uidnext, 4);
}
END_TEST

/*
 * What another program may do to a folder with messages 1, 2 (seen) and 3 (flagged), which a view knows, and what that
 * view shows then. "+name" makes a file, "-name" removes one, "a>b" renames, "a=b" links. %N is the tag of UID N, %xN of
 * another folder.
 */
static const struct {
	const char *steps[6];
	const char *view, *later; /* later: to a new session; NULL: the same without marks */
} foreign[] = {
	{ { NULL }, "1 2S 3F", NULL },
	{ { "-cur/2.b.h,%2:2,S" }, "1 2S-! 3F", "1 3F" },
	{ { "-cur/1.a.h,%1:2,", "-cur/2.b.h,%2:2,S", "-cur/3.c.h,%3:2,F" }, "1-! 2S-! 3F-!", "" },
	{ { "cur/1.a.h,%1:2,>cur/1.a.h,%1:2,S" }, "1S-c 2S 3F", "1S 2S 3F" },
	{ { "cur/2.b.h,%2:2,S>cur/2.b.h,%2:2," }, "1 2-c 3F", "1 2 3F" },
	{ { "cur/2.b.h,%2:2,S>cur/2.b.h,%2" }, "1 2-c 3F", "1 2 3F" },
	{ { "cur/2.b.h,%2:2,S>cur/2.b.h,%2:1,S" }, "1 2-c 3F", "1 2 3F" },
	{ { "cur/2.b.h,%2:2,S>cur/2.b.h,%2:2,XSS" }, "1 2S 3F", NULL },
	{ { "cur/2.b.h,%2:2,S>cur/2.b.h,%2:2,SFa" }, "1 2FSa-c 3F", "1 2FSa 3F" },
	{ { "cur/2.b.h,%2:2,S>cur/9.other.h,%2:2,S" }, "1 2S 3F", NULL },
	{ { "cur/2.b.h,%2:2,S>new/2.b.h,%2" }, "1 2-c 3F", "1 2 3F" },
	{ { "cur/2.b.h,%2:2,S>new/2.b.h,%2:2,S" }, "1 2S 3F", NULL },
	{ { "cur/2.b.h,%2:2,S>cur/2.b.h" }, "1 2S-! 3F 4-r", "1 3F 4" },
	{ { "cur/2.b.h,%2:2,S>tmp/2.b.h", "tmp/2.b.h>cur/2.b.h,%2:2,F" }, "1 2F-c 3F", "1 2F 3F" },
	{ { "+new/4.d.h" }, "1 2S 3F 4-r", NULL },
	{ { "+cur/4.d.h:2,S" }, "1 2S 3F 4S-r", NULL },
	{ { "+new/9.d.h", "+new/8.e.h", "+cur/7.f.h:2,F" }, "1 2S 3F 4F-r 5-r 6-r", NULL },
	{ { "+new/4.d.h,%4" }, "1 2S 3F 4-r", NULL },
	{ { "+new/4.d.h,%9" }, "1 2S 3F 4-r", NULL },
	{ { "+cur/4.d.h,%2:2,R" }, "1 2S 3F 4R-r", NULL },
	{ { "+cur/0.d.h,%2:2,R" }, "1 2S 3F 4R-r", NULL },
	{ { "+new/0.d.h,%2" }, "1 2S 3F 4-r", NULL },
	{ { "+cur/4.d.h,%x2:2,R", "-cur/2.b.h,%2:2,S" }, "1 2S-! 3F 4R-r", "1 3F 4R" },
	{ { "cur/2.b.h,%2:2,S=cur/2.b.h,%2:2,T" }, "1 2S 3F", NULL },
	{ { "cur/2.b.h,%2:2,S=new/2.b.h,%2" }, "1 2S 3F", NULL },
	{ { "+cur/2.b.h,%2:2,T" }, "1 2S 3F 4T-r", NULL },
	{ { "+new/.hidden", "+cur/.x:2,S" }, "1 2S 3F", NULL },
};

static void expand(const struct mbox_view *v, struct str in, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < in.n; i++) {
		bool other = in.p[i] == '%' && in.p[i + 1] == 'x';
		if (in.p[i] != '%') {
			buf_addc(out, in.p[i]);
			continue;
		}
		i += other ? 2 : 1;
		buf_addf(out, "S=1,W=1,T=%u.%c", v->uidvalidity + other, in.p[i]);
	}
}

static void foreign_step(const struct mbox_view *v, const char *step)
{
	scoped_buf struct buf a = { 0 }, b = { 0 };
	struct str rest = str_from(step), first;
	char how = step[0];

	if (how == '+' || how == '-') {
		expand(v, str_skip(rest, 1), &a);
		if (how == '+')
			home_put(buf_cstr(&a), "x");
		else
			ck_assert_int_eq(unlinkat(home, buf_cstr(&a), 0), 0);
		return;
	}
	how = strchr(step, '>') ? '>' : '=';
	first = str_cut(&rest, how);
	expand(v, first, &a);
	expand(v, rest, &b);
	int failed = how == '>' ? renameat(home, buf_cstr(&a), home, buf_cstr(&b))
				: linkat(home, buf_cstr(&a), home, buf_cstr(&b), 0);
	ck_assert_msg(!failed, "%s: %m", step);
}

static void put_three(const struct mbox_view *v)
{
	foreign_step(v, "+cur/1.a.h,%1:2,");
	foreign_step(v, "+cur/2.b.h,%2:2,S");
	foreign_step(v, "+cur/3.c.h,%3:2,F");
}

/* The rows without what this session only has been told. */
static void rows_text(const struct mbox_view *v, struct buf *out)
{
	const char *gap = "";

	for (size_t i = 0; i < v->n; i++) {
		if (v->rows[i].marks & ROW_GONE)
			continue;
		buf_addf(out, "%s%u", gap, v->rows[i].uid);
		text_flags(v->rows[i].flags, out);
		gap = " ";
	}
}

/* UIDs 1 to 3 are reserved and stand in the record, as if given long ago. */
static void make_three(void)
{
	struct mbox_record r = { .uidvalidity = 7, .uidnext = 4 };
	scoped_buf struct buf text = { 0 };
	struct mbox_view about = { .uidvalidity = 7 };

	memcpy(r.id, "0123456789abcdef0123456789abcdef", sizeof(r.id));
	home_maildir();
	mbox_record_format(&r, &text);
	home_put("tayori-folder", buf_cstr(&text));
	put_three(&about);
}

static void take_index_away(void)
{
	char aside[64];

	snprintf(aside, sizeof(aside), "tmp/index.%016llx", (unsigned long long)random_u64());
	ck_assert_int_eq(renameat(home, "tayori-index", home, aside), 0);
}

static void check_later(const char *want, bool rebuilt)
{
	scoped_buf struct buf got = { 0 };

	user_again();
	if (rebuilt)
		take_index_away();
	scoped_view struct mbox_view *v = view_open("");
	rows_text(v, &got);
	ck_assert_str_is(buf_str(&got), str_from(want));
}

START_TEST(foreign_changes)
{
	scoped_buf struct buf plain = { 0 };
	const char *later = foreign[_i].later;

	make_three();
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, "1 2S 3F");
	uint64_t modseq = v->modseq;
	for (size_t i = 0; i < COUNT(foreign[0].steps) && foreign[_i].steps[i]; i++)
		foreign_step(v, foreign[_i].steps[i]);
	view_sync(v);
	view_is(v, foreign[_i].view);
	if (!foreign[_i].later) {
		rows_text(v, &plain);
		later = buf_cstr(&plain);
	}
	ck_assert_uint_le(v->modseq, modseq + 1); /* one for all that was found */
	view_sync(v);
	view_is(v, foreign[_i].view);
	check_later(later, false);
	check_later(later, true);
	ck_assert_uint_ge(mbox_view_find(v, 5), 0);
}
END_TEST

/* A UID that was seen to be gone is void, even when the very same file comes back. */
START_TEST(gone_is_gone)
{
	make_three();
	scoped_view struct mbox_view *v = view_open("");
	foreign_step(v, "cur/2.b.h,%2:2,S>tmp/b");
	view_sync(v);
	view_is(v, "1 2S-! 3F");
	foreign_step(v, "tmp/b>cur/2.b.h,%2:2,S");
	view_sync(v);
	view_is(v, "1 2S-! 3F 4S-r");
}
END_TEST

START_TEST(expunged_again)
{
	make_three();
	scoped_view struct mbox_view *v = view_open("");
	for (int i = 0; i < 2; i++) {
		size_t all[] = { 2, 0, 1, 1 };
		struct err err = { 0 };
		ck_assert_msg(mbox_view_expunge(v, all, 4, &err) == MBOX_OK, "%s", err.text);
		view_is(v, "1-! 2S-! 3F-!");
	}
	mbox_view_forget(v);
	view_is(v, "");
	ck_assert_uint_eq(v->n_gone, 0);
	ck_assert_uint_eq(view_put("", "x", 0), 4);
}
END_TEST

/* The session changes a message that another program has renamed or removed in the same moment. */
START_TEST(changed_under_us)
{
	make_three();
	scoped_view struct mbox_view *v = view_open("");
	foreign_step(v, "cur/1.a.h,%1:2,>cur/1.a.h,%1:2,R");
	foreign_step(v, "-cur/2.b.h,%2:2,S");
	struct mbox_store s = { STORE_ADD, MBOX_SEEN, UINT64_MAX };
	size_t refused[3], n;
	ck_assert_int_eq(mbox_view_store(v, (size_t[]){ 0, 1, 2 }, 3, &s, refused, &n, NULL), MBOX_OK);
	view_is(v, "1RS-c 2S-! 3FS-c");
	foreign_step(v, "cur/1.a.h,%1:2,RS>cur/1.a.h,%1:2,");
	foreign_step(v, "-cur/3.c.h,%3:2,FS");
	ck_assert_int_eq(mbox_view_expunge(v, (size_t[]){ 0, 1, 2 }, 3, NULL), MBOX_OK);
	view_is(v, "1-c! 2S-! 3FS-c!");
}
END_TEST

/* The stamp of cur/ moves on, as when we had changed something in the same moment as another program. */
static int hide(struct mbox_tx *tx, void *ctx)
{
	const char *id = ctx;
	struct mbox_index_folder d;
	struct stat st;
	int code = mbox_row_folder(tx, id, &d);

	if (code || fstatat(home, "cur", &st, 0) < 0)
		return code ? code : EIO;
	d.cur.changed_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec;
	d.cur.unsure_us = mbox_now_ns() / 1000;
	return mbox_row_folder_put(tx, id, &d);
}

/* It is found some seconds later, or when the file is not where it should be. */
START_TEST(hidden_change)
{
	const struct timespec pause = { .tv_sec = 2, .tv_nsec = 100000000 };

	make_three();
	scoped_view struct mbox_view *v = view_open("");
	foreign_step(v, "cur/2.b.h,%2:2,S>cur/2.b.h,%2:2,FS");
	ck_assert_int_eq(mbox_index_write(&user->index, hide, v->id), 0);
	view_sync(v);
	view_is(v, "1 2S 3F");
	if (_i == 0)
		nanosleep(&pause, NULL);
	else if (_i == 1)
		view_store(v, 1, STORE_ADD, MBOX_SEEN | MBOX_DRAFT);
	else
		fd_close(&(int){ mbox_view_file(v, 1) });
	view_sync(v);
	view_is(v, _i == 1 ? "1 2DFS-c 3F" : "1 2FS-c 3F");
}
END_TEST

static struct mbox_index_folder row_of(const struct mbox_view *v)
{
	struct mbox_index_folder d;
	struct mbox_tx tx;

	ck_assert_int_eq(mbox_index_read(&user->index, &tx), 0);
	ck_assert_int_eq(mbox_row_folder(&tx, v->id, &d), 0);
	mbox_index_end(&tx);
	return d;
}

/* Whatever we change ourselves leaves a stamp that fits, and is not believed for long. */
START_TEST(stamps_after_our_changes)
{
	const struct timespec pause = { .tv_sec = 2, .tv_nsec = 100000000 };
	uint32_t uidvalidity, uids[1];
	size_t moved;

	make_three();
	ck_assert_int_eq(mbox_create(user, STR("A"), NULL), MBOX_OK);
	scoped_view struct mbox_view *v = view_open("");
	for (int i = 0; i < 4; i++) {
		nanosleep(&pause, NULL);
		view_sync(v);
		struct mbox_index_folder d = row_of(v);
		ck_assert(d.cur.unsure_us == 0 && d.new.unsure_us == 0);
		if (i == 0)
			view_store(v, 0, STORE_ADD, MBOX_SEEN);
		else if (i == 1)
			view_put("", "x", 0);
		else if (i == 2)
			view_expunge(v, 1);
		else
			mbox_view_copy(v, &(size_t){ 0 }, 1, STR("A"), true, &uidvalidity, uids, &moved, NULL);
		struct stat st;
		ck_assert_int_eq(fstatat(home, "cur", &st, 0), 0);
		d = row_of(v);
		ck_assert_int_eq(d.cur.changed_ns, st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec);
		ck_assert(d.cur.unsure_us != 0);
	}
}
END_TEST

/* ---- conditions ---- */

START_TEST(unchanged_since)
{
	make_three();
	scoped_view struct mbox_view *v = view_open("");
	scoped_view struct mbox_view *w = view_open("");
	uint64_t before = v->modseq;
	view_store(w, 1, STORE_ADD, MBOX_FLAGGED);
	struct mbox_store s = { STORE_ADD, MBOX_REPLIED, before };
	size_t refused[3], n;
	ck_assert_int_eq(mbox_view_store(v, (size_t[]){ 0, 1, 2 }, 3, &s, refused, &n, NULL), MBOX_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(refused[0], 1);
	view_is(v, "1R-c 2FS-c 3FR-c");
	ck_assert_uint_eq(v->rows[0].modseq, v->rows[2].modseq);
	ck_assert_uint_gt(v->rows[0].modseq, v->rows[1].modseq);
	ck_assert_uint_eq(v->modseq, v->rows[0].modseq);
}
END_TEST

static const struct {
	enum mbox_store_how how;
	uint32_t flags;
	const char *after;
} stores[] = {
	{ STORE_SET, 0, "1-c 2-c 3-c" },
	{ STORE_SET, MBOX_SEEN, "1S-c 2S 3S-c" },
	{ STORE_ADD, MBOX_SEEN | MBOX_DRAFT, "1DSa-c 2DS-c 3DFS-c" },
	{ STORE_ADD, 0, "1a 2S 3F" },
	{ STORE_TAKE, MBOX_SEEN | MBOX_TRASHED, "1a 2-c 3F" },
	{ STORE_TAKE, UINT32_MAX, "1-c 2-c 3-c" },
	{ STORE_SET, UINT32_MAX,
	  "1DFPRSTabcdefghijklmnopqrstuvwxyz-c 2DFPRSTabcdefghijklmnopqrstuvwxyz-c "
	  "3DFPRSTabcdefghijklmnopqrstuvwxyz-c" },
};

START_TEST(store_cases)
{
	struct mbox_store s = { stores[_i].how, stores[_i].flags, UINT64_MAX };
	size_t refused[3], n;

	make_three();
	scoped_view struct mbox_view *v = view_open("");
	view_store(v, 0, STORE_ADD, MBOX_KEYWORD_A);
	view_told(v);
	ck_assert_int_eq(mbox_view_store(v, (size_t[]){ 0, 1, 2 }, 3, &s, refused, &n, NULL), MBOX_OK);
	view_is(v, stores[_i].after);
	scoped_buf struct buf got = { 0 };
	rows_text(v, &got);
	check_later(buf_cstr(&got), true);
}
END_TEST

/* Capitals that other programs write stay; a name that has no room for more letters becomes a short one. */
START_TEST(odd_names)
{
	char path[300], filler[200];

	make_three();
	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	snprintf(path, sizeof(path), "cur/5.%s.h,S=1,W=1,T=7.3:2,S", filler);
	ck_assert_int_eq(renameat(home, "cur/3.c.h,S=1,W=1,T=7.3:2,F", home, path), 0);
	ck_assert_int_eq(renameat(home, "cur/1.a.h,S=1,W=1,T=7.1:2,", home, "cur/1.a.h,S=1,W=1,T=7.1:2,XFQ"), 0);
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, "1F 2S 3S");
	struct mbox_store s = { STORE_SET, UINT32_MAX, UINT64_MAX };
	size_t refused[3], n;
	ck_assert_int_eq(mbox_view_store(v, (size_t[]){ 0, 1, 2 }, 3, &s, refused, &n, NULL), MBOX_OK);
	ck_assert(home_has("cur/1.a.h,S=1,W=1,T=7.1:2,DFPQRSTXabcdefghijklmnopqrstuvwxyz"));
	for (size_t i = 0; i < 3; i++) {
		scoped_fd int fd = mbox_view_file(v, i);
		ck_assert_int_ge(fd, 0);
		ck_assert_uint_eq(v->rows[i].flags, UINT32_MAX);
	}
	check_later("1DFPRSTabcdefghijklmnopqrstuvwxyz 2DFPRSTabcdefghijklmnopqrstuvwxyz "
		    "3DFPRSTabcdefghijklmnopqrstuvwxyz",
		    true);
	user_again();
	scoped_view struct mbox_view *w = view_open("");
	s.flags = 0;
	ck_assert_int_eq(mbox_view_store(w, (size_t[]){ 0, 1, 2 }, 3, &s, refused, &n, NULL), MBOX_OK);
	ck_assert(home_has("cur/1.a.h,S=1,W=1,T=7.1:2,QX"));
	check_later("1 2 3", true);
}
END_TEST

/* ---- keywords ---- */

static const char *const bad_keywords[] = { "", "a b", "a(", "\\Seen", "a]", "a%", "a*", "\"a", "{3}", "\xc3\xa4" };

START_TEST(keyword_names)
{
	struct err err = { 0 };
	char name[MBOX_KEYWORD_OCTETS_MAX + 2];

	scoped_view struct mbox_view *v = view_open("");
	for (size_t i = 0; i < COUNT(bad_keywords); i++)
		ck_assert_uint_eq(mbox_view_keyword(v, str_from(bad_keywords[i]), true, &err), 0);
	memset(name, 'k', sizeof(name));
	ck_assert_uint_eq(mbox_view_keyword(v, str_of(name, sizeof(name) - 1), true, &err), 0);
	ck_assert_uint_ne(mbox_view_keyword(v, str_of(name, sizeof(name) - 2), true, &err), 0);
	ck_assert_uint_eq(mbox_view_keyword(v, STR("$Junk"), false, &err), 0);
}
END_TEST

START_TEST(keywords)
{
	struct err err = { 0 };

	make_three();
	scoped_view struct mbox_view *v = view_open("");
	scoped_view struct mbox_view *w = view_open("");
	foreign_step(v, "cur/1.a.h,%1:2,>cur/1.a.h,%1:2,a"); /* a letter that has no name */
	unsigned changed = w->keywords_changed;
	uint32_t junk = mbox_view_keyword(v, STR("$Junk"), true, &err);
	ck_assert_uint_eq(junk, MBOX_KEYWORD_A << 1);
	ck_assert_uint_eq(mbox_view_keyword(v, STR("$JUNK"), true, &err), junk);
	ck_assert_str_eq(v->keywords[1], "$Junk");
	ck_assert_ptr_null(v->keywords[0]);
	view_store(v, 2, STORE_ADD, junk);
	view_sync(w);
	ck_assert_uint_gt(w->keywords_changed, changed);
	ck_assert_str_eq(w->keywords[1], "$Junk");
	view_is(w, "1a-c 2S 3Fb-c");
	ck_assert_uint_eq(mbox_view_keyword(w, STR("$junk"), false, &err), junk);
	for (int i = 0; i < 24; i++) {
		char name[16];
		snprintf(name, sizeof(name), "k%d", i);
		ck_assert_uint_ne(mbox_view_keyword(w, str_from(name), true, &err), 0);
	}
	ck_assert_uint_eq(mbox_view_keyword(w, STR("one-more"), true, &err), 0);
	user_again();
	take_index_away();
	scoped_view struct mbox_view *later = view_open("");
	view_is(later, "1a 2S 3Fb");
	ck_assert_str_eq(later->keywords[1], "$Junk");
	ck_assert_str_eq(later->keywords[25], "k23");
}
END_TEST

START_TEST(append_with_keywords)
{
	struct mbox_order o = home_order("", "", false);
	struct mbox_delivery *d;
	struct str names[] = { STR("$Forwarded"), STR("bad name"), STR("x") };
	uint32_t uidvalidity, uid;

	make_three();
	ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_OK);
	mbox_write(d, STR("Subject: s\r\n\r\nbody\r\n"), NULL);
	ck_assert_int_eq(mbox_append(user, &d, MBOX_SEEN, names, 3, &uidvalidity, &uid, NULL), MBOX_OK);
	ck_assert_ptr_null(d);
	ck_assert_uint_eq(uid, 4);
	ck_assert_uint_eq(uidvalidity, 7);
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, "1 2S 3F 4Sab-r");
	ck_assert_str_eq(v->keywords[0], "$Forwarded");
	ck_assert_str_eq(v->keywords[1], "x");
	scoped_fd int fd = mbox_view_file(v, 3);
	scoped_buf struct buf text = { 0 };
	ck_assert_int_eq(fd_read_rest(fd, &text), 0);
	ck_assert_str_is(buf_str(&text), STR("Subject: s\n\nbody\n"));
	ck_assert_int_eq(mbox_view_expunge(v, &(size_t){ 3 }, 1, NULL), MBOX_OK);
	errno = 0;
	ck_assert(mbox_view_file(v, 3) == -1 && errno == ENOENT);
	o.folder = STR("None");
	o.must_exist = true;
	ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_MISSING);
	ck_assert(!home_has(".None"));
}
END_TEST

/* ---- \Recent ---- */

START_TEST(recent)
{
	struct mbox_view *reader;
	struct mbox_status s;

	home_deliver("", "Q1R1", false, "x\n", NULL);
	ck_assert_int_eq(mbox_status(user, STR(""), &s, NULL), MBOX_OK);
	ck_assert_uint_eq(s.recent, 1);
	ck_assert_int_eq(mbox_view_open(user, STR(""), true, &reader, NULL), MBOX_OK);
	view_is(reader, "1-r");
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, "1-r");
	scoped_view struct mbox_view *w = view_open("");
	view_is(w, "1");
	home_deliver("", "Q1R2", false, "x\n", NULL);
	view_sync(reader);
	view_is(reader, "1-r 2-r");
	view_sync(w);
	view_is(w, "1 2-r");
	view_sync(v);
	view_is(v, "1-r 2");
	ck_assert_int_eq(mbox_status(user, STR(""), &s, NULL), MBOX_OK);
	ck_assert_uint_eq(s.recent, 0);
	mbox_view_close(&reader);
}
END_TEST

/* ---- the logs ---- */

static void vanished_is(struct mbox_view *v, uint64_t modseq, const char *want)
{
	scoped_buf struct buf uids = { 0 }, text = { 0 };
	bool known = mbox_view_vanished(v, modseq, &uids);

	for (size_t i = 0; i < uids.n / sizeof(uint32_t); i++)
		buf_addf(&text, "%s%u", i ? " " : "", ((uint32_t *)(void *)uids.p)[i]);
	if (!known)
		buf_add(&text, STR("?"));
	ck_assert_str_is(buf_str(&text), str_from(want));
}

START_TEST(vanished)
{
	make_three();
	scoped_view struct mbox_view *v = view_open("");
	uint64_t start = v->modseq;
	view_expunge(v, 2);
	uint64_t middle = v->modseq;
	foreign_step(v, "-cur/1.a.h,%1:2,");
	view_sync(v);
	vanished_is(v, start, "1 3");
	vanished_is(v, middle, "1");
	vanished_is(v, v->modseq, "");
	vanished_is(v, 0, "?");
	user_again();
	take_index_away();
	scoped_view struct mbox_view *w = view_open("");
	vanished_is(w, v->modseq, "?");
	vanished_is(w, w->modseq, "");
	ck_assert_uint_gt(w->modseq, v->modseq);
}
END_TEST

/* An index that is taken away from under open views: no UID or flag changes, and nothing is told as news. */
START_TEST(index_replaced)
{
	make_three();
	scoped_view struct mbox_view *v = view_open("");
	view_store(v, 0, STORE_ADD, MBOX_FLAGGED);
	view_told(v);
	uint64_t modseq = v->modseq;
	take_index_away();
	view_sync(v);
	view_is(v, "1F 2S 3F");
	ck_assert_uint_gt(v->modseq, modseq);
	view_store(v, 1, STORE_ADD, MBOX_FLAGGED);
	view_is(v, "1F 2FS-c 3F");
	ck_assert_uint_gt(v->rows[1].modseq, v->rows[0].modseq);
	ck_assert_uint_gt(v->rows[0].modseq, modseq);
	take_index_away();
	view_expunge(v, 0);
	view_is(v, "1F-! 2FS-c 3F");
	ck_assert_uint_eq(view_put("", "x", 0), 4);
}
END_TEST

/* ---- restoring what a session knew before it slept ---- */

static const struct {
	struct mbox_uid_range known[3], recent[2];
	uint64_t back; /* how much older than now the modseq is */
	const char *rows;
} restores[] = {
	{ { { 0 } }, { { 0 } }, 0, "1 2S 3F" },
	{ { { 1, 3 } }, { { 0 } }, 0, "1 2S 3F" },
	{ { { 1, 3 } }, { { 2, 3 } }, 0, "1 2S-r 3F-r" },
	{ { { 1, 2 } }, { { 1, 1 } }, 0, "1-r 2S 3F" },
	{ { { 1, 5 } }, { { 0 } }, 0, "1 2S 3F 4-! 5-!" },
	{ { { 1, 1 }, { 3, 3 } }, { { 0 } }, 0, "1 3F" },
	{ { { 1, 3 } }, { { 0 } }, 1, "1 2S-c 3F" },
	{ { { 1, 3 } }, { { 0 } }, 9, "1-c 2S-c 3F-c" },
	{ { { 4294967294, UINT32_MAX } }, { { 0 } }, 0, "4294967294-! 4294967295-!" },
};

START_TEST(restore)
{
	size_t n = 0, n_recent = 0;

	make_three();
	scoped_view struct mbox_view *v = view_open("");
	view_store(v, 1, STORE_TAKE, MBOX_SEEN);
	view_store(v, 1, STORE_ADD, MBOX_SEEN);
	while (n < 3 && restores[_i].known[n].to)
		n++;
	while (n_recent < 2 && restores[_i].recent[n_recent].to)
		n_recent++;
	view_told(v);
	mbox_view_restore(v, restores[_i].known, n, restores[_i].recent, n_recent,
			  restores[_i].back > v->modseq ? 0 : v->modseq - restores[_i].back);
	view_is(v, restores[_i].rows);
	view_sync(v);
	view_is(v, restores[_i].rows);
}
END_TEST

TEST_MAIN("mbox view", tcase_add_checked_fixture(tc, user_make, user_remove); tcase_add_test(tc, empty);
	  tcase_add_test(tc, deliver_append_store_expunge); tcase_add_loop_test(tc, foreign_changes, 0, COUNT(foreign));
	  tcase_add_test(tc, gone_is_gone); tcase_add_test(tc, expunged_again); tcase_add_test(tc, changed_under_us);
	  tcase_add_loop_test(tc, hidden_change, 0, 3);
	  tcase_add_test(tc, stamps_after_our_changes); tcase_add_test(tc, unchanged_since);
	  tcase_add_loop_test(tc, store_cases, 0, COUNT(stores)); tcase_add_test(tc, odd_names);
	  tcase_add_test(tc, keyword_names); tcase_add_test(tc, keywords); tcase_add_test(tc, append_with_keywords);
	  tcase_add_test(tc, recent); tcase_add_test(tc, vanished); tcase_add_test(tc, index_replaced);
	  tcase_add_loop_test(tc, restore, 0, COUNT(restores)))
