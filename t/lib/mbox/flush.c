#include "home.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Each flush in turn fails, or is the last thing that the process does. This file's fsync, renameat2 and mkdirat stand
 * before libc's: a process can also be stopped before each change of a name.
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

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
	return strikes() ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
	return strikes() ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

int mkdirat(int at, const char *name, mode_t mode)
{
	return strikes() ? -1 : (int)syscall(SYS_mkdirat, at, name, mode);
}

int unlinkat(int at, const char *name, int flags)
{
	return until > 0 && dies && strikes() ? -1 : (int)syscall(SYS_unlinkat, at, name, flags);
}

static enum mbox_result deliver(void)
{
	return home_deliver("Sub", "Q1R1", true, "x\n", NULL);
}

static enum mbox_result open_inbox(void)
{
	scoped_mbox struct mbox *m;

	return mbox_open(home, STR(""), MBOX_SHARED, &m, NULL);
}

static enum mbox_result remove_first(void)
{
	scoped_mbox struct mbox *m;
	enum mbox_result r = mbox_open(home, STR(""), MBOX_SHARED, &m, NULL);

	return r || m->n < 3 ? r : mbox_remove(m, &(size_t){ 0 }, 1, NULL);
}

/* In a process of its own: its result, or 9 when it was struck dead. */
static int run_struck(enum mbox_result (*work)(void), int at, bool die)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		until = at;
		dies = die;
		enum mbox_result r = work();
		_exit(until > 0 ? 100 : (int)r); /* 100: all done before the stroke came */
	}
	ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Whatever is struck: it is told, and doing it again leaves one whole message. */
START_TEST(delivery)
{
	int at = 1, r;

	for (; (r = run_struck(deliver, at, _i)) != 100; at++) {
		ck_assert_int_ne(r, MBOX_OK);
		ck_assert_int_eq(deliver(), MBOX_OK);
		scoped_mbox struct mbox *m = home_open("Sub");
		ck_assert_uint_eq(m->n, 1);
		home_text_is(m, 0, "x\n");
		home_remove();
		home_make();
	}
	ck_assert_int_gt(at, 10);
}
END_TEST

/* A failed flush leaves no message that was not promised: the sender keeps it. */
START_TEST(failed_delivery_is_gone)
{
	ck_assert_int_eq(home_deliver("Sub", "Q9R9", false, "first\n", NULL), MBOX_OK);
	for (int at = 1, r; (r = run_struck(deliver, at, false)) != 100; at++) {
		scoped_mbox struct mbox *m = home_open("Sub");
		ck_assert_int_ne(r, MBOX_OK);
		ck_assert_uint_eq(m->n, 1);
	}
}
END_TEST

static void drop_three(void)
{
	home_maildir();
	home_put("new/1.a.h", "a\n");
	home_put("new/2.b.h", "b\n");
	home_put("cur/3.c.h:2,S", "c\n");
}

/* UIDs that were told stay; nobody is told of any before they are durable. */
START_TEST(giving_uids)
{
	uint32_t uids[3];
	int at = 1, r;

	drop_three();
	for (; (r = run_struck(open_inbox, at, _i)) != 100; at++) {
		scoped_mbox struct mbox *m = home_open("");
		ck_assert_uint_eq(m->n, 3);
		for (int i = 0; i < 3; i++)
			uids[i] = m->messages[i].uid;
		scoped_mbox struct mbox *again = home_open("");
		for (size_t i = 0; i < 3; i++) {
			ck_assert_uint_eq(again->messages[i].uid, uids[i]);
			ck_assert(i == 0 || uids[i] > uids[i - 1]);
		}
		ck_assert_uint_eq(again->n, 3);
		home_remove();
		home_make();
		drop_three();
	}
	ck_assert_int_gt(at, 6);
}
END_TEST

START_TEST(removal)
{
	for (int at = 1;; at++) {
		drop_three();
		home_count("");
		int r = run_struck(remove_first, at, _i);
		ck_assert_uint_ge(home_count(""), 2);
		if (r == 100)
			break;
		ck_assert_int_ne(r, MBOX_OK);
		home_remove();
		home_make();
	}
	ck_assert_uint_eq(home_count(""), 2);
}
END_TEST

TEST_MAIN("mbox flush", tcase_add_checked_fixture(tc, home_make, home_remove); tcase_add_loop_test(tc, delivery, 0, 2);
	  tcase_add_test(tc, failed_delivery_is_gone); tcase_add_loop_test(tc, giving_uids, 0, 2);
	  tcase_add_loop_test(tc, removal, 0, 2))
