#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agents/logd/file.h"
#include "base/time.h"
#include "harness/harness.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "log/log.h"

struct scene {
	struct harness h;
	struct arena arena;
	const char *folder;
	int client;
};

/* A logd that writes to FOLDER/log, and a client that is tayori/smtpd[4711]. */
static void open_scene(struct scene *t)
{
	*t = (struct scene){ 0 };
	t->folder = harness_mkdir(&t->arena);
	harness_begin(&t->h, "logd");
	harness_set(&t->h, "maillog_file", arena_printf(&t->arena, "%s/log", t->folder));
	harness_set(&t->h, "myhostname", "mx.example.org");
	t->client = harness_client(&t->h, "smtpd", "smtp", 0);
}

static void close_scene(struct scene *t)
{
	ck_assert_int_eq(harness_end(&t->h), 0);
	harness_rmdir(t->folder);
	fd_close(&t->client);
	arena_free(&t->arena);
}

static void say(int client, const char *text, uint32_t dropped)
{
	struct log_line line = { .severity = LOG_NOTICE, .dropped = dropped, .text = str_from(text) };

	ck_assert_int_eq(frame_send(client, &log_line_schema, false, 0, &line), 0);
}

static bool read_file(const struct scene *t, const char *name, struct buf *text)
{
	scoped_fd int dir = open(t->folder, O_RDONLY | O_DIRECTORY);
	scoped_fd int fd = openat(dir, name, O_RDONLY);

	buf_reset(text);
	return fd >= 0 && fd_read_rest(fd, text) == 0;
}

