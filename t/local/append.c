/* Appending: files that are no mailboxes, locks of others, failures half way, and how the text must look. */
#include "local/append.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fd.h"
#include "unit.h"

static char folder[64], path[80], lock[96];

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/tayori-append-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/box", folder);
	snprintf(lock, sizeof(lock), "%s.lock", path);
}

static void remove_folder(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, struct str text, mode_t mode)
{
	scoped_fd int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	ck_assert_int_eq(fd_write_all(fd, text), 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
}

static struct local_conf conf(void)
{
	return (struct local_conf){ .mailbox_delivery_lock = STR("fcntl, dotlock"),
				    .deliver_lock_attempts = 1,
				    .deliver_lock_delay = 1,
				    .stale_lock_time = 500 * 1000 };
}

/* The result's letter: d or 4; text in `text`. */
static char append_as(struct str message, const struct local_conf *c, struct buf *text)
{
	char name[96];
	struct delivered d;

	snprintf(name, sizeof(name), "%s/message", folder);
	put(name, message, 0600);
	scoped_fd int fd = open(name, O_RDONLY);
	struct deliver m = { .sender = STR("a@x.test"),
			     .recipient = STR("l@h.test"),
			     .target = str_from(path),
			     .size = message.n,
			     .content = fd };
	append_message(&m, c, text, &d);
	buf_cstr(text);
	return d.result == DELIVERY_DONE ? 'd' : d.result == DELIVERY_DEFERRED ? '4' : '?';
}

static void read_box(struct buf *out)
{
	scoped_fd int fd = open(path, O_RDONLY);

	ck_assert_int_eq(fd_read_rest(fd, out), 0);
}

/* Without the From_ lines' dates. */
static void expect_box(const char *want)
{
	scoped_buf struct buf got = { 0 }, plain = { 0 };
	struct str rest, line;

	read_box(&got);
	for (rest = buf_str(&got); rest.n > 0;) {
		line = str_cut(&rest, '\n');
		if (str_starts(line, STR("From a@x.test ")))
			line = STR("From a@x.test");
		buf_addf(&plain, "%.*s\n", STR_ARG(line));
	}
	ck_assert_str_eq(buf_cstr(&plain), want);
}

#define HEAD "From a@x.test\nReturn-Path: <a@x.test>\nDelivered-To: l@h.test\n"

static const struct {
	const char *message, *want;
} texts[] = {
	{ "", HEAD "\n" },
	{ "S: x\n\nb\n", HEAD "S: x\n\nb\n\n" },
	{ "S: x\n\nno end", HEAD "S: x\n\nno end\n\n" },
	{ "From x\n\nFrom y\nFromz\n From w\n>From v\nFro",
	  HEAD ">From x\n\n>From y\nFromz\n From w\n>From v\nFro\n\n" },
	{ "a\nFrom ", HEAD "a\n>From \n\n" },
	{ "a\nFrom", HEAD "a\nFrom\n\n" },
};

START_TEST(quoting)
{
	scoped_buf struct buf text = { 0 };
	struct local_conf c = conf();

	ck_assert_int_eq(append_as(str_from(texts[_i].message), &c, &text), 'd');
	expect_box(texts[_i].want);
	ck_assert_int_ne(access(lock, F_OK), 0);
}
END_TEST

/* A line's beginning lies on both sides of every buffer's end. */
START_TEST(chunks)
{
	scoped_buf struct buf message = { 0 }, got = { 0 }, text = { 0 };
	struct local_conf c = conf();
	size_t quoted = 0;

	while (message.n < 200000)
		buf_add(&message, STR("From x\n"));
	ck_assert_int_eq(append_as(buf_str(&message), &c, &text), 'd');
	read_box(&got);
	for (struct str rest = buf_str(&got); rest.n > 0;)
		quoted += str_eq(str_cut(&rest, '\n'), STR(">From x"));
	ck_assert_uint_eq(quoted, message.n / 7);
}
END_TEST

START_TEST(appended)
{
	scoped_buf struct buf text = { 0 };
	struct local_conf c = conf();

	put(path, STR("From b\n\nhalf"), 0600);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), 'd');
	expect_box("From b\n\nhalf\n\n" HEAD "x\n\n");
}
END_TEST

