#include "home.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "base/time.h"
#include "mbox/record.h"

/* Sets the folder up by hand, with UIDVALIDITY 7. */
static void put_record(uint32_t uidnext)
{
	struct mbox_kept_uidl uidls[] = { { 2, STR("kept-2") }, { 9, STR("kept-9") } };
	struct mbox_record r = { .uidvalidity = 7, .uidnext = uidnext, .uidls = uidls, .n_uidls = 2 };
	scoped_buf struct buf text = { 0 };

	memcpy(r.id, "0123456789abcdef0123456789abcdef", sizeof(r.id));
	home_maildir();
	mbox_record_format(&r, &text);
	home_put("tayori-folder", buf_cstr(&text));
}

/* Files, and the UIDs they have afterwards in order of uid; UIDNEXT is 10. */
static const struct {
	const char *files[5];
	struct {
		uint32_t uid;
		const char *name;
	} after[5];
} rules[] = {
	{ { "cur/1.a.h,S=1,W=1,T=8.3:2,S" }, { { 10, "1.a.h,S=1,W=1,T=7.10:2,S" } } },
	{ { "cur/1.a.h,S=1,W=1,T=7.10:2,S" }, { { 10, "1.a.h,S=1,W=1,T=7.10:2,S" } } },
	{ { "cur/1.a.h,S=1,W=1,T=7.11:2,S" }, { { 10, "1.a.h,S=1,W=1,T=7.10:2,S" } } },
	{ { "cur/1.a.h,S=1,W=1,T=7.9:2,S" }, { { 9, "1.a.h,S=1,W=1,T=7.9:2,S" } } },
	{ { "new/1.a.h,S=1,W=1,T=7.9" }, { { 9, "1.a.h,S=1,W=1,T=7.9" } } },
	{ { "new/2.a.h", "new/1.b.h", "cur/1.a.h", "cur/.hidden" },
	  { { 10, "1.a.h,S=1,W=1,T=7.10:2," }, { 11, "1.b.h,S=1,W=1,T=7.11:2," }, { 12, "2.a.h,S=1,W=1,T=7.12:2," } } },
	{ { "cur/2.a.h,S=1,W=1,T=7.4:2,F", "cur/1.b.h,S=1,W=1,T=7.4:2,S", "new/3.c.h,S=1,W=1,T=7.4" },
	  { { 4, "1.b.h,S=1,W=1,T=7.4:2,S" }, { 10, "2.a.h,S=1,W=1,T=7.10:2,F" }, { 11, "3.c.h,S=1,W=1,T=7.11:2," } } },
	{ { "new/1.a.h,S=1,W=1,T=7.4", "cur/1.a.h,S=1,W=1,T=7.4:2,S" },
	  { { 4, "1.a.h,S=1,W=1,T=7.4:2,S" }, { 10, "1.a.h,S=1,W=1,T=7.10:2," } } },
	{ { "new/1234.M5P6V7I8.host,S=99,U=4:2,S" }, { { 10, "1234.M5P6V7I8.host,U=4,S=1,W=1,T=7.10:2,S" } } },
	{ { "new/1.a.h,S=5,W=5" }, { { 10, "1.a.h,S=1,W=1,T=7.10:2," } } },
};

START_TEST(uid_rules)
{
	put_record(10);
	for (size_t i = 0; i < 5 && rules[_i].files[i]; i++)
		home_put(rules[_i].files[i], "x");
	for (int round = 0; round < 2; round++) { /* the second time nothing changes any more */
		scoped_mbox struct mbox *m = home_open("");
		size_t n = 0;
		for (; n < 5 && rules[_i].after[n].uid; n++) {
			ck_assert_uint_lt(n, m->n);
			ck_assert_uint_eq(m->messages[n].uid, rules[_i].after[n].uid);
			ck_assert_str_is(m->messages[n].name, str_from(rules[_i].after[n].name));
			ck_assert_int_eq(m->messages[n].size, 1);
			home_text_is(m, n, "x");
		}
		ck_assert_uint_eq(m->n, n);
	}
}
END_TEST

START_TEST(uids_never_again)
{
	uint32_t last = 0;

	home_maildir();
	for (int i = 0; i < 5; i++) {
		home_put("new/1.x.h", "x");
		scoped_mbox struct mbox *m = home_open("");
		ck_assert_uint_eq(m->n, 1);
		ck_assert_uint_gt(m->messages[0].uid, last);
		last = m->messages[0].uid;
		ck_assert_int_eq(mbox_remove(m, &(size_t){ 0 }, 1, NULL), MBOX_OK);
	}
	ck_assert_uint_eq(home_count(""), 0);
}
END_TEST

