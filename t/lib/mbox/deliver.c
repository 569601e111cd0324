#include "home.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "mbox/record.h"

static const struct {
	const char *name;
	bool ok;
} folder_names[] = {
	{ ".", false },	       { "..", false },	      { "../x", false },    { "a/b", false },	{ ".a", false },
	{ "a.", false },       { "a..b", false },     { "a\n", false },	    { "a\x7f", false }, { "\xff", false },
	{ "\xc0\xae", false }, { "/etc", false },     { "a/../..", false }, { "tmp", true },	{ "", true },
	{ "INBOX", true },     { "Work.2026", true }, { "会議", true },	    { "a b", true },	{ "-rf", true },
};

START_TEST(folder_name_cases)
{
	ck_assert_int_eq(mbox_folder_ok(str_from(folder_names[_i].name)), folder_names[_i].ok);
	enum mbox_result want = folder_names[_i].ok ? MBOX_OK : MBOX_REFUSED;
	ck_assert_int_eq(home_deliver(folder_names[_i].name, "Q1R1", false, "x\n", NULL), want);
}
END_TEST

START_TEST(folder_name_bytes)
{
	char longest[201];

	memset(longest, 'a', sizeof(longest));
	ck_assert(!mbox_folder_ok(STR("a\0b")));
	ck_assert(!mbox_folder_ok(str_of(longest, 201)));
	ck_assert(mbox_folder_ok(str_of(longest, 200)));
}
END_TEST

START_TEST(bad_ids)
{
	struct err err = { 0 };

	ck_assert_int_eq(home_deliver("", "Q1/../x", false, "x\n", &err), MBOX_REFUSED);
	ck_assert_int_eq(home_deliver("", "Q1.R2", false, "x\n", &err), MBOX_REFUSED);
	ck_assert_int_eq(home_deliver("", "", false, "x\n", &err), MBOX_OK);
	ck_assert_int_eq(home_deliver("", "", true, "x\n", &err), MBOX_OK);
	ck_assert_uint_eq(home_count(""), 2);
}
END_TEST

static const struct {
	const char *in, *out;
	int64_t vsize;
} bodies[] = {
	{ "", "", 0 },
	{ "\r", "\r", 1 },
	{ "\r\n", "\n", 2 },
	{ "\n\n", "\n\n", 4 },
	{ "a\rb\r\n\rc\r", "a\rb\n\rc\r", 8 },
	{ "\r\r\n", "\r\n", 2 },
	{ "a\r\nb\r\n", "a\nb\n", 6 },
	{ "no end", "no end", 6 },
};

/* Whole, and in slices of one byte; the reader's count agrees with the writer's. */
START_TEST(body_cases)
{
	struct mbox_order o = home_order("Sub", "Q1R1", false);
	struct mbox_delivery *d;

	ck_assert_int_eq(home_deliver("Sub", "Q1R2", false, bodies[_i].in, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_OK);
	for (const char *c = bodies[_i].in; *c; c++)
		ck_assert_int_eq(mbox_write(d, str_of(c, 1), NULL), MBOX_OK);
	ck_assert_int_eq(mbox_commit(&d, NULL), MBOX_OK);
	home_put(".Sub/new/1795327678.dropped.h", bodies[_i].out);
	scoped_mbox struct mbox *m = home_open("Sub");
	ck_assert_uint_eq(m->n, 3);
	for (size_t i = 0; i < 3; i++) {
		home_text_is(m, i, bodies[_i].out);
		ck_assert_int_eq(m->messages[i].size, (int64_t)strlen(bodies[_i].out));
		ck_assert_int_eq(m->messages[i].vsize, bodies[_i].vsize);
	}
	ck_assert(home_has(".Sub/maildirfolder") && !home_has("maildirfolder"));
}
END_TEST

START_TEST(large_from_descriptor)
{
	struct mbox_order o = home_order("", "Q1R1", false);
	struct mbox_delivery *d;
	scoped_buf struct buf text = { 0 };
	scoped_buf struct buf want = { 0 };

	for (int i = 0; i < 50000; i++) {
		buf_addf(&text, "%d\r\n", i);
		buf_addf(&want, "%d\n", i);
	}
	home_put("in", buf_cstr(&text));
	scoped_fd int in = openat(home, "in", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_write_fd(d, in, NULL), MBOX_OK);
	ck_assert_int_eq(mbox_commit(&d, NULL), MBOX_OK);
	scoped_mbox struct mbox *m = home_open("");
	home_text_is(m, 0, buf_cstr(&want));
	ck_assert_int_eq(m->messages[0].vsize, (int64_t)text.n);
}
END_TEST

START_TEST(same_id_again)
{
	ck_assert_int_eq(home_deliver("", "Q7R1", true, "a\n", NULL), MBOX_OK);
	ck_assert_int_eq(home_deliver("", "Q7R1", true, "a\n", NULL), MBOX_OK);
	ck_assert_int_eq(home_deliver("", "Q7R10", true, "b\n", NULL), MBOX_OK);
	ck_assert_uint_eq(home_count(""), 2); /* moves both to cur/ */
	ck_assert_int_eq(home_deliver("", "Q7R1", true, "a\n", NULL), MBOX_OK);
	ck_assert_int_eq(home_deliver("", "Q7R", true, "c\n", NULL), MBOX_OK);
	ck_assert_uint_eq(home_count(""), 3);
	struct mbox_order o = home_order("", "Q7R1", true);
	scoped_delivery struct mbox_delivery *d = NULL;
	ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_OK);
	ck_assert(mbox_already(d));
}
END_TEST

