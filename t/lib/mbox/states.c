#include "home.h"

#include <sys/wait.h>

#include "mbox/record.h"

/* Every state that lib/mbox/README calls legal, and that opening or delivering again leads to one message, whole. */

#define FINAL "1795327677.M000042Q1R1.mx.test,S=2,W=3"
#define MAX_FILES 8

/* Files to make, in order; a name that ends in '/' is a directory, "=text" after a name its content. */
static const struct {
	const char *files[MAX_FILES];
} folders[] = {
	{ { NULL } },
	{ { ".Sub/" } },
	{ { ".Sub/", ".Sub/tmp/" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", ".Sub/maildirfolder" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", ".Sub/maildirfolder", ".Sub/tayori-lock" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", ".Sub/tayori-lock", "tayori-uidvalidity" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", "tayori-uidvalidity=17953" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", "tayori-uidvalidity=4294967295\n" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", "tayori-uidvalidity=4000000000\n" } },
	{ { ".Sub/", ".Sub/tmp/", ".Sub/new/", ".Sub/cur/", ".Sub/tmp/tayori-folder.0=tayori-fol" } },
};

static void make(const char *spec)
{
	struct str rest = str_from(spec), path = str_cut(&rest, '=');
	char name[128];

	snprintf(name, sizeof(name), "%.*s", STR_ARG(path));
	if (str_ends(path, STR("/")))
		ck_assert_msg(mkdirat(home, name, 0700) == 0, "%s: %m", name);
	else
		home_put(name, rest.p ? rest.p : "");
}

static void expect_one(const char *folder, const char *text)
{
	for (int round = 0; round < 2; round++) {
		scoped_mbox struct mbox *m = home_open(folder);
		ck_assert_uint_eq(m->n, 1);
		home_text_is(m, 0, text);
	}
}

START_TEST(folder_states)
{
	for (size_t i = 0; i < MAX_FILES && folders[_i].files[i]; i++)
		make(folders[_i].files[i]);
	ck_assert_int_eq(home_deliver("Sub", "Q1R1", true, "x\n", NULL), MBOX_OK);
	expect_one("Sub", "x\n");
	ck_assert(home_has(".Sub/maildirfolder"));
	ck_assert_uint_eq(home_count(""), 0);
	scoped_mbox struct mbox *sub = home_open("Sub"), *inbox = home_open("");
	ck_assert_uint_ne(sub->uidvalidity, inbox->uidvalidity);
}
END_TEST

static const char *const deliveries[] = {
	NULL,
	"tmp/1795327677.T00=",
	"tmp/1795327677.T00=x",
	"tmp/1795327677.T00=x\n",
	"new/" FINAL "=x\n",
	"cur/" FINAL ":2,=x\n",
	"cur/" FINAL ":2,S=x\n",
	"cur/" FINAL ",T=1.1:2,=x\n",
};

START_TEST(delivery_states)
{
	for (int opened_first = 0; opened_first < 2; opened_first++) {
		ck_assert_uint_eq(home_count(""), 0);
		if (deliveries[_i]) {
			const char *content = strrchr(deliveries[_i], '=');
			char name[128];
			snprintf(name, sizeof(name), "%.*s", (int)(content - deliveries[_i]), deliveries[_i]);
			home_put(name, content + 1);
		}
		if (opened_first)
			home_count("");
		ck_assert_int_eq(home_deliver("", "Q1R1", true, "x\n", NULL), MBOX_OK);
		expect_one("", "x\n");
		home_remove();
		home_make();
	}
}
END_TEST

/* The steps of a delivery itself, each left by a process that ends without a word. */
START_TEST(killed_deliveries)
{
	for (int step = 0; step < 5; step++) {
		struct mbox_order o = home_order("Sub", "Q1R1", false);
		pid_t child = fork();
		int status;
		if (child == 0) {
			struct mbox_delivery *d;
			bool ok = mbox_begin(home, &o, &d, NULL) == MBOX_OK &&
				  (step < 1 || mbox_write(d, STR("x\r\n"), NULL) == MBOX_OK) &&
				  (step != 2 || mbox_drain(d, NULL) == MBOX_OK) &&
				  (step != 3 || (mbox_drain(d, NULL) == MBOX_OK && mbox_place(d, NULL) == MBOX_OK)) &&
				  (step != 4 || mbox_commit(&d, NULL) == MBOX_OK);
			_exit(ok ? 0 : 1);
		}
		ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
		ck_assert_int_eq(home_deliver("Sub", "Q1R1", true, "x\n", NULL), MBOX_OK);
		expect_one("Sub", "x\n");
		home_remove();
		home_make();
	}
}
END_TEST

/* Three messages without UIDs, and how far the one who gave them had come. */
static const struct {
	bool dirty, half_line, reserved;
	int renamed;
	uint32_t first; /* uid of the first one that is not renamed yet */
} givings[] = {
	{ true, false, false, 0, 1 }, { true, true, false, 0, 1 },  { false, true, false, 0, 1 },
	{ true, false, true, 0, 4 },  { true, false, true, 1, 4 },  { true, false, true, 2, 4 },
	{ true, false, true, 3, 0 },  { false, false, true, 3, 0 },
};

static void leave_record(const struct mbox *m, bool reserved, bool half_line)
{
	struct mbox_record r = { .uidvalidity = m->uidvalidity, .uidnext = 1 };
	scoped_buf struct buf text = { 0 };

	memcpy(r.id, m->id, sizeof(r.id));
	mbox_record_format(&r, &text);
	if (reserved)
		mbox_record_uidnext(4, &text);
	if (half_line)
		buf_add(&text, STR("uidnext 4 0"));
	home_put("tayori-folder", buf_cstr(&text));
}

START_TEST(giving_states)
{
	uint32_t uidvalidity, want;

	{
		scoped_mbox struct mbox *m = home_open("");
		leave_record(m, givings[_i].reserved, givings[_i].half_line);
		uidvalidity = m->uidvalidity;
	}
	home_put("tayori-lock", givings[_i].dirty ? "!" : "");
	for (int i = 0; i < 3; i++) {
		char path[96];
		if (i < givings[_i].renamed)
			snprintf(path, sizeof(path), "cur/%d.m.h,S=1,W=1,T=%u.%d:2,", i, uidvalidity, i + 1);
		else
			snprintf(path, sizeof(path), "new/%d.m.h", i);
		home_put(path, "x");
	}
	for (int round = 0; round < 2; round++) {
		scoped_mbox struct mbox *m = home_open("");
		scoped_buf struct buf lock = { 0 };
		ck_assert_uint_eq(m->n, 3);
		for (int i = 0; i < 3; i++) {
			want = (uint32_t)i + 1;
			if (i >= givings[_i].renamed)
				want = givings[_i].first + (uint32_t)(i - givings[_i].renamed);
			ck_assert_uint_eq(m->messages[i].uid, want);
		}
		home_get("tayori-lock", &lock);
		ck_assert_uint_eq(lock.n, 0);
	}
}
END_TEST

TEST_MAIN("mbox states", tcase_add_checked_fixture(tc, home_make, home_remove);
	  tcase_add_loop_test(tc, folder_states, 0, COUNT(folders));
	  tcase_add_loop_test(tc, delivery_states, 0, COUNT(deliveries)); tcase_add_test(tc, killed_deliveries);
	  tcase_add_loop_test(tc, giving_states, 0, COUNT(givings)))
