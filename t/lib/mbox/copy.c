#include "views.h"

static uint32_t uids[8];
static size_t moved;

static enum mbox_result copy(struct mbox_view *v, const size_t *which, size_t n, const char *to, bool move)
{
	struct err err = { 0 };
	uint32_t uidvalidity;
	enum mbox_result r = mbox_view_copy(v, which, n, str_from(to), move, &uidvalidity, uids, &moved, &err);

	ck_assert_int_eq(r == MBOX_OK, uidvalidity != 0);
	return r;
}

static void create(const char *name)
{
	ck_assert_int_eq(mbox_create(user, str_from(name), NULL), MBOX_OK);
}

static void text_is(struct mbox_view *v, size_t row, const char *want)
{
	scoped_buf struct buf got = { 0 };
	scoped_fd int fd = mbox_view_file(v, row);

	ck_assert_msg(fd >= 0 && fd_read_rest(fd, &got) == 0, "row %zu: %m", row);
	ck_assert_str_is(buf_str(&got), str_from(want));
}

static const size_t three[] = { 0, 1, 2 };

static void put_three(void)
{
	view_put("", "a\n", 0);
	view_put("", "b\n", MBOX_SEEN | MBOX_FLAGGED);
	view_put("", "c\n", MBOX_DRAFT);
}

START_TEST(copying)
{
	put_three();
	scoped_view struct mbox_view *v = view_open("");
	ck_assert_int_eq(copy(v, three, 3, "A", false), MBOX_MISSING);
	ck_assert_int_eq(copy(v, three, 3, "a/b", false), MBOX_REFUSED);
	create("A");
	ck_assert_int_eq(copy(v, three, 0, "A", false), MBOX_OK);
	view_put("A", "x", 0);
	scoped_view struct mbox_view *a = view_open("A");
	home_deliver("A", "Q1R1", false, "y\n", NULL); /* new mail comes first */
	ck_assert_int_eq(copy(v, (size_t[]){ 2, 1 }, 2, "A", false), MBOX_OK);
	ck_assert_uint_eq(uids[0], 3);
	ck_assert_uint_eq(uids[1], 4);
	view_is(v, "1-r 2FS-r 3D-r");
	view_sync(a);
	view_is(a, "1-r 2-r 3D-r 4FS-r");
	text_is(a, 2, "c\n");
	text_is(a, 3, "b\n");
	view_expunge(v, 2); /* each its own */
	text_is(a, 2, "c\n");
}
END_TEST

START_TEST(moving)
{
	put_three();
	create("A");
	scoped_view struct mbox_view *v = view_open(""), *a = view_open("A");
	ck_assert_int_eq(copy(v, (size_t[]){ 0, 2 }, 2, "A", true), MBOX_OK);
	ck_assert_uint_eq(moved, 2);
	ck_assert(uids[0] == 1 && uids[1] == 2);
	view_is(v, "1-r! 2FS-r 3D-r!");
	view_sync(a);
	view_is(a, "1-r 2D-r");
	text_is(a, 1, "c\n");
	mbox_view_forget(v);
	ck_assert_int_eq(copy(a, (size_t[]){ 0, 1 }, 2, "inbox", true), MBOX_OK);
	view_sync(v);
	view_is(v, "2FS-r 4-r 5D-r");
	view_is(a, "1-r! 2D-r!");
}
END_TEST

START_TEST(within_one_folder)
{
	put_three();
	scoped_view struct mbox_view *v = view_open("");
	ck_assert_int_eq(copy(v, three, 2, "INBOX", false), MBOX_OK);
	view_is(v, "1-r 2FS-r 3D-r 4-r 5FS-r");
	ck_assert_int_eq(copy(v, (size_t[]){ 1 }, 1, "inbox", true), MBOX_OK);
	ck_assert_uint_eq(uids[0], 6);
	view_is(v, "1-r 2FS-r! 3D-r 4-r 5FS-r 6FS-r");
	for (size_t i = 2; i < 6; i++)
		text_is(v, i, i == 2 ? "c\n" : i == 3 ? "a\n" : "b\n");
	user_again();
	scoped_view struct mbox_view *w = view_open("");
	view_is(w, "1 3D 4 5FS 6FS");
}
END_TEST

/* Another program renames and removes; and within one folder new mail comes in between. */
START_TEST(changed_under_us)
{
	for (int move = 0; move < 2; move++)
		for (int within = 0; within < 2; within++) {
			put_three();
			create("A");
			scoped_view struct mbox_view *v = view_open("");
			scoped_buf struct buf cmd = { 0 };
			buf_addf(&cmd,
				 "cd '%s' && for f in cur/*.1:2,; do mv $f ${f}R; done && rm cur/*.2:2,FS && echo > "
				 "new/5.x.y",
				 home_path);
			ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
			ck_assert_int_eq(copy(v, three, 3, within ? "" : "A", move), MBOX_OK);
			ck_assert_uint_eq(uids[1], 0);
			ck_assert(uids[0] && uids[2]);
			scoped_view struct mbox_view *to = view_open(within ? "" : "A");
			view_told(to);
			view_is(to, !within ? "1R 2D" : move ? "4 5R 6D" : "1R 3D 4 5R 6D");
			view_told(v);
			view_is(v, within ? (move ? "4 5R 6D" : "1R 3D 4 5R 6D") : move ? "4" : "1R 3D 4");
			user_again();
			scoped_view struct mbox_view *again = view_open(within ? "" : "A");
			view_is(again, !within ? "1R 2D" : move ? "4 5R 6D" : "1R 3D 4 5R 6D");
			mbox_view_close(&again);
			mbox_view_close(&to);
			user_remove();
			user_make();
		}
}
END_TEST

START_TEST(keywords_by_name)
{
	struct err err = { 0 };

	put_three();
	create("A");
	scoped_view struct mbox_view *v = view_open(""), *a = view_open("A");
	uint32_t one = mbox_view_keyword(v, STR("one"), true, &err), two = mbox_view_keyword(v, STR("two"), true, &err);
	ck_assert_uint_eq(mbox_view_keyword(a, STR("three"), true, &err), one);
	ck_assert_uint_ne(mbox_view_keyword(a, STR("TWO"), true, &err), 0);
	view_store(v, 0, STORE_SET, one | two | MBOX_KEYWORD_A << 9);
	ck_assert_int_eq(copy(v, three, 3, "A", false), MBOX_OK);
	view_sync(a);
	view_told(a);
	view_is(a, "1bc 2FS 3D");
	ck_assert_str_eq(a->keywords[1], "TWO");
	ck_assert_str_eq(a->keywords[2], "one");
}
END_TEST

TEST_MAIN("mbox copy", tcase_add_checked_fixture(tc, user_make, user_remove); tcase_add_test(tc, copying);
	  tcase_add_test(tc, moving); tcase_add_test(tc, within_one_folder); tcase_add_test(tc, changed_under_us);
	  tcase_add_test(tc, keywords_by_name))
