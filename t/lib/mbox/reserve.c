#include "views.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "mbox/sync.h"

/* UIDs and modseqs are reserved in blocks; who may use the rest of one, and who must not. */

static void read_record(const char *path, struct mbox_record *out, struct buf *bytes, struct arena *a)
{
	buf_reset(bytes);
	home_get(path, bytes);
	ck_assert(mbox_record_parse(buf_str(bytes), a, out, NULL));
}

static uint32_t record_uidnext(void)
{
	scoped_buf struct buf bytes = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	read_record("tayori-folder", &r, &bytes, &a);
	return r.uidnext;
}

static uint64_t record_modseq(void)
{
	scoped_buf struct buf bytes = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	read_record("tayori-folder", &r, &bytes, &a);
	return r.modseq;
}

static void pop3_takes_in(void)
{
	struct mbox *m;

	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_POP3, &m, NULL), MBOX_OK);
	mbox_close(&m);
}

START_TEST(a_block_is_used_up)
{
	for (uint32_t i = 1; i <= 40; i++)
		ck_assert_uint_eq(view_put("", "x", 0), i);
	ck_assert_uint_eq(record_uidnext(), 65);
	ck_assert_uint_eq(record_modseq(), 1001);
	user_again();
	ck_assert_uint_eq(view_put("", "x", 0), 41);
	ck_assert_uint_eq(record_uidnext(), 65);
}
END_TEST

/* POP3 knows of no index: it reserves behind all that is reserved, and the rest of the block is void. */
START_TEST(pop3_in_between)
{
	ck_assert_uint_eq(view_put("", "x", 0), 1);
	home_deliver("", "Q1R1", false, "x\n", NULL);
	pop3_takes_in();
	ck_assert_uint_eq(record_uidnext(), 34);
	{
		scoped_mbox struct mbox *m = home_open("");
		ck_assert_uint_eq(m->messages[1].uid, 33);
		ck_assert_int_eq(mbox_remove(m, &(size_t){ 1 }, 1, NULL), MBOX_OK);
	}
	ck_assert_uint_eq(view_put("", "x", 0), 34);
}
END_TEST

/* What POP3 has given is no tag of a message that is gone: its UIDL stays. */
START_TEST(pop3_has_given)
{
	ck_assert_uint_eq(view_put("", "x", 0), 1);
	home_deliver("", "Q1R1", false, "x\n", NULL);
	pop3_takes_in();
	if (_i == 1)
		ck_assert_uint_eq(view_put("", "x", 0), 34);
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, _i == 1 ? "1-r 33-r 34-r" : "1-r 33-r");
	user_again();
	scoped_view struct mbox_view *w = view_open("");
	view_is(w, _i == 1 ? "1 33 34" : "1 33");
}
END_TEST

struct change {
	char id[33];
	int64_t boot_us;
	uint32_t uidnext;
	uint64_t modseq;
};

static int change_row(struct mbox_tx *tx, void *ctx)
{
	const struct change *c = ctx;
	struct mbox_index_folder d;
	int code = mbox_row_folder(tx, c->id, &d);

	if (code)
		return code;
	d.boot_us += c->boot_us;
	d.uidnext += c->uidnext;
	d.modseq += c->modseq;
	return mbox_row_folder_put(tx, c->id, &d);
}

/* Adds to what the index has of INBOX. */
static void alter(int64_t boot_us, uint32_t uidnext, uint64_t modseq)
{
	struct change c = { .boot_us = boot_us, .uidnext = uidnext, .modseq = modseq };
	struct mbox_status s;

	ck_assert_int_eq(mbox_status(user, STR(""), &s, NULL), MBOX_OK);
	memcpy(c.id, s.id, sizeof(c.id));
	ck_assert_int_eq(mbox_index_write(&user->index, change_row, &c), 0);
}

/*
 * A power cut takes the index's last change back, and with it what was given: UIDs 2 and 3, their messages removed since.
 * The machine was started since, so the whole block is void.
 */
START_TEST(after_a_power_cut)
{
	ck_assert_uint_eq(view_put("", "x", 0), 1);
	ck_assert_uint_eq(view_put("", "x", 0), 2);
	scoped_view struct mbox_view *v = view_open("");
	uint64_t modseq = v->modseq;
	view_expunge(v, 1);
	alter(-60000000, (uint32_t)-1, (uint64_t)-2);
	user_again();
	ck_assert_uint_eq(view_put("", "x", 0), 33);
	scoped_view struct mbox_view *w = view_open("");
	ck_assert_uint_gt(w->modseq, modseq + 1);
	ck_assert_uint_eq(w->modseq, 1001);
}
END_TEST

#define DATA "tayori-index/data.mdb"

static void put_octets(const char *path, struct str octets)
{
	scoped_fd int fd = openat(home, path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fd_write_all(fd, octets), 0);
}

