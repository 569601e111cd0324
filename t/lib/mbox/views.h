/* views - folders as an IMAP session sees them, for the tests of lib/mbox. */
#ifndef T_MBOX_VIEWS_H
#define T_MBOX_VIEWS_H

#include "home.h"
#include "mbox/view.h"

#define scoped_view __attribute__((cleanup(mbox_view_close)))

static struct mbox_user *user;

static inline void user_make(void)
{
	home_make();
	user = mbox_user_new(home);
}

static inline void user_remove(void)
{
	mbox_user_free(&user);
	home_remove();
}

/* As after a new login. */
static inline void user_again(void)
{
	mbox_user_free(&user);
	user = mbox_user_new(home);
}

static inline struct mbox_view *view_open(const char *folder)
{
	struct mbox_view *v;
	struct err err = { 0 };

	ck_assert_msg(mbox_view_open(user, str_from(folder), false, &v, &err) == MBOX_OK, "%s", err.text);
	return v;
}

static inline void view_sync(struct mbox_view *v)
{
	struct err err = { 0 };

	ck_assert_msg(mbox_view_sync(v, &err) == MBOX_OK, "%s", err.text);
}

static inline void text_flags(uint32_t flags, struct buf *out)
{
	for (unsigned i = 0; i < 32; i++)
		if (flags & 1u << i)
			buf_addc(out, "DFPRSTabcdefghijklmnopqrstuvwxyz"[i]);
}

/* "1 2S 3FSr 4!" : each row's uid, its flags, and marks: r recent, c changed, ! gone. */
static inline void view_text(const struct mbox_view *v, struct buf *out)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct mbox_row *row = &v->rows[i];
		buf_addf(out, "%s%u", i ? " " : "", row->uid);
		text_flags(row->flags, out);
		if (row->marks)
			buf_addc(out, '-');
		if (row->marks & ROW_RECENT)
			buf_addc(out, 'r');
		if (row->marks & ROW_CHANGED)
			buf_addc(out, 'c');
		if (row->marks & ROW_GONE)
			buf_addc(out, '!');
	}
}

#define view_is(v, want)                                                                                               \
	do {                                                                                                           \
		scoped_buf struct buf rows_ = { 0 };                                                                    \
		view_text(v, &rows_);                                                                                   \
		ck_assert_str_is(buf_str(&rows_), str_from(want));                                                      \
	} while (0)

/* All that is to be told has been told. */
static inline void view_told(struct mbox_view *v)
{
	mbox_view_forget(v);
	for (size_t i = 0; i < v->n; i++)
		v->rows[i].marks = 0;
	v->n_changed = 0;
}

static inline enum mbox_result view_append(const char *folder, const char *text, uint32_t flags, uint32_t *uid,
					   struct err *err)
{
	struct mbox_order o = home_order(folder, "", false);
	struct mbox_delivery *d = NULL;
	uint32_t uidvalidity;

	o.must_exist = true;
	enum mbox_result r = mbox_begin(home, &o, &d, err);
	if (!r)
		mbox_write(d, str_from(text), NULL);
	return r ? r : mbox_append(user, &d, flags, NULL, 0, &uidvalidity, uid, err);
}

static inline uint32_t view_put(const char *folder, const char *text, uint32_t flags)
{
	struct err err = { 0 };
	uint32_t uid;

	ck_assert_msg(view_append(folder, text, flags, &uid, &err) == MBOX_OK, "%s", err.text);
	return uid;
}

static inline void view_store(struct mbox_view *v, size_t row, enum mbox_store_how how, uint32_t flags)
{
	struct mbox_store s = { how, flags, UINT64_MAX };
	struct err err = { 0 };
	size_t refused[1], n;

	ck_assert_msg(mbox_view_store(v, &row, 1, &s, refused, &n, &err) == MBOX_OK, "%s", err.text);
	ck_assert_uint_eq(n, 0);
}

static inline void view_expunge(struct mbox_view *v, size_t row)
{
	struct err err = { 0 };

	ck_assert_msg(mbox_view_expunge(v, &row, 1, &err) == MBOX_OK, "%s", err.text);
}

#endif
