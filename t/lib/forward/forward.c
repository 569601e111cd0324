/* .forward files and lists: what cannot be trusted or read first, then what they say; and the head of a delivered message. */
#include "forward/forward.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forward/head.h"
#include "io/fd.h"
#include "unit.h"

static char home[64];

static void make_home(void)
{
	snprintf(home, sizeof(home), "/tmp/tayori-forward-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
}

static void remove_home(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", home);
	ck_assert_int_eq(system(command), 0);
}

/* "@H" in the text stands for the home. */
static void put(const char *name, const char *text, mode_t mode)
{
	char path[128];
	scoped_buf struct buf full = { 0 };

	snprintf(path, sizeof(path), "%s/%s", home, name);
	for (const char *p = text; *p; p++)
		if (p[0] == '@' && p[1] == 'H')
			buf_add(&full, str_from(home)), p++;
		else
			buf_addc(&full, *p);
	scoped_fd int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	ck_assert_int_eq(fd_write_all(fd, buf_str(&full)), 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
}

static struct forward_who who(void)
{
	return (struct forward_who){ STR("anna"), str_from(home), getuid(), STR("+-"), true, true };
}

/* "none", "later", or the items with blanks between; and what was told must have `told` in it. */
static void expect(enum forward_result r, const struct forward *f, const char *want, const char *told)
{
	scoped_buf struct buf got = { 0 };
	struct str s;
	size_t at = 0;

	if (r != FORWARD_FOUND)
		buf_add(&got, r == FORWARD_NONE ? STR("none") : STR("later"));
	else
		while (strs_next(&f->targets, &at, &s))
			buf_addf(&got, "%s%.*s", got.n ? " " : "", STR_ARG(s));
	ck_assert_str_eq(buf_cstr(&got), want);
	scoped_buf struct buf text = { 0 };
	buf_add(&text, buf_str(&f->told));
	ck_assert_msg(strstr(buf_cstr(&text), told) && (*told || text.n == 0), "told '%s'", buf_cstr(&text));
}

static const struct {
	const char *text;
	mode_t mode;
	const char *want, *told;
} files[] = {
	{ "ben", 0620, "none", "may be written by others" },
	{ "ben", 0602, "none", "may be written by others" },
	{ "", 0600, "none", "" },
	{ "# ben\n,\n", 0600, "none", "" },
	{ "\"|x", 0600, "none", "is no item" },
	{ "a b\n", 0600, "none", "'a b' is no address" },
	{ "\\|cat, \\/etc/x, ben\n", 0600, "ben", "is no address" },
	{ "a@b@c, ben\n", 0600, "ben", "'a@b@c' is no address" },
	{ ":include:@H/none, ben", 0600, "later", "No such file" },
	{ ":include:@H/open, ben", 0600, "later", "may be written by others" },
	{ ":include:@H", 0600, "later", "no regular file" },
	{ ":include:@H/commands", 0600, "carl", "'|x' is not allowed here" },
	{ ":include:@H/round, :include:@H/.forward, x", 0600, "x b", "" },

	{ "ben", 0644, "ben", "" },
	{ "anna", 0600, "\\", "" },
	{ "\\Anna, ben@x.test, \"|v anna\", @H/box\n", 0600, "\\ ben@x.test |v anna @H/box", "" },
	{ ":include:@H/list", 0600, "b@x.test c d", "" },
};

START_TEST(forward_files)
{
	scoped_forward struct forward f = { 0 };
	struct forward_who anna = who();
	scoped_buf struct buf want = { 0 };

	put("open", "x", 0666);
	put("commands", "|x, /f, carl", 0600);
	put("round", ":include:@H/round\nb", 0600);
	put("list", "# members\nb@x.test (B)\nC <c>, d", 0664);
	put(".forward", files[_i].text, files[_i].mode);
	for (const char *p = files[_i].want; *p; p++)
		if (p[0] == '@' && p[1] == 'H')
			buf_add(&want, str_from(home)), p++;
		else
			buf_addc(&want, *p);
	expect(forward_user(&anna, STR("anna@h.test"), &f), &f, buf_cstr(&want), files[_i].told);
}
END_TEST

START_TEST(not_allowed)
{
	scoped_forward struct forward f = { 0 };
	struct forward_who anna = who();

	anna.commands = anna.files = false;
	put(".forward", "|x, /f, ben", 0600);
	expect(forward_user(&anna, STR("anna@h.test"), &f), &f, "ben", "is not allowed here");
	ck_assert(forward_has(&f, STR("ben")) && !forward_has(&f, STR("|x")));
}
END_TEST

START_TEST(no_regular_file)
{
	struct forward_who anna = who();
	char path[128], other[128];

	snprintf(path, sizeof(path), "%s/.forward", home);
	snprintf(other, sizeof(other), "%s/other", home);
	for (int i = 0; i < 4; i++) {
		scoped_forward struct forward f = { 0 };
		put("other", "ben", 0600);
		if (i == 1)
			ck_assert_int_eq(symlink("other", path), 0);
		else if (i == 2)
			ck_assert_int_eq(mkfifo(path, 0600), 0);
		else if (i == 3)
			ck_assert_int_eq(mkdir(path, 0700), 0);
		expect(forward_user(&anna, STR("anna@h.test"), &f), &f, "none", i ? "is not used" : "");
		(void)!remove(path);
	}
}
END_TEST

START_TEST(unsafe_homes)
{
	struct forward_who anna = who();

	put(".forward", "ben", 0600);
	for (int i = 0; i < 4; i++) {
		scoped_forward struct forward f = { 0 };
		chmod(home, i == 0 ? 0720 : i == 1 ? 0702 : 0700);
		if (i == 2)
			anna.home = STR("/nowhere/anna");
		if (i == 3)
			anna.home = STR("relative");
		expect(forward_user(&anna, STR("anna@h.test"), &f), &f, "none",
		       i < 2 ? "may be written by others" : "");
	}
	chmod(home, 0700);
}
END_TEST

static const struct {
	const char *recipient, *want;
} extensions[] = {
	{ "anna@h.test", "all" },	   { "anna+@h.test", "all" },	   { "anna+none@h.test", "all" },
	{ "anna+../x@h.test", "all" },	   { "anna+a/b@h.test", "all" },   { "annalist@h.test", "all" },
	{ "\"anna+list\"@h.test", "all" }, { "anna+list@h.test", "list" }, { "Anna+list@h.test", "list" },
	{ "anna-list@h.test", "other" },
};

START_TEST(extension_files)
{
	scoped_forward struct forward f = { 0 };
	struct forward_who anna = who();

	put(".forward", "all", 0600);
	put(".forward+list", "list", 0600);
	put(".forward-list", "other", 0600);
	put("x", "bad", 0600);
	expect(forward_user(&anna, str_from(extensions[_i].recipient), &f), &f, extensions[_i].want, "");
}
END_TEST

START_TEST(limits)
{
	scoped_forward struct forward many = { 0 }, large = { 0 }, files_ = { 0 };
	scoped_buf struct buf text = { 0 };
	struct forward_who anna = who();
	char name[32];

	for (int i = 0; i < 2001; i++)
		buf_addf(&text, "u%d\n", i);
	put(".forward", buf_cstr(&text), 0600);
	expect(forward_user(&anna, STR("anna@h.test"), &many), &many, "later", "more than 2000 recipients");
	while (text.n < 66000)
		buf_add(&text, STR("# filled\n"));
	put(".forward", buf_cstr(&text), 0600);
	expect(forward_user(&anna, STR("anna@h.test"), &large), &large, "none", "larger than 64 KiB");
	buf_reset(&text);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		put(name, "x", 0600);
		buf_addf(&text, ":include:@H/l%d\n", i);
	}
	put(".forward", buf_cstr(&text), 0600);
	expect(forward_user(&anna, STR("anna@h.test"), &files_), &files_, "later", "more than 16 lists");
}
END_TEST

START_TEST(lists)
{
	scoped_forward struct forward f = { 0 }, none = { 0 }, empty = { 0 }, open = { 0 };
	scoped_buf struct buf path = { 0 };

	put("list", "anna\n|x\n\\ben", 0664);
	put("empty", "#", 0644);
	put("open", "x", 0666);
	buf_addf(&path, ":include:%s/list", home);
	expect(forward_list(buf_str(&path), &f), &f, "anna ben", "'|x' is not allowed here");
	buf_addc(&path, 'x');
	expect(forward_list(buf_str(&path), &none), &none, "later", "no such list");
	buf_reset(&path);
	buf_addf(&path, ":include:%s/empty", home);
	expect(forward_list(buf_str(&path), &empty), &empty, "later", "or it is empty");
	buf_reset(&path);
	buf_addf(&path, ":include:%s/open", home);
	expect(forward_list(buf_str(&path), &open), &open, "later", "may be written by others");
}
END_TEST

static const struct {
	const char *message;
	bool loop;
} heads[] = {
	{ "", false },
	{ "Subject: Delivered-To: anna@h.test\n\n", false },
	{ "\nDelivered-To: anna@h.test\n", false },
	{ "Delivered-To: ben@h.test\n\n", false },
	{ "X: y\nDelivered-To:  anna@h.test \n\n", true },
	{ "delivered-to: Anna@h.TEST\n", true },
};

START_TEST(loops)
{
	put("message", heads[_i].message, 0600);
	char path[128];
	snprintf(path, sizeof(path), "%s/message", home);
	scoped_fd int fd = open(path, O_RDONLY);
	ck_assert_int_eq(head_is_loop(fd, strlen(heads[_i].message), STR("anna@h.test")), heads[_i].loop);
}
END_TEST

START_TEST(from_lines)
{
	scoped_buf struct buf line = { 0 };

	setenv("TZ", "UTC0", 1);
	head_from_line(STR(""), 0, &line);
	head_from_line(STR("\"a b\"@x.test"), 1000000, &line);
	ck_assert_str_eq(buf_cstr(&line),
			 "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\nFrom \"a_b\"@x.test Thu Jan  1 00:00:01 1970\n");
}
END_TEST

TEST_MAIN("forward", {
	tcase_add_checked_fixture(tc, make_home, remove_home);
	tcase_add_loop_test(tc, forward_files, 0, COUNT(files));
	tcase_add_test(tc, not_allowed);
	tcase_add_test(tc, no_regular_file);
	tcase_add_test(tc, unsafe_homes);
	tcase_add_loop_test(tc, extension_files, 0, COUNT(extensions));
	tcase_add_test(tc, limits);
	tcase_add_test(tc, lists);
	tcase_add_loop_test(tc, loops, 0, COUNT(heads));
	tcase_add_test(tc, from_lines);
})