/* Waits until the file holds the text. */
static bool wrote(const struct scene *t, const char *name, const char *text)
{
	int64_t until = clock_mono_ms() + HARNESS_PATIENCE_MS;
	scoped_buf struct buf all = { 0 };

	while (clock_mono_ms() < until) {
		if (read_file(t, name, &all) && strstr(buf_cstr(&all), text))
			return true;
		usleep(5000);
	}
	return false;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* ---- the file by itself ---- */

START_TEST(full_disk)
{
	struct log_file f = { .fd = open("/dev/full", O_WRONLY) };

	ck_assert_uint_eq(log_file_write(&f, STR("a\nb\n"), 0), 0);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert(!f.torn);
	fd_close(&f.fd);
}
END_TEST

/* A line that was written in part is ended before the next one. */
START_TEST(torn_line)
{
	scoped_buf struct buf much = { 0 };
	char waste[1 << 16];
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	struct log_file f = { .fd = fds[1] };
	for (int i = 0; i < 10; i++)
		buf_addf(&much, "%0999d\n", i);
	ck_assert_uint_eq(log_file_write(&f, buf_str(&much), 0), 4);
	ck_assert(errno == EAGAIN && f.torn);
	ck_assert_uint_eq(log_file_write(&f, STR("c\n"), 0), 0);
	ck_assert_int_eq(read(fds[0], waste, sizeof(waste)), 4096);
	ck_assert_uint_eq(log_file_write(&f, STR("c\nd\n"), 0), 2);
	ck_assert_int_eq(read(fds[0], waste, sizeof(waste)), 5);
	ck_assert_str_is(str_of(waste, 5), STR("\nc\nd\n"));
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* ---- the daemon ---- */

static const struct {
	const char *file, *said;
} unusable[] = {
	{ "/none/such/folder/log", "its folder does not exist: create it" },
	{ "FOLDER/sub", "cannot be opened" },
	{ "FOLDER/link", "cannot be opened" },
	{ "FOLDER/fifo", "cannot be opened" },
};

START_TEST(unusable_file)
{
	struct scene t;

	open_scene(&t);
	ck_assert_int_eq(mkdir(arena_printf(&t.arena, "%s/sub", t.folder), 0700), 0);
	ck_assert_int_eq(mkfifo(arena_printf(&t.arena, "%s/fifo", t.folder), 0700), 0);
	ck_assert_int_eq(symlink("/tmp/elsewhere", arena_printf(&t.arena, "%s/link", t.folder)), 0);
	const char *rest = strchr(unusable[_i].file + 1, '/');
	harness_set(&t.h, "maillog_file",
		    unusable[_i].file[0] == 'F' ? arena_printf(&t.arena, "%s%s", t.folder, rest) : unusable[_i].file);
	ck_assert(!harness_run(&t.h));
	ck_assert_msg(harness_logged(&t.h, unusable[_i].said, 0), "%s", buf_cstr(&t.h.log));
	ck_assert_int_eq(harness_end(&t.h), 1);
	harness_rmdir(t.folder);
	fd_close(&t.client);
	arena_free(&t.arena);
}
END_TEST

START_TEST(lines)
{
	scoped_buf struct buf all = { 0 };
	struct stat st;
	struct scene t;

	open_scene(&t);
	int other = harness_client(&t.h, "smtpd", "submission", 0);
	ck_assert(harness_run(&t.h));
	say(t.client, "connect from unknown[192.0.2.1]", 0);
	say(t.client, "two\nlines", 17);
	ck_assert(wrote(&t, "log", "two?lines"));
	say(other, "hello", 0);
	ck_assert(wrote(&t, "log", " mx tayori/submission/smtpd[4711]: hello\n"));
	ck_assert(read_file(&t, "log", &all));
	ck_assert(strstr(buf_cstr(&all), " mx tayori/smtpd[4711]: connect from unknown[192.0.2.1]\n"));
	ck_assert(
		strstr(buf_cstr(&all), " mx tayori/smtpd[4711]: warning: 17 lines were lost: logd did not keep up\n"));
	ck_assert_uint_eq(count(buf_cstr(&all), "\n"), 4);
	ck_assert(stat(arena_printf(&t.arena, "%s/log", t.folder), &st) == 0 && (st.st_mode & 0777) == 0640);
	close(other);
	close_scene(&t);
}
END_TEST

/* A daemon that logd does not know would keep it from starting. */
START_TEST(everybody_may_log)
{
	int clients[64];
	struct scene t;

	open_scene(&t);
	for (size_t i = 0; i < house_daemons_n; i++)
		clients[i] = strcmp(house_daemons[i].name, "logd") != 0
				     ? harness_client(&t.h, house_daemons[i].name, "x", 0)
				     : -1;
	int master = harness_client(&t.h, "master", "master", 0);
	ck_assert_msg(harness_run(&t.h), "%s", buf_cstr(&t.h.log));
	say(master, "started", 0);
	ck_assert(wrote(&t, "log", "tayori/master[4711]: started"));
	for (size_t i = 0; i < house_daemons_n; i++)
		fd_close(&clients[i]);
	close(master);
	close_scene(&t);
}
END_TEST

START_TEST(hostile_client)
{
	struct scene t;
	char c;

	open_scene(&t);
	int bad = harness_client(&t.h, "pop3d", "pop3", 0);
	ck_assert(harness_run(&t.h));
	ck_assert_int_eq(send(bad, "garbage!!!", 10, 0), 10);
	ck_assert_int_eq(read(bad, &c, 1), 0);
	say(t.client, "still here", 0);
	ck_assert(wrote(&t, "log", "still here"));
	close(bad);
	close_scene(&t);
}
END_TEST

START_TEST(rotation)
{
	char text[1000];
	struct stat st;
	struct scene t;

	open_scene(&t);
	harness_set(&t.h, "maillog_size_limit", "64K");
	harness_set(&t.h, "maillog_file_count", "2");
	ck_assert(harness_run(&t.h));
	for (int i = 0; i < 400; i++) {
		snprintf(text, sizeof(text), "%0900d", i);
		say(t.client, text, 0);
		if (i % 40 == 39) {
			/* otherwise a slow logd may take all in a few large writes */
			ck_assert(wrote(&t, "log", text));
		}
	}
	say(t.client, "the end", 0);
	ck_assert(wrote(&t, "log", "the end"));
	for (int i = 1; i <= 3; i++) {
		bool there = stat(arena_printf(&t.arena, "%s/log.%d", t.folder, i), &st) == 0;
		ck_assert_int_eq(there, i <= 2);
		ck_assert(!there || (st.st_size >= 64 << 10 && st.st_size < 256 << 10));
	}
	close_scene(&t);
}
END_TEST

/* Somebody else's logrotate, without any signal. */
START_TEST(moved_away)
{
	struct scene t;

	open_scene(&t);
	ck_assert(harness_run(&t.h));
	say(t.client, "first", 0);
	ck_assert(wrote(&t, "log", "first"));
	const char *from = arena_printf(&t.arena, "%s/log", t.folder);
	ck_assert_int_eq(_i ? unlink(from) : rename(from, arena_printf(&t.arena, "%s/moved", t.folder)), 0);
	harness_shift(&t.h, 1100);
	say(t.client, "second", 0);
	ck_assert(wrote(&t, "log", "second"));
	ck_assert(_i || wrote(&t, "moved", "first"));
	close_scene(&t);
}
END_TEST

/* The lines of one round share a write; none may be lost by it, and the last ones not by the end. */
START_TEST(many_lines)
{
	scoped_buf struct buf all = { 0 };
	char text[100];
	struct scene t;

	open_scene(&t);
	ck_assert(harness_run(&t.h));
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "line %d.", i);
		say(t.client, text, 0);
	}
	ck_assert_int_eq(harness_end(&t.h), 0);
	ck_assert(read_file(&t, "log", &all));
	ck_assert_uint_eq(count(buf_cstr(&all), "\n"), 5000);
	ck_assert(strstr(buf_cstr(&all), "line 4999.\n"));
	harness_rmdir(t.folder);
	fd_close(&t.client);
	arena_free(&t.arena);
}
END_TEST