/* Never over another file, even of the same id and microsecond. */
START_TEST(same_name_twice)
{
	struct err err = { 0 };

	ck_assert_int_eq(home_deliver("", "Q7R1", false, "a\n", NULL), MBOX_OK);
	ck_assert_int_eq(home_deliver("", "Q7R1", false, "b\n", &err), MBOX_IO);
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_uint_eq(m->n, 1);
	home_text_is(m, 0, "a\n");
}
END_TEST

START_TEST(abort_leaves_nothing)
{
	for (int step = 0; step < 3; step++) {
		struct mbox_order o = home_order("", "Q1R1", false);
		struct mbox_delivery *d;
		ck_assert_int_eq(mbox_begin(home, &o, &d, NULL), MBOX_OK);
		ck_assert_int_eq(mbox_write(d, STR("x\n"), NULL), MBOX_OK);
		if (step > 0)
			ck_assert_int_eq(mbox_drain(d, NULL), MBOX_OK);
		if (step > 1)
			ck_assert_int_eq(mbox_place(d, NULL), MBOX_OK);
		mbox_abort(&d);
		ck_assert_ptr_null(d);
		ck_assert_uint_eq(home_count(""), 0);
	}
	scoped_buf struct buf cmd = { 0 };
	buf_addf(&cmd, "test -z \"$(ls '%s/tmp' '%s/new' '%s/cur' | grep '^[0-9]')\"", home_path, home_path, home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
}
END_TEST

START_TEST(batch)
{
	struct mbox_delivery *d[10];

	for (int i = 0; i < 10; i++) {
		char id[16], folder[16];
		snprintf(id, sizeof(id), "Q1R%d", i);
		snprintf(folder, sizeof(folder), "%s%d", i % 2 ? "F" : "G", i % 3);
		struct mbox_order o = home_order(folder, id, i == 9);
		ck_assert_int_eq(mbox_begin(home, &o, &d[i], NULL), MBOX_OK);
		ck_assert_int_eq(mbox_write(d[i], STR("x\r\n"), NULL), MBOX_OK);
		ck_assert_int_eq(mbox_drain(d[i], NULL), MBOX_OK);
	}
	ck_assert_int_eq(syncfs(home), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(mbox_place(d[i], NULL), MBOX_OK);
	ck_assert_int_eq(syncfs(home), 0);
	for (int i = 0; i < 10; i++)
		mbox_settle(&d[i]);
	ck_assert_uint_eq(home_count("G0") + home_count("G1") + home_count("G2") + home_count("F0") + home_count("F1") +
				  home_count("F2"),
			  10);
}
END_TEST

/* Each of these stands for "the folder itself, or a part of it, is something else". */
static const struct {
	const char *remove, *link, *target;
	enum mbox_result delivery, open;
} tricks[] = {
	{ "tmp", "tmp", "/tmp", MBOX_REFUSED, MBOX_REFUSED },
	{ "new", "new", "/tmp", MBOX_REFUSED, MBOX_REFUSED },
	{ "cur", "cur", "../cur", MBOX_REFUSED, MBOX_REFUSED },
	{ "tayori-folder", "tayori-folder", "/etc/passwd", MBOX_OK, MBOX_REFUSED },
	{ "tayori-lock", "tayori-lock", "/etc/passwd", MBOX_OK, MBOX_REFUSED },
	{ "cur", "x", "/tmp", MBOX_OK, MBOX_OK }, /* a missing directory comes back */
};

static void trick(const char *prefix, size_t i)
{
	char path[64];

	snprintf(path, sizeof(path), "%s%s", prefix, tricks[i].remove);
	ck_assert(unlinkat(home, path, 0) == 0 || unlinkat(home, path, AT_REMOVEDIR) == 0);
	snprintf(path, sizeof(path), "%s%s", prefix, tricks[i].link);
	ck_assert_int_eq(symlinkat(tricks[i].target, home, path), 0);
}

START_TEST(link_tricks)
{
	struct mbox *m;
	struct err err = { 0 };

	for (int sub = 0; sub < 2; sub++) {
		const char *folder = sub ? "Sub" : "";
		struct mbox_order o = home_order(folder, "Q1R1", false);
		struct mbox_delivery *d;
		ck_assert_int_eq(mbox_begin(home, &o, &d, &err), MBOX_OK);
		mbox_abort(&d);
		trick(sub ? ".Sub/" : "", (size_t)_i);
		ck_assert_int_eq(home_deliver(folder, "Q2R1", false, "x\n", &err), tricks[_i].delivery);
		ck_assert_int_eq(mbox_open(home, str_from(folder), MBOX_SHARED, &m, &err), tricks[_i].open);
		mbox_close(&m);
	}
}
END_TEST

START_TEST(folder_is_a_link)
{
	struct mbox *m;

	ck_assert_int_eq(symlinkat("/tmp", home, ".Out"), 0);
	ck_assert_int_eq(symlinkat(".", home, ".Self"), 0);
	home_put(".File", "x");
	ck_assert_int_eq(mkfifoat(home, ".Fifo", 0600), 0);
	static const char *const names[] = { "Out", "Self", "File", "Fifo" };
	for (size_t i = 0; i < COUNT(names); i++) {
		ck_assert_int_eq(home_deliver(names[i], "Q1R1", false, "x\n", NULL), MBOX_REFUSED);
		ck_assert_int_eq(mbox_open(home, str_from(names[i]), MBOX_SHARED, &m, NULL), MBOX_REFUSED);
	}
}
END_TEST

static const char *const marks[] = { "dovecot-uidlist", "courierimapuiddb", "courierpop3dsizelist" };

START_TEST(kept_by_another)
{
	struct mbox *m;
	struct err err = { 0 };

	home_put(marks[_i], "");
	ck_assert_int_eq(home_deliver("", "Q1R1", false, "x\n", &err), MBOX_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.text, "must be imported first"));
	ck_assert_ptr_nonnull(strstr(err.text, marks[_i]));
	ck_assert_int_eq(mbox_open(home, STR(""), MBOX_POP3, &m, &err), MBOX_REFUSED);
	ck_assert(!home_has("tayori-lock") && !home_has("cur"));
	unlinkat(home, marks[_i], 0);
	ck_assert_int_eq(home_deliver("", "Q1R1", false, "x\n", &err), MBOX_OK);
	home_put(marks[_i], ""); /* it reads our folder now */
	ck_assert_uint_eq(home_count(""), 1);
}
END_TEST

/* A record whose next line begins a new page, and a disk without one: the messages that have UIDs are shown. */
static int on_no_space_for_uids(void)
{
	scoped_buf struct buf text = { 0 };
	scoped_arena struct arena a = { 0 };
	struct mbox_record r;
	char filler[4096] = "";
	size_t n;

	home_get("tayori-folder", &text);
	if (!mbox_record_parse(buf_str(&text), &a, &r, NULL))
		return 11;
	while (text.n < 4090)
		mbox_record_uidnext(++r.uidnext, &text);
	home_put("tayori-folder", buf_cstr(&text));
	home_put("new/1.x.h", "x");
	{
		scoped_fd int fd = openat(home, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		while (write(fd, filler, sizeof(filler)) > 0)
			;
	}
	{
		scoped_mbox struct mbox *m;
		if (mbox_open(home, STR(""), MBOX_SHARED, &m, NULL) || m->n != 2 || m->skipped != 1)
			return 12;
		if (mbox_remove(m, &(size_t){ 0 }, 1, NULL))
			return 13;
		n = m->n;
	}
	unlinkat(home, "filler", 0);
	return home_count("") == n ? 0 : 14;
}

/* In a mount namespace of its own, so that nothing is left of it. */
static int on_full_disk(void)
{
	struct err err = { 0 };
	scoped_buf struct buf text = { 0 };

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", home_path, "tmpfs", 0, "size=64k,mode=700") < 0)
		return 77;
	fd_close(&home);
	home = open(home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home_deliver("", "Q1R1", false, "small\n", &err) != MBOX_OK || home_count("") != 1)
		return 1;
	buf_reserve(&text, 200000);
	memset(text.p, 'x', 200000);
	text.n = 200000;
	if (home_deliver("", "Q1R2", false, buf_cstr(&text), &err) != MBOX_FULL)
		return 2;
	if (home_deliver("", "Q1R2", true, "now it fits\n", &err) != MBOX_OK || home_count("") != 2)
		return 3;
	return on_no_space_for_uids();
}

START_TEST(full_disk)
{
	int status;
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

TEST_MAIN("mbox deliver", tcase_add_checked_fixture(tc, home_make, home_remove);
	  tcase_add_loop_test(tc, folder_name_cases, 0, COUNT(folder_names)); tcase_add_test(tc, folder_name_bytes);
	  tcase_add_test(tc, bad_ids); tcase_add_loop_test(tc, body_cases, 0, COUNT(bodies));
	  tcase_add_test(tc, large_from_descriptor); tcase_add_test(tc, same_id_again);
	  tcase_add_test(tc, same_name_twice); tcase_add_test(tc, abort_leaves_nothing); tcase_add_test(tc, batch);
	  tcase_add_loop_test(tc, link_tricks, 0, COUNT(tricks)); tcase_add_test(tc, folder_is_a_link);
	  tcase_add_loop_test(tc, kept_by_another, 0, COUNT(marks)); tcase_add_test(tc, full_disk))