START_TEST(uids_used_up)
{
	struct mbox *m;
	struct err err;

	put_record(UINT32_MAX);
	home_put("cur/1.a.h,S=1,W=1,T=7.4294967294:2,", "x");
	ck_assert_uint_eq(home_count(""), 1);
	home_put("new/1.x.h", "x");
	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_SHARED, &m, &err), MBOX_REFUSED);
	ck_assert(home_has("new/1.x.h"));
}
END_TEST

START_TEST(uidl_texts)
{
	char text[MBOX_UIDL_MAX + 1];

	put_record(10);
	home_put("cur/1.a.h,S=1,W=1,T=7.2:2,", "x");
	home_put("cur/1.b.h,S=1,W=1,T=7.3:2,", "x");
	home_put("cur/1.c.h,S=1,W=1,T=7.9:2,", "x");
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_str_is(mbox_uidl(m, 0, text), STR("kept-2"));
	ck_assert_str_is(mbox_uidl(m, 1, text), STR("0000000700000003"));
	ck_assert_str_is(mbox_uidl(m, 2, text), STR("kept-9"));
}
END_TEST

/* Torn: the reservation before counts, and the next one mends the file. Damaged: nothing is touched. */
START_TEST(record_torn_and_damaged)
{
	scoped_buf struct buf whole = { 0 };
	struct mbox *m;
	struct err err = { 0 };

	put_record(10);
	home_get("tayori-folder", &whole);
	buf_add(&whole, STR("uidnext 2"));
	home_put("tayori-folder", buf_cstr(&whole));
	home_put("new/1.a.h", "x");
	for (int i = 0; i < 2; i++) {
		scoped_mbox struct mbox *o = home_open("");
		ck_assert_uint_eq(o->messages[0].uid, 10);
	}
	home_put("new/2.a.h", "x");
	ck_assert_uint_eq(home_count(""), 2);
	buf_reset(&whole);
	home_get("tayori-folder", &whole);
	whole.p[20] ^= 1;
	home_put("tayori-folder", buf_cstr(&whole));
	home_put("new/3.a.h", "x");
	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_SHARED, &m, &err), MBOX_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "tayori-folder is damaged at octet"));
	ck_assert(home_has("new/3.a.h"));
	ck_assert_int_eq(home_deliver("", "Q1R1", true, "still goes in\n", &err), MBOX_OK);
	scoped_buf struct buf after = { 0 };
	home_get("tayori-folder", &after);
	ck_assert_str_is(buf_str(&after), buf_str(&whole));
}
END_TEST

/* Many reservations do not make the file grow without end. */
START_TEST(record_stays_small)
{
	scoped_buf struct buf text = { 0 };
	scoped_buf struct buf after = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;

	put_record(10);
	home_get("tayori-folder", &text);
	for (uint32_t i = 0; i < 1100; i++)
		mbox_record_uidnext(11 + i, &text);
	home_put("tayori-folder", buf_cstr(&text));
	home_put("new/1.a.h", "x");
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_uint_eq(m->messages[0].uid, 1110);
	home_get("tayori-folder", &after);
	ck_assert_uint_lt(after.n, 300);
	ck_assert(mbox_record_parse(buf_str(&after), &a, &r, NULL));
	ck_assert_uint_eq(r.n_uidls, 2);
	ck_assert_uint_eq(r.uidnext, 1111);
}
END_TEST

START_TEST(no_such_folder)
{
	struct mbox *m;

	ck_assert_int_eq(mbox_open(home, STR("Nope"), MBOX_SHARED, &m, NULL), MBOX_MISSING);
	ck_assert(!home_has(".Nope"));
	ck_assert_int_eq(mbox_open(home, STR("../x"), MBOX_SHARED, &m, NULL), MBOX_REFUSED);
}
END_TEST

START_TEST(folders_differ)
{
	home_deliver("A", "Q1R1", false, "x\n", NULL);
	home_deliver("B", "Q1R1", false, "x\n", NULL);
	scoped_mbox struct mbox *a = home_open("A"), *b = home_open("B"), *inbox = home_open("inbox");
	ck_assert_uint_gt(b->uidvalidity, a->uidvalidity);
	ck_assert_uint_gt(inbox->uidvalidity, b->uidvalidity);
	ck_assert_str_ne(a->id, b->id);
	/* a file moved by hand keeps no claim on its old uid */
	scoped_buf struct buf from = { 0 }, to = { 0 };
	buf_addf(&from, ".A/cur/%.*s", STR_ARG(a->messages[0].name));
	buf_addf(&to, ".B/cur/x%.*s", STR_ARG(a->messages[0].name));
	ck_assert_uint_eq(b->messages[0].uid, a->messages[0].uid);
	ck_assert_int_eq(renameat(home, buf_cstr(&from), home, buf_cstr(&to)), 0);
	scoped_mbox struct mbox *again = home_open("B");
	ck_assert_uint_eq(again->n, 2);
	ck_assert_uint_eq(again->messages[1].uid, a->messages[0].uid + 1);
	ck_assert_uint_eq(home_count("A"), 0);
}
END_TEST

