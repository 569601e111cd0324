#include "views.h"

#include <errno.h>

#include "base/time.h"

static void list_is(const char *want)
{
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf text = { 0 };
	struct mbox_folder_row *rows;
	struct err err = { 0 };
	size_t n;

	ck_assert_msg(mbox_folders(user, &a, &rows, &n, &err) == MBOX_OK, "%s", err.text);
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%s%s%.*s%s%s", i ? " " : "", rows[i].exists ? "" : "?", STR_ARG(rows[i].name),
			 rows[i].children ? "/" : "", rows[i].subscribed ? "*" : "");
	ck_assert_str_is(buf_str(&text), str_from(want));
}

static enum mbox_result create(const char *name)
{
	return mbox_create(user, str_from(name), NULL);
}

static enum mbox_result rename_to(const char *from, const char *to)
{
	return mbox_rename(user, str_from(from), str_from(to), NULL);
}

static uint32_t uidvalidity_of(const char *name)
{
	struct mbox_status s;

	return mbox_status(user, str_from(name), &s, NULL) == MBOX_OK ? s.uidvalidity : 0;
}

START_TEST(listing)
{
	list_is("INBOX");
	ck_assert_int_eq(create("Work.2026.May"), MBOX_OK);
	ck_assert_int_eq(create("Work.2026"), MBOX_OK);
	ck_assert_int_eq(create("Work-1"), MBOX_OK);
	ck_assert_int_eq(create("会議"), MBOX_OK);
	ck_assert_int_eq(create("INBOX.sub"), MBOX_OK);
	ck_assert_int_eq(mkdirat(home, ".git", 0700), 0); /* no maildir */
	ck_assert_int_eq(mkdirat(home, "..bad", 0700), 0);
	ck_assert_int_eq(mkdirat(home, ".inbox", 0700), 0);
	ck_assert_int_eq(mkdirat(home, ".inbox/cur", 0700), 0);
	ck_assert_int_eq(symlinkat(".Work-1", home, ".Link"), 0);
	list_is("INBOX/ INBOX.sub ?Work/ Work-1 Work.2026/ Work.2026.May 会議");
}
END_TEST

START_TEST(creating)
{
	static const char *const bad[] = { "a/b", "../x", ".x", "x.", "a..b", "\xff", "a\n" };

	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(create(bad[i]), MBOX_REFUSED);
	ck_assert_int_eq(create("inbox"), MBOX_EXISTS);
	ck_assert_int_eq(create(""), MBOX_EXISTS);
	ck_assert_int_eq(create("A"), MBOX_OK);
	ck_assert_int_eq(create("A"), MBOX_EXISTS);
	ck_assert_int_eq(mkdirat(home, ".Begun", 0700), 0);
	ck_assert_int_eq(mkdirat(home, ".Begun/tmp", 0700), 0);
	ck_assert_int_eq(create("Begun"), MBOX_OK);
	ck_assert(home_has(".A/cur") && home_has(".A/maildirfolder") && home_has(".A/tayori-folder"));
	list_is("INBOX A Begun");
}
END_TEST