START_TEST(no_mailboxes)
{
	scoped_buf struct buf text = { 0 };
	struct local_conf c = conf();
	char other[96];

	snprintf(other, sizeof(other), "%s/other", folder);
	put(other, STR("old\n"), 0600);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(link(other, path), 0);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
	ck_assert(strstr(text.p, "more than one name"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
	ck_assert_int_eq(unlink(path), 0);
	static const mode_t modes[] = { 0700, 0610, 0601, 04600, 02600 };
	for (size_t i = 0; i < COUNT(modes); i++) {
		put(path, STR("old\n"), modes[i]);
		ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
		ck_assert(strstr(text.p, "is a program"));
		expect_box("old\n");
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert_int_ne(access(lock, F_OK), 0);
	snprintf(path, sizeof(path), "/dev/null");
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), 'd');
}
END_TEST

/* A child that holds the lock until it is told to go. */
static pid_t hold(int *go, bool dotlock)
{
	int fds[2], ready[2];
	char c = 0;

	ck_assert(pipe(fds) == 0 && pipe(ready) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct flock whole = { .l_type = F_WRLCK };
		int fd = open(dotlock ? lock : path, O_RDWR | O_CREAT, 0600);
		close(fds[1]);
		if (!dotlock)
			fcntl(fd, F_SETLK, &whole);
		(void)!write(ready[1], &c, 1);
		(void)!read(fds[0], &c, 1);
		_exit(0);
	}
	close(fds[0]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	*go = fds[1];
	return pid;
}

START_TEST(locks_of_others)
{
	scoped_buf struct buf text = { 0 };
	struct local_conf c = conf();
	int go;

	put(path, STR(""), 0600);
	pid_t pid = hold(&go, false);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
	ck_assert(strstr(text.p, "another program holds"));
	ck_assert_int_ne(access(lock, F_OK), 0);
	close(go);
	waitpid(pid, NULL, 0);
	pid = hold(&go, true);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
	ck_assert(strstr(text.p, "box.lock is there"));
	ck_assert_int_eq(access(lock, F_OK), 0);
	close(go);
	waitpid(pid, NULL, 0);
	/* nobody knows whether a foreign one is still meant, until it is old */
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), '4');
	c.stale_lock_time = -1;
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), 'd');
	/* but ours, left behind by who was killed */
	c = conf();
	put(lock, STR("tayori\n"), 0600);
	ck_assert_int_eq(append_as(STR("x\n"), &c, &text), 'd');
	ck_assert_int_ne(access(lock, F_OK), 0);
}
END_TEST

START_TEST(full)
{
	scoped_buf struct buf text = { 0 }, large = { 0 };
	struct rlimit limit = { 4096, 4096 };
	struct local_conf c = conf();

	while (large.n < 8192)
		buf_add(&large, STR("line\n"));
	put(path, STR("old\n"), 0600);
	char name[96];
	snprintf(name, sizeof(name), "%s/message", folder);
	put(name, buf_str(&large), 0600);
	signal(SIGXFSZ, SIG_IGN);
	scoped_fd int fd = open(name, O_RDONLY);
	struct deliver m = { .sender = STR("a@x.test"),
			     .recipient = STR("l@h.test"),
			     .target = str_from(path),
			     .size = large.n,
			     .content = fd };
	struct delivered d;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	append_message(&m, &c, &text, &d);
	ck_assert_int_eq(d.result, DELIVERY_DEFERRED);
	ck_assert_str_is(d.status, STR("4.2.2"));
	expect_box("old\n");
}
END_TEST

TEST_MAIN("append", {
	tcase_add_checked_fixture(tc, make_folder, remove_folder);
	tcase_add_loop_test(tc, quoting, 0, COUNT(texts));
	tcase_add_test(tc, chunks);
	tcase_add_test(tc, appended);
	tcase_add_test(tc, no_mailboxes);
	tcase_add_test(tc, locks_of_others);
	tcase_add_test(tc, full);
})
