#include "home.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/time.h"
#include "mbox/import.h"
#include "mbox/name.h"

/*
 * Maildirs as Dovecot and Courier leave them, taken over and given back; and the same with the process stopped, or a call failing,
 * at each step: this file's functions stand before libc's.
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

/* ---- trees ---- */

struct file {
	const char *path, *text; /* a path that ends in '/' is a directory */
};

#define U1 "1600000001.M1P1.h,S=2,W=3"
#define U2 "1600000002.M1P1.h,S=2,W=3"
#define U3 "1600000003.M1P1.h"

static const struct file dovecot[] = {
	{ "tmp/", NULL },
	{ "new/", NULL },
	{ "cur/", NULL },
	{ "dovecot-uidlist", "3 V1600000000 N9 G49dfa51952280b6bcb13000083ecc375\n2 :" U1 "\n3 Pown-uidl :" U2 "\n5 :gone\n7 W3 :" U3 "\n" },
	{ "dovecot-keywords", "0 $Forwarded\n1 NonJunk\n" },
	{ "dovecot.index.log", "x" },
	{ "dovecot-uidvalidity", "5f5e1004" },
	{ "subscriptions", "V\t2\n\n&ZeVnLIqe-\tSub\nINBOX\n" },
	{ "maildirsize", "1000000S\n" },
	{ "cur/" U1 ":2,Sab", "1\n" },
	{ "cur/" U2 ":2,F", "2\n" },
	{ "new/" U3, "3\n" },
	{ "new/1700000000.M9P9.h", "later\n" },
	{ ".&ZeVnLIqe-.Sub/", NULL },
	{ ".&ZeVnLIqe-.Sub/tmp/", NULL },
	{ ".&ZeVnLIqe-.Sub/new/", NULL },
	{ ".&ZeVnLIqe-.Sub/cur/", NULL },
	{ ".&ZeVnLIqe-.Sub/maildirfolder", "" },
	{ ".&ZeVnLIqe-.Sub/dovecot-uidlist", "3 V1600000002 N1 G3941401952280b6bcb13000083ecc375\n1 :1600000009.x,S=1,W=1\n" },
	{ ".&ZeVnLIqe-.Sub/cur/1600000009.x,S=1,W=1:2,R", "s" },
	{ ".Unseen/", NULL },
	{ ".Unseen/tmp/", NULL },
	{ ".Unseen/new/", NULL },
	{ ".Unseen/cur/", NULL },
	{ ".Unseen/new/1600000010.y", "u\n" },
};

#define C1 "1600000001.M1P1.h"
#define C2 "1600000002.M1P1.h,S=2"

static const struct file courier[] = {
	{ "tmp/", NULL },
	{ "new/", NULL },
	{ "cur/", NULL },
	{ "courierimapuiddb", "1 1600000000 9\n3 " C2 "\n2 " C1 "\n5 gone\n" },
	{ "courierpop3dsizelist", "/3 4 1143\n" C1 ":2,S 3 1:1143:0\n" C2 ":2, 3 2:1143:0\npop3.only:2, 2 3:1143:0\n" },
	{ "courierimapsubscribed", "INBOX\nINBOX.日本語\n" },
	{ "courierimapkeywords/", NULL },
	{ "courierimapkeywords/:list", "$Forwarded\nhello\n\n" C1 ":0\n" C2 ":0\n" },
	{ "courierimapkeywords/.5." C1, "hello\n" },
	{ "courierimapkeywords/.4." C1, "older\n" },
	{ "courierimapkeywords/" C2, "" },
	{ "cur/" C1 ":2,S", "1\n" },
	{ "cur/" C2 ":2,", "2\n" },
	{ "cur/pop3.only:2,", "3\n" },
	{ ".日本語/", NULL },
	{ ".日本語/tmp/", NULL },
	{ ".日本語/new/", NULL },
	{ ".日本語/cur/", NULL },
	{ ".日本語/courierimapuiddb", "1 1600000002 2\n1 1600000009.x\n" },
	{ ".日本語/cur/1600000009.x:2,R", "s" },
};

static void set_date(const char *path, time_t when)
{
	const struct timespec times[2] = { { .tv_sec = when }, { .tv_sec = when } };

	ck_assert_int_eq(utimensat(home, path, times, 0), 0);
}