/* The index has lost its last changes; files that were given their UIDs in these keep them. */
START_TEST(files_of_a_lost_change)
{
	scoped_buf struct buf before = { 0 };

	ck_assert_uint_eq(view_put("", "x", 0), 1);
	if (_i == 1)
		alter(-60000000, 0, 0);
	mbox_user_free(&user);
	home_get(DATA, &before);
	user = mbox_user_new(home);
	ck_assert_uint_eq(view_put("", "x", 0), _i == 1 ? 33 : 2);
	ck_assert_uint_eq(view_put("", "x", 0), _i == 1 ? 34 : 3);
	mbox_user_free(&user);
	put_octets(DATA, buf_str(&before));
	user = mbox_user_new(home);
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, _i == 1 ? "1-r 33-r 34-r" : "1-r 2-r 3-r");
	ck_assert_uint_gt(view_put("", "x", 0), _i == 1 ? 34 : 3);
}
END_TEST

/* Someone died between giving and telling the index: the lock says so. */
START_TEST(after_a_death)
{
	ck_assert_uint_eq(view_put("", "x", 0), 1);
	home_put("tayori-lock", "!");
	if (_i == 1)
		pop3_takes_in(); /* who wipes the lock clean, and has made the block void by the modseq */
	uint64_t modseq = record_modseq();
	ck_assert_uint_eq(modseq, _i == 1 ? 1002 : 1001);
	ck_assert_uint_eq(view_put("", "x", 0), 33);
	scoped_view struct mbox_view *v = view_open("");
	ck_assert_uint_ge(v->modseq, modseq);
}
END_TEST

/* A tag in the block that the index has not given: a file of it counts, and UIDs go on behind it. */
START_TEST(a_tag_ahead)
{
	ck_assert_uint_eq(view_put("", "x", 0), 1);
	scoped_view struct mbox_view *v = view_open("");
	char path[96];
	snprintf(path, sizeof(path), "cur/1.a.h,S=1,W=1,T=%u.9:2,S", v->uidvalidity);
	home_put(path, "x");
	snprintf(path, sizeof(path), "cur/1.b.h,S=1,W=1,T=%u.33:2,S", v->uidvalidity); /* not reserved */
	home_put(path, "x");
	view_sync(v);
	view_told(v);
	view_is(v, "1 9S 10S");
	ck_assert_uint_eq(view_put("", "x", 0), 11);
}
END_TEST

START_TEST(used_up)
{
	struct mbox_record r = { .uidvalidity = 7, .uidnext = UINT32_MAX - 2 };
	scoped_buf struct buf text = { 0 };
	struct err err = { 0 };
	uint32_t uid;

	memcpy(r.id, "0123456789abcdef0123456789abcdef", sizeof(r.id));
	home_maildir();
	mbox_record_format(&r, &text);
	home_put("tayori-folder", buf_cstr(&text));
	ck_assert_uint_eq(view_put("", "x", 0), UINT32_MAX - 2);
	ck_assert_uint_eq(view_put("", "x", 0), UINT32_MAX - 1);
	ck_assert_int_eq(view_append("", "x", 0, &uid, &err), MBOX_REFUSED);
	scoped_view struct mbox_view *v = view_open("");
	view_is(v, "4294967293-r 4294967294-r");
	view_store(v, 1, STORE_ADD, MBOX_SEEN);
}
END_TEST

/* ---- a full disk ---- */

static int fill_disk(void)
{
	char filler[4096] = "";
	scoped_fd int fd = openat(home, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	while (fd >= 0 && write(fd, filler, sizeof(filler)) > 0)
		;
	return fd;
}

/* What was there can be read and removed; what has no room is refused, and leaves nothing. */
static int on_full_disk(void)
{
	struct mbox_view *v;
	struct err err = { 0 };
	size_t all[30];
	uint32_t uid;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", home_path, "tmpfs", 0, "size=2m,mode=700") < 0)
		return 77;
	fd_close(&home);
	home = open(home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	user = mbox_user_new(home);
	for (size_t i = 0; i < 30; i++) {
		all[i] = i;
		if (view_append("", "x\n", 0, &uid, &err))
			return 1;
	}
	fill_disk();
	if (view_append("", "x\n", 0, &uid, &err) != MBOX_FULL)
		return 2;
	mbox_user_free(&user);
	user = mbox_user_new(home);
	if (mbox_view_open(user, STR(""), false, &v, &err) || v->n != 30)
		return 3;
	if (mbox_view_expunge(v, all, 29, &err) || v->n_gone != 29)
		return 4;
	unlinkat(home, "filler", 0);
	if (mbox_view_sync(v, &err) || view_append("", "x\n", 0, &uid, &err) || uid < 31 || mbox_view_sync(v, &err))
		return 5;
	return v->n == 31 ? 0 : 6;
}

START_TEST(full_disk)
{
	int status;

	mbox_user_free(&user);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(on_full_disk());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		fprintf(stderr, "full_disk: skipped, a tmpfs cannot be mounted\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

TEST_MAIN("mbox reserve", tcase_add_checked_fixture(tc, user_make, user_remove); tcase_add_test(tc, a_block_is_used_up);
	  tcase_add_test(tc, pop3_in_between); tcase_add_loop_test(tc, pop3_has_given, 0, 2);
	  tcase_add_test(tc, after_a_power_cut); tcase_add_loop_test(tc, files_of_a_lost_change, 0, 2);
	  tcase_add_loop_test(tc, after_a_death, 0, 2); tcase_add_test(tc, a_tag_ahead); tcase_add_test(tc, used_up);
	  tcase_add_test(tc, full_disk))
