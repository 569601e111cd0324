#include "views.h"

#include <errno.h>

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

TEST_MAIN("mbox view", tcase_add_checked_fixture(tc, user_make, user_remove); tcase_add_test(tc, empty);
	  tcase_add_test(tc, deliver_append_store_expunge))
