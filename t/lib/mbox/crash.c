#include "views.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/*
 * What IMAP does to a folder, struck at each of its steps: one call fails, or is the last thing that the process does. This file's
 * calls stand before libc's, for LMDB too.
 */
static int until; /* calls to go; 0: never */
static bool dies;

static bool strikes(void)
{
	if (until == 0 || --until > 0)
		return false;
	if (dies)
		_exit(9);
	errno = EIO;
	return true;
}

int fsync(int fd)
{
	return strikes() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return strikes() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	return strikes() ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
	return strikes() ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
	return strikes() ? -1 : (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int mkdirat(int at, const char *name, mode_t mode)
{
	return strikes() ? -1 : (int)syscall(SYS_mkdirat, at, name, mode);
}

int unlinkat(int at, const char *name, int flags)
{
	return strikes() ? -1 : (int)syscall(SYS_unlinkat, at, name, flags);
}

int ftruncate(int fd, off_t size)
{
	return strikes() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

/* What is done; each in a process of its own, on INBOX with messages 1 to 3 and an empty folder A. */
static enum mbox_result on_append(struct mbox_view *v)
{
	struct mbox_order o = home_order("A", "", false);
	struct mbox_delivery *d = NULL;
	struct str keyword = STR("$Junk");
	uint32_t uidvalidity, uid;
	enum mbox_result r = mbox_begin(home, &o, &d, NULL);

	if (r || (r = mbox_write(d, STR("new\n"), NULL))) {
		mbox_abort(&d);
		return r;
	}
	return mbox_append(v->user, &d, MBOX_SEEN, &keyword, 1, &uidvalidity, &uid, NULL);
}

static const size_t three[] = { 0, 1, 2 };

static enum mbox_result store(struct mbox_view *v, enum mbox_store_how how, uint32_t flags)
{
	struct mbox_store s = { how, flags, UINT64_MAX };
	size_t refused[3], n;

	return mbox_view_store(v, three, 3, &s, refused, &n, NULL);
}

static enum mbox_result on_store(struct mbox_view *v)
{
	uint32_t bit = mbox_view_keyword(v, STR("$Junk"), true, NULL);

	return bit ? store(v, STORE_ADD, bit | MBOX_SEEN) : MBOX_IO;
}

static enum mbox_result on_expunge(struct mbox_view *v)
{
	return mbox_view_expunge(v, three, 3, NULL);
}

static enum mbox_result on_copy(struct mbox_view *v)
{
	uint32_t uidvalidity, uids[3];
	size_t moved;

	return mbox_view_copy(v, three, 3, STR("A"), false, &uidvalidity, uids, &moved, NULL);
}

static enum mbox_result on_move(struct mbox_view *v)
{
	uint32_t uidvalidity, uids[3];
	size_t moved;

	return mbox_view_copy(v, three, 3, STR("A"), true, &uidvalidity, uids, &moved, NULL);
}

static enum mbox_result on_take_in(struct mbox_view *v)
{
	return mbox_view_sync(v, NULL);
}

static enum mbox_result on_rename(struct mbox_view *v)
{
	return mbox_rename(v->user, STR("A"), STR("B"), NULL);
}

static enum mbox_result on_delete(struct mbox_view *v)
{
	return mbox_delete(v->user, STR("A"), NULL);
}

static enum mbox_result on_subscribe(struct mbox_view *v)
{
	return mbox_subscribe(v->user, STR("A"), true, NULL);
}

static const struct deed {
	const char *name;
	enum mbox_result (*work)(struct mbox_view *v);
	const char *inbox, *a; /* rows afterwards; of A: of B when it is renamed; NULL: it is gone */
	bool drop;	       /* another program has dropped a message before */
	int steps;	       /* at least */
} deeds[] = {
	{ "append", on_append, "1 2F 3", "1Sa", false, 6 },    { "store", on_store, "1Sa 2FSa 3Sa", "", false, 6 },
	{ "expunge", on_expunge, "", "", false, 5 },	       { "copy", on_copy, "1 2F 3", "1 2F 3", false, 8 },
	{ "move", on_move, "", "1 2F 3", false, 8 },	       { "take in", on_take_in, "1 2F 3 4", "", true, 7 },
	{ "rename", on_rename, "1 2F 3", "", false, 2 },       { "delete", on_delete, "1 2F 3", NULL, false, 5 },
	{ "subscribe", on_subscribe, "1 2F 3", "", false, 3 },
};

static void prepare(const struct deed *deed)
{
	user_make();
	ck_assert_int_eq(mbox_create(user, STR("A"), NULL), MBOX_OK);
	view_put("", "one\n", 0);
	view_put("", "two\n", MBOX_FLAGGED);
	view_put("", "three\n", 0);
	mbox_user_free(&user);
	if (deed->drop)
		home_put("new/1.x.h", "four\n");
}

/* 100: all done before the stroke came. */
static int run_struck(const struct deed *deed, int at, bool die)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct mbox_user *u = mbox_user_new(home);
		struct mbox_view *v;
		/* what is there is known before; the drop comes in within the deed */
		if (deed->drop)
			renameat(home, "new/1.x.h", home, "tmp/x");
		if (mbox_view_open(u, STR(""), false, &v, NULL))
			_exit(50);
		if (deed->drop)
			renameat(home, "tmp/x", home, "new/1.x.h");
		until = at;
		dies = die;
		enum mbox_result r = deed->work(v);
		if (until > 0)
			_exit(r == MBOX_OK ? 100 : 60);
		until = 0;
		mbox_view_close(&v);
		mbox_user_free(&u);
		_exit((int)r);
	}
	ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void rows_of(const char *folder, struct buf *out)
{
	struct mbox_view *v;
	struct err err = { 0 };
	enum mbox_result r = mbox_view_open(user, str_from(folder), false, &v, &err);

	buf_reset(out);
	if (r == MBOX_MISSING) {
		buf_add(out, STR("none"));
		return;
	}
	ck_assert_msg(r == MBOX_OK, "%s", err.text);
	for (size_t i = 0; i < v->n; i++) {
		scoped_fd int fd = mbox_view_file(v, i);
		ck_assert_int_ge(fd, 0);
		v->rows[i].marks = 0;
	}
	view_text(v, out);
	buf_addf(out, " %u", v->uidvalidity);
	mbox_view_close(&v);
}

static void tell(void *arg, struct str folder, const char *text)
{
	buf_addf(arg, "%.*s: %s\n", STR_ARG(folder), text);
}

/* The index agrees with the files, and the files alone give the same. */
static void expect_sound(const struct deed *deed, int at)
{
	static const char *const folders[] = { "", "A", "B" };
	scoped_buf struct buf told = { 0 }, again = { 0 };
	struct buf rows[3] = { 0 };
	struct mbox_report report = { tell, &told };
	size_t wrong;

	for (size_t i = 0; i < COUNT(folders); i++)
		rows_of(folders[i], &rows[i]);
	ck_assert_int_eq(mbox_check(user, &report, &wrong, NULL), MBOX_OK);
	ck_assert_msg(wrong == 0, "%s, step %d: %s", deed->name, at, buf_cstr(&told));
	ck_assert_int_eq(mbox_rebuild(user, NULL, NULL), MBOX_OK);
	for (size_t i = 0; i < COUNT(folders); i++) {
		rows_of(folders[i], &again);
		ck_assert_str_is(buf_str(&again), buf_str(&rows[i]));
		buf_free(&rows[i]);
	}
}

static size_t count_in(const char *folder)
{
	struct mbox_status s;

	return mbox_status(user, str_from(folder), &s, NULL) == MBOX_OK ? s.messages : 0;
}

/* What was struck half-way left nothing that another one could not see, and nothing is lost. */
static void expect_whole(const struct deed *deed, int at, int result)
{
	const struct timespec pause = { .tv_sec = 2, .tv_nsec = 100000000 };
	size_t here = count_in(""), there = count_in("A") + count_in("B");

	if (deed->drop && here == 3) { /* what could not be taken in is tried again after two seconds */
		nanosleep(&pause, NULL);
		here = count_in("");
	}
	if (deed->work == on_move)
		ck_assert_msg(here + there == 3, "step %d: %zu here, %zu there", at, here, there);
	if (deed->work == on_copy)
		ck_assert_msg(here == 3 && (result == 9 || there == 0 || there == 3), "step %d: %zu here, %zu there",
			      at, here, there);
	if (deed->work == on_append)
		ck_assert_msg(here == 3 && there <= 1, "step %d: %zu there", at, there);
	if (deed->work == on_store || deed->work == on_take_in)
		ck_assert_msg(here == 3 + (size_t)deed->drop, "step %d: %zu", at, here);
	if (result == MBOX_OK && deed->work == on_append)
		ck_assert_uint_eq(there, 1);
	if (result == MBOX_OK && (deed->work == on_copy || deed->work == on_move))
		ck_assert_uint_eq(there, 3);
	if (result == MBOX_OK && (deed->work == on_expunge || deed->work == on_move))
		ck_assert_uint_eq(here, 0);
}

/* A UID that any file or row has shown is never given again. */
static void expect_fresh_uids(void)
{
	for (int i = 0; i < 2; i++) {
		const char *folder = i ? "A" : "";
		struct mbox_view *v;
		if (mbox_view_open(user, str_from(folder), true, &v, NULL))
			continue;
		uint32_t highest = v->n ? v->rows[v->n - 1].uid : 0, next = v->uidnext;
		mbox_view_close(&v);
		uint32_t uid = view_put(folder, "fresh\n", 0);
		ck_assert_uint_gt(uid, highest);
		ck_assert_uint_ge(uid, next);
		v = view_open(folder);
		view_expunge(v, v->n - 1);
		mbox_view_close(&v);
	}
}

START_TEST(struck)
{
	const struct deed *deed = &deeds[_i / 2];
	bool die = _i % 2;
	int at = 1, r;

	prepare(deed);
	for (; (r = run_struck(deed, at, die)) != 100; at++) {
		ck_assert_msg(r < 10, "%s, step %d: %d", deed->name, at, r);
		user = mbox_user_new(home);
		expect_whole(deed, at, r);
		expect_sound(deed, at);
		expect_fresh_uids();
		user_remove();
		prepare(deed);
	}
	ck_assert_msg(at > deed->steps, "%s: %d steps", deed->name, at);
	user = mbox_user_new(home);
	scoped_buf struct buf rows = { 0 }, want = { 0 };
	struct mbox_status s = { 0 };
	const char *a = deed->work == on_rename ? "B" : "A";
	mbox_status(user, STR(""), &s, NULL);
	rows_of("", &rows);
	buf_addf(&want, "%s %u", deed->inbox, s.uidvalidity);
	ck_assert_str_is(buf_str(&rows), buf_str(&want));
	rows_of(a, &rows);
	buf_reset(&want);
	mbox_status(user, str_from(a), &s, NULL);
	if (deed->a)
		buf_addf(&want, "%s %u", deed->a, s.uidvalidity);
	else
		buf_add(&want, STR("none"));
	ck_assert_str_is(buf_str(&rows), buf_str(&want));
	expect_sound(deed, at);
	user_remove();
}
END_TEST

TEST_MAIN("mbox crash", tcase_add_loop_test(tc, struck, 0, 2 * (int)COUNT(deeds)))