START_TEST(not_messages)
{
	put_record(10);
	home_put("new/1.good.h", "x");
	symlinkat("/etc/passwd", home, "new/1.link.h");
	symlinkat("1.good.h", home, "cur/1.link.h,S=1,W=1,T=7.3:2,");
	mkdirat(home, "cur/1.dir.h", 0700);
	mkfifoat(home, "new/1.fifo.h", 0600);
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_uint_eq(m->n, 1);
	ck_assert_uint_eq(m->skipped, 4);
	ck_assert_ptr_nonnull(strstr(m->trouble.text, "is no regular file"));
}
END_TEST

/* What happens to a message after it was listed. */
START_TEST(changed_meanwhile)
{
	char path[5][64] = { { 0 } };

	put_record(10);
	for (int i = 0; i < 5; i++) {
		snprintf(path[i], sizeof(path[i]), "cur/1.m%d.h,S=1,W=1,T=7.%d:2,", i, i + 1);
		home_put(path[i], "x");
	}
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_int_eq(renameat(home, path[0], home, "cur/1.m0.h,S=1,W=1,T=7.1:2,FS"), 0);
	ck_assert_int_eq(unlinkat(home, path[1], 0), 0);
	ck_assert_int_eq(unlinkat(home, path[2], 0), 0);
	ck_assert_int_eq(symlinkat("/etc/passwd", home, path[2]), 0);
	ck_assert_int_eq(unlinkat(home, path[3], 0), 0);
	ck_assert_int_eq(mkfifoat(home, path[3], 0600), 0);
	home_text_is(m, 0, "x");
	ck_assert_uint_eq(m->messages[0].flags, MBOX_FLAGGED | MBOX_SEEN);
	errno = 0;
	ck_assert(mbox_message_open(m, 1) == -1 && errno == ENOENT);
	ck_assert(m->messages[1].gone);
	ck_assert(mbox_message_open(m, 2) == -1 && errno != 0);
	ck_assert(mbox_message_open(m, 3) == -1 && errno != 0);
	home_text_is(m, 4, "x");
}
END_TEST

START_TEST(remove_messages)
{
	put_record(10);
	home_put("cur/1.a.h,S=1,W=1,T=7.1:2,", "x");
	home_put("cur/1.b.h,S=1,W=1,T=7.2:2,", "x");
	home_put("new/1.c.h,S=1,W=1,T=7.3", "x");
	home_put("cur/1.d.h,S=1,W=1,T=7.4:2,", "x");
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_int_eq(renameat(home, "new/1.c.h,S=1,W=1,T=7.3", home, "cur/1.c.h,S=1,W=1,T=7.3:2,S"), 0);
	ck_assert_int_eq(unlinkat(home, "cur/1.b.h,S=1,W=1,T=7.2:2,", 0), 0);
	ck_assert_int_eq(mbox_remove(m, NULL, 0, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_remove(m, (size_t[]){ 2, 0, 1, 0 }, 4, NULL), MBOX_OK);
	ck_assert_uint_eq(home_count(""), 1);
	ck_assert(home_has("cur/1.d.h,S=1,W=1,T=7.4:2,"));
}
END_TEST

START_TEST(two_links_to_one_file)
{
	put_record(10);
	home_put("new/1.a.h,S=1,W=1,T=7.1", "x");
	ck_assert_int_eq(linkat(home, "new/1.a.h,S=1,W=1,T=7.1", home, "cur/1.a.h,S=1,W=1,T=7.1:2,", 0), 0);
	home_put("new/1.b.h", "x");
	ck_assert_int_eq(linkat(home, "new/1.b.h", home, "cur/1.b.h:2,", 0), 0);
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_uint_eq(m->n, 2);
	ck_assert_int_eq(mbox_remove(m, (size_t[]){ 0, 1 }, 2, NULL), MBOX_OK);
	ck_assert_uint_eq(home_count(""), 0);
}
END_TEST

START_TEST(pop3_lock)
{
	struct mbox *a, *b;
	struct err err = { 0 };

	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_POP3, &a, &err), MBOX_OK);
	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_POP3, &b, &err), MBOX_BUSY);
	ck_assert_ptr_null(b);
	ck_assert_int_eq(home_deliver("", "Q1R1", false, "x\n", &err), MBOX_OK);
	ck_assert_uint_eq(home_count(""), 1);
	mbox_close(&a);
	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_POP3, &b, &err), MBOX_OK);
	mbox_close(&b);
}
END_TEST