START_TEST(subscribing)
{
	scoped_buf struct buf text = { 0 };

	ck_assert_int_eq(mbox_subscribe(user, STR("a/b"), true, NULL), MBOX_REFUSED);
	ck_assert_int_eq(mbox_subscribe(user, STR("Gone.x"), true, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_subscribe(user, STR("inbox"), true, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_subscribe(user, STR("INBOX"), true, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_subscribe(user, STR("A"), true, NULL), MBOX_OK);
	create("A");
	list_is("INBOX* A* ?Gone.x*");
	home_get("tayori-subscriptions", &text);
	ck_assert_str_is(buf_str(&text), STR("Gone.x\nINBOX\nA\n"));
	ck_assert_int_eq(mbox_subscribe(user, STR("Gone.x"), false, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_subscribe(user, STR("Gone.x"), false, NULL), MBOX_OK);
	list_is("INBOX* A*");
	home_put("tayori-subscriptions", "\n\nA\n../x\nA\nB");
	list_is("INBOX A* ?B*");
}
END_TEST

START_TEST(deleting)
{
	struct mbox_view *v;

	ck_assert_int_eq(mbox_delete(user, STR("inbox"), NULL), MBOX_REFUSED);
	ck_assert_int_eq(mbox_delete(user, STR("A"), NULL), MBOX_MISSING);
	create("A");
	create("A.B");
	uint32_t before = uidvalidity_of("A");
	view_put("A", "x", 0);
	v = view_open("A");
	view_is(v, "1-r");
	ck_assert_int_eq(mkdirat(home, ".A/other", 0700), 0);
	home_put(".A/other/file", "x");
	ck_assert_int_eq(mbox_delete(user, STR("A"), NULL), MBOX_OK);
	list_is("INBOX ?A/ A.B");
	scoped_buf struct buf cmd = { 0 };
	buf_addf(&cmd, "test -z \"$(ls '%s/tmp')\"", home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	ck_assert_int_eq(mbox_view_sync(v, NULL), MBOX_MISSING);
	view_is(v, "1-r");
	ck_assert_int_eq(create("A"), MBOX_OK);
	ck_assert_int_eq(mbox_view_sync(v, NULL), MBOX_MISSING);
	mbox_view_close(&v);
	ck_assert_uint_gt(uidvalidity_of("A"), before);
	v = view_open("A");
	view_is(v, "");
	mbox_view_close(&v);
}
END_TEST

/* Who delivers while the folder is removed is told, and may deliver again. */
START_TEST(deleted_under_a_delivery)
{
	struct mbox_order o = home_order("A", "Q1R1", true);
	struct mbox_delivery *d;
	uint32_t uidvalidity, uid;

	for (int how = 0; how < 2; how++) {
		create("A");
		ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_OK);
		mbox_write(d, STR("x\n"), NULL);
		ck_assert_int_eq(mbox_delete(user, STR("A"), NULL), MBOX_OK);
		enum mbox_result r =
			how ? mbox_append(user, &d, 0, NULL, 0, &uidvalidity, &uid, NULL) : mbox_commit(&d, NULL);
		ck_assert_int_ne(r, MBOX_OK);
		ck_assert_ptr_null(d);
		ck_assert(!home_has(".A"));
	}
	ck_assert_int_eq(home_deliver("A", "Q1R1", true, "x\n", NULL), MBOX_OK);
	ck_assert_uint_eq(home_count("A"), 1);
}
END_TEST

/* What a crash leaves of a removal is swept, after a time. */
START_TEST(removal_swept)
{
	create("A");
	ck_assert_uint_eq(home_count(""), 0);
	ck_assert_int_eq(renameat(home, ".A", home, "tmp/tayori-gone.0"), 0);
	home_count("");
	ck_assert(home_has("tmp/tayori-gone.0"));
	clock_shift(37 * 3600 * 1000);
	home_count("");
	ck_assert(!home_has("tmp/tayori-gone.0"));
}
END_TEST

static const struct {
	const char *folders[4];
	const char *from, *to;
	enum mbox_result result;
	const char *after;
} renames[] = {
	{ { "A" }, "None", "B", MBOX_MISSING, "INBOX A" },
	{ { "A" }, "A", "b/c", MBOX_REFUSED, "INBOX A" },
	{ { "A" }, "A", "A.B", MBOX_REFUSED, "INBOX A" },
	{ { "A" }, "A", "inbox", MBOX_EXISTS, "INBOX A" },
	{ { "A" }, "A", "A", MBOX_EXISTS, "INBOX A" },
	{ { "A", "B" }, "A", "B", MBOX_EXISTS, "INBOX A B" },
	{ { "A", "A.x", "B.x" }, "A", "B", MBOX_EXISTS, "INBOX A/ A.x ?B/ B.x" },
	{ { "A" }, "A", "B", MBOX_OK, "INBOX B" },
	{ { "A.B" }, "A.B", "A", MBOX_OK, "INBOX A" },
	{ { "A", "A.x", "A.x.y", "AB.x" }, "A", "B.C", MBOX_OK, "INBOX ?AB/ AB.x ?B/ B.C/ B.C.x/ B.C.x.y" },
	{ { "A.x" }, "A", "B", MBOX_OK, "INBOX ?B/ B.x" },
	{ { "A.x", "B" }, "A", "B", MBOX_OK, "INBOX B/ B.x" },
};

START_TEST(rename_cases)
{
	struct mbox_status before = { 0 }, after = { 0 };

	for (size_t i = 0; i < 4 && renames[_i].folders[i]; i++) {
		ck_assert_int_eq(create(renames[_i].folders[i]), MBOX_OK);
		view_put(renames[_i].folders[i], "x", MBOX_SEEN);
	}
	mbox_status(user, str_from(renames[_i].from), &before, NULL);
	ck_assert_int_eq(rename_to(renames[_i].from, renames[_i].to), renames[_i].result);
	list_is(renames[_i].after);
	if (renames[_i].result || !before.uidnext)
		return;
	ck_assert_int_eq(mbox_status(user, str_from(renames[_i].to), &after, NULL), MBOX_OK);
	ck_assert_mem_eq(&before, &after, sizeof(before));
}
END_TEST

/* A name that would become too long: nothing has happened. */
START_TEST(rename_too_long)
{
	char longest[200];

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	create("A");
	create("A.long");
	ck_assert_int_eq(rename_to("A", longest), MBOX_REFUSED);
	list_is("INBOX A/ A.long");
}
END_TEST

START_TEST(rename_inbox)
{
	create("INBOX.sub");
	for (uint32_t i = 0; i < 3; i++)
		view_put("", "x", i == 1 ? MBOX_SEEN : 0);
	home_deliver("", "Q1R1", false, "y\n", NULL);
	ck_assert_int_eq(rename_to("INBOX", "Old"), MBOX_OK);
	list_is("INBOX/ INBOX.sub Old");
	scoped_view struct mbox_view *v = view_open(""), *old = view_open("Old");
	view_is(v, "");
	view_is(old, "1-r 2S-r 3-r 4-r");
	ck_assert_int_eq(rename_to("inbox", "Old"), MBOX_EXISTS);
	ck_assert_uint_eq(view_put("", "x", 0), 5);
}
END_TEST

/* A view stays with its folder, whatever it is called. */
START_TEST(renamed_under_a_view)
{
	create("A");
	scoped_view struct mbox_view *v = view_open("A");
	rename_to("A", "B");
	view_put("B", "x", 0);
	view_sync(v);
	view_is(v, "1-r");
	view_store(v, 0, STORE_ADD, MBOX_SEEN);
	view_is(v, "1S-rc");
}
END_TEST

START_TEST(status)
{
	struct mbox_status s;

	ck_assert_int_eq(mbox_status(user, STR("None"), &s, NULL), MBOX_MISSING);
	view_put("", "ab\n", MBOX_SEEN);
	view_put("", "abc\n", MBOX_TRASHED);
	home_deliver("", "Q1R1", false, "abcd\n", NULL);
	ck_assert_int_eq(mbox_status(user, STR("Inbox"), &s, NULL), MBOX_OK);
	ck_assert_uint_eq(s.messages, 3);
	ck_assert_uint_eq(s.unseen, 2);
	ck_assert_uint_eq(s.deleted, 1);
	ck_assert_uint_eq(s.recent, 3);
	ck_assert_uint_eq(s.octets, 4 + 5 + 6);
	ck_assert_uint_eq(s.uidnext, 4);
	ck_assert_uint_gt(s.modseq, 0);
	ck_assert_uint_eq(strlen(s.id), 32);
	scoped_view struct mbox_view *v = view_open("");
	view_store(v, 2, STORE_SET, MBOX_SEEN | MBOX_TRASHED);
	view_expunge(v, 1);
	ck_assert_int_eq(mbox_status(user, STR(""), &s, NULL), MBOX_OK);
	ck_assert_uint_eq(s.messages, 2);
	ck_assert_uint_eq(s.unseen, 0);
	ck_assert_uint_eq(s.deleted, 1);
	ck_assert_uint_eq(s.octets, 4 + 6);
	ck_assert_uint_eq(s.modseq, v->modseq);
}
END_TEST

/* `cp -a` of a folder: the copy becomes a folder of its own, whoever is looked at first. */
START_TEST(copied_folder)
{
	scoped_buf struct buf cmd = { 0 };

	create("A");
	for (int i = 0; i < 3; i++)
		view_put("A", "x", 0);
	buf_addf(&cmd, "cp -a '%s/.A' '%s/.B'", home_path, home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	for (int round = 0; round < 2; round++) {
		scoped_view struct mbox_view *b = view_open("B"), *a = view_open("A");
		ck_assert_uint_ne(a->uidvalidity, b->uidvalidity);
		ck_assert_str_ne(a->id, b->id);
		view_told(a);
		view_told(b);
		view_is(a, "1 2 3");
		view_is(b, "1 2 3");
		view_store(a, 0, STORE_SET, 0);
	}
	/* the original removed, the copy renamed to it: not a copy any more */
	buf_reset(&cmd);
	buf_addf(&cmd, "cp -a '%s/.A' '%s/.C' && rm -r '%s/.A' && mv '%s/.C' '%s/.A'", home_path, home_path, home_path,
		 home_path, home_path);
	uint32_t before = uidvalidity_of("A");
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	ck_assert_uint_eq(uidvalidity_of("A"), before);
	scoped_view struct mbox_view *a = view_open("A");
	view_is(a, "1 2 3");
}
END_TEST

TEST_MAIN("mbox folders", tcase_add_checked_fixture(tc, user_make, user_remove); tcase_add_test(tc, listing);
	  tcase_add_test(tc, creating); tcase_add_test(tc, subscribing); tcase_add_test(tc, deleting);
	  tcase_add_test(tc, deleted_under_a_delivery); tcase_add_test(tc, removal_swept);
	  tcase_add_loop_test(tc, rename_cases, 0, COUNT(renames)); tcase_add_test(tc, rename_too_long);
	  tcase_add_test(tc, rename_inbox); tcase_add_test(tc, renamed_under_a_view); tcase_add_test(tc, status);
	  tcase_add_test(tc, copied_folder))