/* Messages have the date that their name tells, but for the second one. */
static void make(const struct file *files, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *path = files[i].path, *stem = strstr(path, "1600");
		if (!files[i].text) {
			ck_assert_msg(syscall(SYS_mkdirat, home, path, 0700) == 0, "%s: %m", path);
			continue;
		}
		home_put(path, files[i].text);
		if (stem)
			set_date(path, strstr(path, "1600000002") ? 1500000000 : atol(stem));
	}
}

/* Every file with its content, in order: what a tree is. */
static void show(struct buf *out)
{
	scoped_buf struct buf cmd = { 0 };
	char line[4096];

	buf_addf(&cmd, "cd '%s' && find . -type f ! -name names ! -path '*/tmp/*' | LC_ALL=C sort | while read -r f; do echo \"$f\"; cat \"$f\"; done; "
		       "find . -type d ! -path '*/tmp/*' | LC_ALL=C sort", home_path);
	FILE *p = popen(buf_cstr(&cmd), "r");
	ck_assert_ptr_nonnull(p);
	while (fgets(line, sizeof(line), p))
		buf_add(out, str_from(line));
	pclose(p);
}

static struct buf told;

static void tell(void *arg, struct str folder, const char *text)
{
	(void)arg;
	buf_addf(&told, "%.*s: %s\n", STR_ARG(folder), text);
}

static const struct mbox_report report = { tell, NULL };

static enum mbox_result import(void)
{
	struct err err = { 0 };
	enum mbox_result r = mbox_import(home, &report, &err);

	if (r)
		buf_addf(&told, "%s\n", err.text);
	return r;
}

static enum mbox_result undo(void)
{
	struct err err = { 0 };
	enum mbox_result r = mbox_import_undo(home, &report, &err);

	if (r)
		buf_addf(&told, "%s\n", err.text);
	return r;
}

#define ck_ok(call) ck_assert_msg((call) == MBOX_OK, "%s", buf_cstr(&told))

static void clean(void)
{
	buf_reset(&told);
	home_remove();
	home_make();
}

/* uid date flags uidl text */
static void messages(const char *folder, struct buf *out)
{
	scoped_mbox struct mbox *m = home_open(folder);

	buf_addf(out, "%s %u:", folder, m->uidvalidity > 1600000100 ? 0 : m->uidvalidity);
	for (size_t i = 0; i < m->n; i++) {
		char uidl[MBOX_UIDL_MAX + 1], letters[MBOX_LETTERS_MAX];
		scoped_buf struct buf text = { 0 };
		scoped_fd int fd = mbox_message_open(m, i);
		struct str id = mbox_uidl(m, i, uidl);
		ck_assert_int_eq(fd_read_rest(fd, &text), 0);
		buf_addf(out, " %u/%lld/%.*s/%.*s/%.*s", m->messages[i].uid, (long long)m->messages[i].arrival,
			 (int)mbox_name_letters(m->messages[i].flags, letters), letters, STR_ARG(id), STR_ARG(str_head(buf_str(&text), 1)));
	}
	buf_addc(out, '\n');
}

static void subscriptions(struct buf *out)
{
	home_get("tayori-subscriptions", out);
}

static void dovecot_is_ours(void)
{
	scoped_buf struct buf got = { 0 };

	messages("", &got);
	messages("日本語.Sub", &got);
	subscriptions(&got);
	ck_assert_str_is(buf_str(&got),
			 STR(" 1600000000: 2/1600000001/Sab/000000025f5e1000/1 3/1500000000/F/own-uidl/2 7/1600000003//000000075f5e1000/3 9/1700000000//5f5e100000000009/l\n"
			     "日本語.Sub 1600000002: 1/1600000009/R/5f5e100200000001/s\n"
			     "日本語.Sub\nINBOX\n"));
	ck_assert_uint_eq(home_count("Unseen"), 1);
	ck_assert(!home_has("dovecot-uidlist") && !home_has(".&ZeVnLIqe-.Sub") && home_has(".Unseen/maildirfolder"));
}