START_TEST(old_leftovers_go)
{
	put_record(10);
	home_put("tmp/1.old.h", "x");
	home_put("tmp/tayori-folder.0123456789abcdef", "x");
	home_count("");
	ck_assert(home_has("tmp/1.old.h"));
	clock_shift(35 * 3600 * 1000);
	home_count("");
	ck_assert(home_has("tmp/1.old.h"));
	clock_shift(2 * 3600 * 1000);
	home_count("");
	ck_assert(!home_has("tmp/1.old.h") && !home_has("tmp/tayori-folder.0123456789abcdef"));
}
END_TEST

enum { OPENERS = 4, DROPPED = 40, DELIVERED = 20 };

static uint64_t digest(const struct mbox *m)
{
	static const uint8_t key[16];
	scoped_buf struct buf text = { 0 };

	for (size_t i = 0; i < DROPPED; i++)
		buf_addf(&text, "%u %.*s\n", m->messages[i].uid, m->messages[i].base_n, m->messages[i].name.p);
	return siphash(key, buf_str(&text));
}

/* Several processes open at once, and one delivers meanwhile: all agree, and nothing is lost or doubled. */
START_TEST(many_openers)
{
	int ends[2], status;
	uint64_t first, other;

	home_maildir();
	for (int i = 0; i < DROPPED; i++) {
		char path[32];
		snprintf(path, sizeof(path), "new/%d.m%d.h", 100 + i % 7, i);
		home_put(path, "x\n");
	}
	ck_assert_int_eq(pipe(ends), 0);
	for (int i = 0; i < OPENERS + 1; i++) {
		if (fork() != 0)
			continue;
		if (i == OPENERS)
			for (int n = 0; n < DELIVERED; n++) {
				char id[16];
				snprintf(id, sizeof(id), "Q1R%d", n);
				if (home_deliver("", id, n % 2, "x\n", NULL))
					_exit(1);
			}
		for (int n = 0; n < 5 && i < OPENERS; n++) {
			struct mbox *m;
			if (mbox_open(home, STR(""), MBOX_SHARED, &m, NULL) || m->n < DROPPED)
				_exit(1);
			uint64_t d = digest(m);
			if (write(ends[1], &d, sizeof(d)) != sizeof(d))
				_exit(1);
			mbox_close(&m);
		}
		_exit(0);
	}
	for (int i = 0; i < OPENERS + 1; i++)
		ck_assert(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &first, sizeof(first)), sizeof(first));
	for (int i = 1; i < OPENERS * 5; i++) {
		ck_assert_int_eq(read(ends[0], &other, sizeof(other)), sizeof(other));
		ck_assert_uint_eq(first, other);
	}
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_uint_eq(m->n, DROPPED + DELIVERED);
	for (size_t i = 1; i < m->n; i++)
		ck_assert_uint_gt(m->messages[i].uid, m->messages[i - 1].uid);
}
END_TEST

START_TEST(many_messages)
{
	enum { N = 5000 };

	put_record(N + 1);
	for (int i = 0; i < N; i++) {
		char path[64];
		snprintf(path, sizeof(path), "cur/%d.m.h,S=1,W=1,T=7.%d:2,S", i, N - i);
		scoped_fd int fd = openat(home, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		ck_assert_int_ge(fd, 0);
	}
	int64_t start = clock_mono_ms();
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_int_lt(clock_mono_ms() - start, 1000);
	ck_assert_uint_eq(m->n, N);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_uint_eq(m->messages[i].uid, i + 1);
}
END_TEST

TEST_MAIN("mbox open", tcase_add_checked_fixture(tc, home_make, home_remove);
	  tcase_add_loop_test(tc, uid_rules, 0, COUNT(rules)); tcase_add_test(tc, uids_never_again);
	  tcase_add_test(tc, uids_used_up); tcase_add_test(tc, uidl_texts); tcase_add_test(tc, record_torn_and_damaged);
	  tcase_add_test(tc, record_stays_small); tcase_add_test(tc, no_such_folder);
	  tcase_add_test(tc, folders_differ); tcase_add_test(tc, not_messages); tcase_add_test(tc, changed_meanwhile);
	  tcase_add_test(tc, remove_messages); tcase_add_test(tc, two_links_to_one_file); tcase_add_test(tc, pop3_lock);
	  tcase_add_test(tc, old_leftovers_go); tcase_add_test(tc, many_openers); tcase_add_test(tc, many_messages))