START_TEST(settings_change)
{
	struct scene t;

	open_scene(&t);
	ck_assert(harness_run(&t.h));
	harness_set(&t.h, "syslog_name", "post");
	harness_set(&t.h, "maillog_file", "/dev/stdout");
	ck_assert(harness_reload(&t.h));
	say(t.client, "x", 0);
	ck_assert(wrote(&t, "log", "post/smtpd[4711]: x"));
	ck_assert(wrote(&t, "log", "warning: maillog_file has changed"));
	close_scene(&t);
}
END_TEST

/* Adds what can be read within `ms` at most, or until `text` has come. */
static bool read_until(int fd, const char *text, int64_t ms, struct buf *all)
{
	int64_t until = clock_mono_ms() + ms;
	char got[4096];

	while (!strstr(buf_cstr(all), text) && clock_mono_ms() < until) {
		ssize_t n = read(fd, got, sizeof(got));
		if (n > 0)
			buf_add(all, str_of(got, (size_t)n));
		else
			usleep(5000);
	}
	return strstr(buf_cstr(all), text) != NULL;
}

/* Standard output that takes nothing for a while: lines are dropped, and told when there is room again. */
START_TEST(standard_output)
{
	scoped_buf struct buf all = { 0 };
	char text[1001];
	int fds[2], saved = dup(STDOUT_FILENO);
	struct scene t;

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	fflush(stdout);
	dup2(fds[1], STDOUT_FILENO);
	open_scene(&t);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	harness_set(&t.h, "maillog_file", "/dev/stdout");
	ck_assert(harness_run(&t.h));
	snprintf(text, sizeof(text), "%01000d", 0);
	bool told = false;
	for (int round = 0; round < 60 && !told; round++) { /* a slow logd loses nothing in one round, and more in the next */
		for (int i = 0; i < 10; i++)
			say(t.client, text, 0);
		usleep(100000);
		for (int i = 0; i < 2; i++) { /* the first one may be lost too */
			say(t.client, "after", 0);
			read_until(fds[0], ": after\n", 500, &all);
		}
		told = strstr(buf_cstr(&all), "lines were lost: Resource temporarily unavailable\n") != NULL;
	}
	ck_assert_msg(told, "%s", buf_cstr(&all));
	ck_assert(strstr(buf_cstr(&all), ": after\n") != NULL);
	close(fds[0]);
	close(fds[1]);
	close_scene(&t);
}
END_TEST

/* /dev/log of our own, in a name space of mounts. -1: only root may. */
static int own_dev_log(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/dev", "tmpfs", 0, NULL) < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

START_TEST(to_syslog)
{
	char got[3000];
	struct scene t;
	int syslog = own_dev_log();

	if (syslog < 0)
		return;
	open_scene(&t);
	harness_set(&t.h, "maillog_file", "");
	ck_assert(harness_run(&t.h));
	say(t.client, "hello", 3);
	ssize_t n = recv(syslog, got, sizeof(got) - 1, 0);
	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	ck_assert_msg(strncmp(got, "<20>", 4) == 0 && strstr(got, "warning: 3 lines were lost"), "%s", got);
	n = recv(syslog, got, sizeof(got) - 1, 0);
	got[n > 0 ? n : 0] = '\0';
	ck_assert_msg(strncmp(got, "<22>", 4) == 0 && strstr(got, " tayori/smtpd[4711]: hello"), "%s", got);
	/* syslogd ends: so does logd, to be started with a new one */
	close(syslog);
	say(t.client, "into the void", 0);
	ck_assert(harness_logged(&t.h, "syslog is gone", HARNESS_PATIENCE_MS));
	ck_assert_int_eq(harness_end(&t.h), 1);
	harness_rmdir(t.folder);
	fd_close(&t.client);
	arena_free(&t.arena);
}
END_TEST

TEST_MAIN("logd", tcase_add_test(tc, full_disk); tcase_add_test(tc, torn_line);
	  tcase_add_loop_test(tc, unusable_file, 0, COUNT(unusable)); tcase_add_test(tc, lines);
	  tcase_add_test(tc, everybody_may_log); tcase_add_test(tc, hostile_client); tcase_add_test(tc, rotation);
	  tcase_add_loop_test(tc, moved_away, 0, 2); tcase_add_test(tc, many_lines);
	  tcase_add_test(tc, settings_change); tcase_add_test(tc, standard_output); tcase_add_test(tc, to_syslog))