START_TEST(from_dovecot)
{
	scoped_buf struct buf before = { 0 }, after = { 0 };

	make(dovecot, COUNT(dovecot));
	show(&before);
	ck_assert_int_eq(home_deliver("", "Q1R1", false, "x\n", NULL), MBOX_REFUSED);
	ck_ok(import());
	ck_assert_msg(strstr(buf_cstr(&told), "imported from Dovecot: 3 messages keep their UIDs, UIDVALIDITY 1600000000, UIDNEXT 9"), "%s", told.p);
	dovecot_is_ours();
	ck_ok(import()); /* nothing is left to do */
	dovecot_is_ours();
	ck_ok(undo());
	ck_assert(home_has("cur/" U2 ":2,F") && home_has("cur/" U3 ":2,") && !home_has("tayori-imported") && !home_has("maildirsize"));
	scoped_buf struct buf list = { 0 };
	home_get("dovecot-uidlist", &list);
	ck_assert_msg(strstr(buf_cstr(&list), "N10 ") && strstr(list.p, "\n9 P5f5e100000000009 :1700000000.M9P9.h,S=6,W=7\n"), "%s", list.p);
	show(&after);
	ck_assert_msg(!strstr(buf_cstr(&after), "tayori"), "%s", after.p);
	ck_assert(home_has(".&ZeVnLIqe-.Sub/dovecot-uidlist") && home_has(".Unseen/dovecot-uidlist"));
	/* and there again */
	ck_ok(import());
	dovecot_is_ours();
	clean();
}
END_TEST

static void courier_is_ours(void)
{
	scoped_buf struct buf got = { 0 };

	messages("", &got);
	messages("日本語", &got);
	subscriptions(&got);
	ck_assert_str_is(buf_str(&got), STR(" 1600000000: 2/1600000001/Sb/UID1-1143/1 3/1500000000//UID2-1143/2 9/1234567890//UID3-1143/3\n"
					    "日本語 1600000002: 1/1600000009/R/5f5e100200000001/s\n"
					    "INBOX\n日本語\n"));
}

START_TEST(from_courier)
{
	scoped_buf struct buf before = { 0 }, list = { 0 };

	make(courier, COUNT(courier));
	set_date("cur/pop3.only:2,", 1234567890);
	show(&before);
	ck_ok(import());
	courier_is_ours();
	{
		scoped_mbox struct mbox *m = home_open("");
		scoped_buf struct buf record = { 0 };
		home_get("tayori-folder", &record);
		ck_assert(strstr(buf_cstr(&record), "keyword a $Forwarded") && strstr(record.p, "keyword b hello"));
	}
	ck_ok(undo());
	ck_assert(home_has("cur/" C1 ":2,S") && home_has("cur/pop3.only:2,"));
	home_get("courierimapuiddb", &list);
	ck_assert_str_is(buf_str(&list), STR("1 1600000000 10\n3 " C2 "\n2 " C1 "\n5 gone\n9 pop3.only\n"));
	buf_reset(&list);
	home_get("courierimapkeywords/:list", &list);
	ck_assert_str_is(buf_str(&list), STR("$Forwarded\nhello\n\n" C1 ":1\n"));
	ck_assert(!home_has("courierimapkeywords/.5." C1));
	ck_ok(import());
	courier_is_ours();
	clean();
}
END_TEST

static const struct tree {
	const struct file *files;
	size_t n;
	void (*is_ours)(void);
	const char *left[3]; /* there again after an undo */
} trees[] = {
	{ dovecot, COUNT(dovecot), dovecot_is_ours, { "dovecot-uidlist", "cur/" U1 ":2,Sab", ".&ZeVnLIqe-.Sub/dovecot-uidlist" } },
	{ courier, COUNT(courier), courier_is_ours, { "courierimapuiddb", "cur/" C1 ":2,S", ".日本語/courierimapuiddb" } },
};

static void make_tree(const struct tree *t)
{
	make(t->files, t->n);
	if (t->files == courier)
		set_date("cur/pop3.only:2,", 1234567890);
}

static void is_theirs(const struct tree *t, int at)
{
	ck_assert_msg(!home_has("tayori-imported"), "step %d", at);
	for (size_t i = 0; i < COUNT(t->left); i++)
		ck_assert_msg(home_has(t->left[i]), "step %d: %s: %s", at, t->left[i], buf_cstr(&told));
}

/* ---- refused ---- */

static const struct {
	struct file more[6];
	enum mbox_result result;
	const char *says;
} refused[] = {
	{ { { NULL, NULL } }, MBOX_MISSING, "no other server" },
	{ { { "dovecot-uidlist", "" } }, MBOX_REFUSED, "dovecot-uidlist is damaged at octet 0 (a bad first line)" },
	{ { { "dovecot-uidlist", "3 V7 N5\n2 :a\n1 :b\n" } }, MBOX_REFUSED, "damaged at octet 13 (UIDs out of order)" },
	{ { { "courierimapuiddb", "0 7 5\n" } }, MBOX_REFUSED, "courierimapuiddb is damaged" },
	{ { { "dovecot-uidlist", "3 V7 N5\n" }, { "dovecot-uidlist.lock", "" } }, MBOX_BUSY, "at work" },
	{ { { "dovecot-uidlist/", NULL } }, MBOX_REFUSED, "cannot read dovecot-uidlist" },
	{ { { ".a/", NULL }, { ".a/cur/", NULL }, { ".a/dovecot-uidlist", "3 V7 N5\n" }, { ".a/tayori-imported", "" } }, MBOX_REFUSED, "Not a directory" },
	{ { { ".&AGE-/", NULL }, { ".&AGE-/cur/", NULL }, { ".&AGE-/dovecot-uidlist", "3 V7 N5\n" }, { ".\xff/", NULL }, { ".\xff/cur/", NULL } }, MBOX_REFUSED, "no name" },
	{ { { ".&AOQ-/", NULL }, { ".&AOQ-/cur/", NULL }, { ".&AOQ-/dovecot-uidlist", "3 V7 N5\n" }, { ".ä/", NULL } }, MBOX_EXISTS, "which is there already" },
};

START_TEST(refused_imports)
{
	scoped_buf struct buf before = { 0 }, after = { 0 };

	home_maildir();
	for (size_t i = 0; i < COUNT(refused[_i].more) && refused[_i].more[i].path; i++)
		make(&refused[_i].more[i], 1);
	ck_assert_msg(import() == refused[_i].result, "%s", buf_cstr(&told));
	ck_assert_msg(strstr(buf_cstr(&told), refused[_i].says), "%s", told.p);
	if (refused[_i].result != MBOX_MISSING)
		ck_assert(home_has("tayori-folder") || home_deliver("", "Q1R1", false, "x\n", NULL) == MBOX_REFUSED);
	clean();
}
END_TEST

/* A bad folder does not keep the others back, nor does it become ours. */
START_TEST(one_bad_folder)
{
	make(dovecot, COUNT(dovecot));
	home_put(".&ZeVnLIqe-.Sub/dovecot-uidlist", "3 V0 N0\n");
	ck_assert_int_eq(import(), MBOX_REFUSED);
	ck_assert_uint_eq(home_count(""), 4);
	ck_assert_int_eq(home_deliver("&ZeVnLIqe-.Sub", "Q1R1", false, "x\n", NULL), MBOX_REFUSED);
	home_put(".&ZeVnLIqe-.Sub/dovecot-uidlist", "3 V1600000002 N1\n1 :1600000009.x,S=1,W=1\n");
	ck_ok(import());
	dovecot_is_ours();
	clean();
}
END_TEST

START_TEST(damaged_record_stays)
{
	make(dovecot, COUNT(dovecot));
	ck_ok(import());
	home_put(".日本語.Sub/tayori-folder", "tayori-folder 1 00000000\n");
	ck_assert_int_eq(undo(), MBOX_REFUSED);
	ck_assert(home_has(".日本語.Sub/tayori-imported/dovecot-uidlist") && home_has("dovecot-uidlist"));
	clean();
}
END_TEST

/* What the user has done since goes along. */
START_TEST(back_with_what_came_later)
{
	scoped_buf struct buf text = { 0 };

	make(dovecot, COUNT(dovecot));
	ck_ok(import());
	ck_assert_int_eq(home_deliver("", "Q1R1", false, "new one\n", NULL), MBOX_OK);
	ck_assert_int_eq(home_deliver("Later.ö", "Q2R1", false, "new two\n", NULL), MBOX_OK);
	ck_assert_uint_eq(home_count("") + home_count("Later.ö"), 6);
	{
		scoped_mbox_user struct mbox_user *u = mbox_user_new(home);
		ck_assert_int_eq(mbox_rename(u, STR("日本語.Sub"), STR("Süb"), NULL), MBOX_OK);
		ck_assert_int_eq(mbox_subscribe(u, STR("Süb"), true, NULL), MBOX_OK);
		ck_assert_int_eq(mbox_subscribe(u, STR("INBOX"), false, NULL), MBOX_OK);
	}
	ck_ok(undo());
	ck_assert(home_has(".Later.&APY-/dovecot-uidlist") && home_has(".S&APw-b/dovecot-uidlist"));
	home_get("subscriptions", &text);
	ck_assert_str_is(buf_str(&text), STR("V\t2\n\n&ZeVnLIqe-\tSub\nS&APw-b\n"));
	buf_reset(&text);
	home_get(".Later.&APY-/dovecot-uidlist", &text);
	ck_assert_msg(str_starts(buf_str(&text), STR("3 V")) && strstr(buf_cstr(&text), "\n1 :1795327677.M000042Q2R1.mx.test,S=8,W=9\n"), "%s", text.p);
	ck_ok(import());
	ck_assert_uint_eq(home_count(""), 5);
	ck_assert_uint_eq(home_count("Later.ö"), 1);
	clean();
}
END_TEST

/* ---- cut off at each step ---- */

static int run_struck(enum mbox_result (*work)(void), int at, bool die)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		until = at;
		dies = die;
		enum mbox_result r = work();
		_exit(until > 0 ? 100 : r ? 1 : 0); /* 100: all done before the stroke came */
	}
	ck_assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Nobody opens what is half done. */
static void no_half_folders(void)
{
	static const char *const folders[] = { "", "&ZeVnLIqe-.Sub", "日本語.Sub" };

	for (size_t i = 0; i < COUNT(folders); i++) {
		struct mbox *m;
		enum mbox_result r = mbox_open(home, str_from(folders[i]), MBOX_SHARED, &m, NULL);
		ck_assert(r == MBOX_OK || r == MBOX_REFUSED || r == MBOX_MISSING);
		if (!r)
			ck_assert_uint_eq(m->uidvalidity, i ? 1600000002 : 1600000000);
		mbox_close(&m);
	}
}

/* Of each tree. 0, 1: and then done again; 2, 3: and then undone, and done. */
START_TEST(struck_imports)
{
	const struct tree *t = &trees[_i / 4];
	int at = 1, r = 0;

	for (; r != 100; at++) {
		make_tree(t);
		r = run_struck(import, at, _i % 2);
		no_half_folders();
		if (_i % 4 >= 2) {
			enum mbox_result back = undo();
			ck_assert_msg(back == MBOX_OK || (back == MBOX_MISSING && !home_has("tayori-folder")), "step %d: %s", at,
				      buf_cstr(&told));
			is_theirs(t, at);
		}
		ck_assert_msg(import() == MBOX_OK, "step %d: %s", at, buf_cstr(&told));
		t->is_ours();
		clean();
	}
	ck_assert_int_gt(at, 30);
}
END_TEST

/* 0, 1: and then undone again; 2, 3: an import in between is refused or does no harm. */
START_TEST(struck_undos)
{
	const struct tree *t = &trees[_i / 4];
	int at = 1, r = 0;

	for (; r != 100; at++) {
		make_tree(t);
		ck_ok(import());
		t->is_ours();
		r = run_struck(undo, at, _i % 2);
		no_half_folders();
		if (_i % 4 >= 2)
			import();
		enum mbox_result back = undo();
		ck_assert_msg(back == MBOX_OK || back == MBOX_MISSING, "step %d: %s", at, buf_cstr(&told));
		is_theirs(t, at);
		ck_assert_msg(import() == MBOX_OK, "step %d: %s", at, buf_cstr(&told));
		t->is_ours();
		clean();
	}
	ck_assert_int_gt(at, 30);
}
END_TEST

/* ---- corners ---- */

/* We have INBOX, another server had a folder: INBOX stays as it is; an undo gives both to the other one. */
START_TEST(partly_ours)
{
	scoped_buf struct buf before = { 0 }, after = { 0 };

	ck_assert_int_eq(home_deliver("", "Q1R1", false, "x\n", NULL), MBOX_OK);
	messages("", &before);
	make(&(struct file){ ".a/", NULL }, 1);
	make(&(struct file){ ".a/cur/", NULL }, 1);
	make(&(struct file){ ".a/cur/5.a", "x" }, 1);
	make(&(struct file){ ".a/dovecot-uidlist", "3 V7 N5\n3 :5.a\n" }, 1);
	ck_ok(import());
	messages("", &after);
	ck_assert_str_is(buf_str(&after), buf_str(&before));
	{
		scoped_mbox struct mbox *m = home_open("a");
		ck_assert_uint_eq(m->messages[0].uid, 3);
	}
	ck_ok(undo());
	ck_assert(home_has("dovecot-uidlist") && home_has(".a/dovecot-uidlist") && !home_has("tayori-folder") && !home_has("tayori-uidvalidity"));
	clean();
}
END_TEST

/* A copy of a folder is one of its own, and does not take the other's place. */
START_TEST(copied_folder)
{
	scoped_buf struct buf cmd = { 0 }, one = { 0 }, two = { 0 };

	make(dovecot, COUNT(dovecot));
	ck_ok(import());
	scoped_mbox_user struct mbox_user *u = mbox_user_new(home);
	struct mbox_status s, t;
	ck_assert_int_eq(mbox_status(u, STR("日本語.Sub"), &s, NULL), MBOX_OK);
	buf_addf(&cmd, "cp -a '%s/.日本語.Sub' '%s/.Copy'", home_path, home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	ck_assert_int_eq(mbox_status(u, STR("Copy"), &t, NULL), MBOX_OK);
	ck_assert(t.uidvalidity != s.uidvalidity && t.messages == 1);
	ck_ok(undo());
	home_get(".&ZeVnLIqe-.Sub/dovecot-uidlist", &one);
	home_get(".Copy/dovecot-uidlist", &two);
	ck_assert(str_starts(buf_str(&one), STR("3 V1600000002 ")) && !str_starts(buf_str(&two), STR("3 V1600000002 ")));
	clean();
}
END_TEST

#define LONG "1600000000.x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x123456789x12345678"

/* No room for our fields: it gets a short name, and the long one again. */
START_TEST(long_name)
{
	home_maildir();
	make(&(struct file){ "dovecot-uidlist", "3 V7 N5\n3 :" LONG "\n" }, 1);
	make(&(struct file){ "cur/" LONG ":2,FS", "x\n" }, 1);
	ck_ok(import());
	ck_assert(!home_has("cur/" LONG ":2,FS"));
	{
		scoped_mbox struct mbox *m = home_open("");
		ck_assert(m->n == 1 && m->messages[0].uid == 3 && m->messages[0].arrival == 1600000000);
		ck_assert_uint_eq(m->messages[0].flags, MBOX_FLAGGED | MBOX_SEEN);
	}
	ck_ok(undo());
	ck_assert(home_has("cur/" LONG ":2,FS"));
	clean();
}
END_TEST

/* Two files of one message (a copy by hand), a link, a folder: one message keeps the UID, the others do no harm. */
START_TEST(tricks_in_cur)
{
	home_maildir();
	make(&(struct file){ "dovecot-uidlist", "3 V7 N5\n1 :5.a\n2 :6.b\n3 :7.c\n" }, 1);
	make(&(struct file){ "cur/5.a:2,S", "x\n" }, 1);
	make(&(struct file){ "new/5.a", "x\n" }, 1);
	ck_assert_int_eq(symlinkat("/etc/passwd", home, "cur/6.b:2,"), 0);
	make(&(struct file){ "cur/7.c:2,/", NULL }, 1);
	ck_ok(import());
	scoped_mbox struct mbox *m = home_open("");
	ck_assert(m->n == 2 && m->messages[0].uid == 1 && m->messages[1].uid == 5);
	clean();
}
END_TEST

/* A folder behind a link is not followed; the others are imported. */
START_TEST(linked_folder)
{
	make(dovecot, COUNT(dovecot));
	ck_assert_int_eq(symlinkat("/tmp", home, ".link"), 0);
	ck_ok(import());
	ck_assert_msg(strstr(buf_cstr(&told), "link: passed over"), "%s", told.p);
	ck_ok(undo());
	is_theirs(&trees[0], 0);
	clean();
}
END_TEST

/* The other server has seen messages that were renamed already. */
START_TEST(old_server_between)
{
	make(dovecot, COUNT(dovecot));
	ck_assert_int_eq(run_struck(import, 25, true), 9);
	if (home_has("tayori-imported/names") || home_has("tayori-folder")) /* INBOX comes last */
		ck_abort_msg("step 25 is too late");
	ck_assert(home_has(".&ZeVnLIqe-.Sub/tayori-imported/names") || home_has(".日本語.Sub/tayori-imported/names"));
	clean();
	for (int at = 1; at < 200; at++) {
		make(dovecot, COUNT(dovecot));
		if (run_struck(import, at, true) == 9 && home_has("tayori-imported/names") && home_has("dovecot-uidlist")) {
			usleep(20000); /* not an event: a clock of the file system ticks */
			home_put("dovecot-uidlist", "3 V1600000000 N12\n11 :x\n");
			ck_assert_int_eq(import(), MBOX_REFUSED);
			ck_assert_msg(strstr(buf_cstr(&told), "undo it first"), "%s", told.p);
			ck_ok(undo());
			ck_ok(import());
			clean();
			return;
		}
		clean();
	}
	ck_abort_msg("no such step");
}
END_TEST

/* Deliveries, readers and imports in both directions at once: nothing is lost, and no UIDVALIDITY changes. */
/* As qmgr would: refused while the folder is the other server's, a delivery is tried again, for as long as a slow disk may take. */
static void deliver_many(int who)
{
	int64_t until_ms = clock_mono_ms() + 60000;

	for (int i = 0; i < 30; i++) {
		char id[32];
		struct err err = { 0 };
		snprintf(id, sizeof(id), "Q%dR%d", who, i);
		for (bool again = false; home_deliver("", id, again, "d\n", &err) != MBOX_OK; again = true) {
			if (clock_mono_ms() > until_ms) {
				fprintf(stderr, "delivery %s: %s\n", id, err.text);
				_exit(1);
			}
			usleep(1000);
		}
	}
	_exit(0);
}

static void read_many(void)
{
	for (int i = 0; i < 300; i++) {
		struct mbox *m;
		if (mbox_open(home, STR(""), MBOX_SHARED, &m, NULL) == MBOX_OK && m->uidvalidity != 1600000000)
			_exit(1);
		mbox_close(&m);
	}
	_exit(0);
}

START_TEST(races)
{
	pid_t children[4];

	for (int round = 0; round < 5; round++) {
		make(dovecot, COUNT(dovecot));
		for (int i = 0; i < 4; i++) {
			children[i] = fork();
			if (children[i] == 0) {
				if (i < 2)
					deliver_many(i);
				read_many();
			}
		}
		for (int i = 0; i < 6; i++) {
			enum mbox_result r = i % 2 ? undo() : import();
			ck_assert_msg(r == MBOX_OK, "%s", buf_cstr(&told));
		}
		ck_ok(import());
		for (int i = 0; i < 4; i++) {
			int status;
			ck_assert(waitpid(children[i], &status, 0) == children[i]);
			ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: %x", i, (unsigned)status);
		}
		scoped_mbox struct mbox *m = home_open("");
		ck_assert_uint_eq(m->uidvalidity, 1600000000);
		ck_assert_uint_eq(m->n, 4 + 60);
		ck_assert_uint_eq(m->messages[0].uid, 2);
		clean();
	}
}
END_TEST

TEST_MAIN("mbox import", tcase_add_checked_fixture(tc, home_make, home_remove); tcase_add_test(tc, from_dovecot);
	  tcase_add_test(tc, from_courier); tcase_add_loop_test(tc, refused_imports, 0, COUNT(refused));
	  tcase_add_test(tc, one_bad_folder); tcase_add_test(tc, damaged_record_stays);
	  tcase_add_test(tc, back_with_what_came_later); tcase_add_loop_test(tc, struck_imports, 0, 8);
	  tcase_add_loop_test(tc, struck_undos, 0, 8); tcase_add_test(tc, partly_ours);
	  tcase_add_test(tc, copied_folder); tcase_add_test(tc, long_name); tcase_add_test(tc, tricks_in_cur);
	  tcase_add_test(tc, linked_folder); tcase_add_test(tc, old_server_between); tcase_add_test(tc, races))
