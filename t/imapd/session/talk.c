/*
 * talk FILE... | --session HOME FD - conversations with a session on a mailbox of its own; each file has a fresh one. A file is lines:
 *
 *	set NAME VALUE      a parameter, before the first other line
 *	mail FOLDER NAME TEXT
 *	                    another program drops a message there: NAME in new/, or in cur/ when it holds ":2,". \n in the
 *	                    text ends a line; escapes as below. FOLDER is as lib/mbox has it
 *	flags FOLDER PATTERN LETTERS
 *	                    another program gives the files that match other flags, and puts them into cur/
 *	unlink FOLDER PATTERN
 *	                    another program removes files of new/ and cur/
 *	rmdir FOLDER        another program removes the folder
 *	wait MS
 *	N:                  before any of the following: session N speaks from now on; the first one is 1. The first line
 *	                    that it says or hears logs it in, with the tag "login"
 *	C: text             the client sends the line with CR LF; \r \n \t \0 \xNN \\ stand for octets
 *	C! text             the same without CR LF; @N*text is text N times
 *	S: pattern          the next line matches: * and ? are as in a shell, brackets are plain, escapes as above
 *	S* pattern          lines are passed over until one matches
 *	S~ pattern          the next lines match this and the S~ lines beside it, in any order
 *	S= NAME BEGINNING   lines are passed over until one begins so; the number behind that stands for %NAME% in C: lines
 *	S- END              the session ends, without a further word
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "imapd/session/session.h"
#include "io/fd.h"
#include "mail/text.h"

enum { WAIT_MS = 20000, CLIENTS_MAX = 10 };

struct client {
	int fd; /* -1: none */
	pid_t pid;
	struct buf in;
	bool closed;
};

struct talk {
	const char *file;
	size_t line;
	char home[64];
	struct arena arena;
	struct str given[64]; /* of imapsession_params */
	struct client clients[CLIENTS_MAX], *now;
	struct str any[64]; /* patterns of S~ that have not been met */
	size_t n_any;
	struct {
		struct str name, value;
	} kept[10];
	size_t n_kept;
};

static void remove_tree(const char *path)
{
	pid_t pid = path[0] ? fork() : -1;

	if (pid == 0) {
		execlp("rm", "rm", "-rf", path, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(struct talk *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "%s:%zu: ", t->file, t->line);
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	remove_tree(t->home);
	_exit(1);
}

static void unescape(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;
		if (c != '\\' || !next) {
			buf_addc(out, c);
			continue;
		}
		i++;
		if (next == 'x' && i + 2 < text.n) {
			buf_addc(out, (char)(ascii_hex(text.p[i + 1]) * 16 + ascii_hex(text.p[i + 2])));
			i += 2;
		} else {
			buf_addc(out, next == 'r' ? '\r' : next == 'n' ? '\n' : next == 't' ? '\t' : next == '0' ? '\0' : next);
		}
	}
}

static void fill_conf(struct talk *t, struct imapsession_conf *conf)
{
	struct err err = { 0 };
	struct str values[COUNT(t->given)];

	for (size_t i = 0; i < imapsession_params_n; i++)
		values[i] = t->given[i].p ? t->given[i] : str_from(imapsession_params[i].preset);
	if (!conf_fill(imapsession_params, imapsession_params_n, values, &t->arena, conf, &err))
		fail(t, "%s", err.text);
}

/* In the session's own process, as imapsession runs it. */
__attribute__((noreturn)) static void run_session(struct talk *t, int fd)
{
	struct imapsession_conf conf;
	int home = open(t->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fill_conf(t, &conf);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (t->clients[i].fd >= 0)
			close(t->clients[i].fd);
	struct timeval limit = { conf.imap_session_timeout / 1000, conf.imap_session_timeout % 1000 * 1000 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	struct session_start start = { .fd = fd, .parent = -1, .home = home, .tag = STR("login"), .conf = &conf };
	session_run(&start);
	close(fd);
	close(home);
	arena_free(&t->arena);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		buf_free(&t->clients[i].in);
	fflush(NULL);
	exit(0); /* not _exit: a sanitizer looks for leaks */
}

static void open_client(struct talk *t)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		fail(t, "socketpair: %s", strerror(errno));
	fflush(NULL);
	t->now->pid = fork();
	if (t->now->pid == 0) {
		close(pair[1]);
		run_session(t, pair[0]);
	}
	close(pair[0]);
	t->now->fd = pair[1];
	t->now->closed = false;
}

static void close_client(struct talk *t, struct client *c)
{
	int status = 0;

	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	waitpid(c->pid, &status, 0);
	if (status)
		fail(t, "a session has ended with %x", (unsigned)status);
	buf_free(&c->in);
}

static void read_some(struct talk *t, int64_t ms)
{
	struct pollfd p = { .fd = t->now->fd, .events = POLLIN };

	if (t->now->closed || poll(&p, 1, (int)ms) <= 0)
		return;
	buf_reserve(&t->now->in, 65536);
	ssize_t n = recv(t->now->fd, t->now->in.p + t->now->in.n, 65536, MSG_DONTWAIT);
	if (n > 0)
		t->now->in.n += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		t->now->closed = true;
}

/* %NAME% becomes what was kept. */
static struct str put_kept(struct talk *t, struct str text)
{
	for (size_t i = 0; i < t->n_kept; i++) {
		const char *name = arena_printf(&t->arena, "%%%.*s%%", STR_ARG(t->kept[i].name));
		const char *line = arena_str(&t->arena, text).p, *at = strstr(line, name);
		if (at)
			text = str_from(arena_printf(&t->arena, "%.*s%.*s%s", (int)(at - line), line,
						     STR_ARG(t->kept[i].value), at + strlen(name)));
	}
	return text;
}

static void say(struct talk *t, struct str text, bool end)
{
	struct buf once = { 0 }, out = { 0 };
	uint64_t times = 1;

	text = put_kept(t, text);
	if (!end && str_eat(&text, '@') && !str_u64(str_cut(&text, '*'), 100000000, &times))
		fail(t, "@N*text");
	unescape(text, &once);
	for (uint64_t i = 0; i < times; i++)
		buf_add(&out, buf_str(&once));
	if (end)
		buf_add(&out, STR("\r\n"));
	for (struct str rest = buf_str(&out); rest.n > 0;) {
		ssize_t n = send(t->now->fd, rest.p, rest.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			rest = str_skip(rest, (size_t)n);
		else if (errno == EAGAIN)
			read_some(t, 1);
		else
			break; /* closed meanwhile: the script looks at that */
	}
	buf_free(&once);
	buf_free(&out);
}

/* The next line of the session, in the arena. */
static struct str next_line(struct talk *t, struct str wanted)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct buf *in = &t->now->in;

	while (str_find(buf_str(in), '\n') < 0) {
		if (t->now->closed || clock_mono_ms() > until)
			fail(t, "the session %s, wanted: %.*s", t->now->closed ? "has ended" : "says nothing",
			     STR_ARG(wanted));
		read_some(t, 100);
	}
	struct str all = buf_str(in);
	struct str line = arena_str(&t->arena, str_cut(&all, '\n'));
	buf_consume(in, in->n - all.n);
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		fail(t, "a line without CR: %.*s", STR_ARG(line));
	line.n--;
	return arena_str(&t->arena, line);
}

/* Shell patterns, but that brackets are plain: IMAP is full of them. */
static bool matches(struct talk *t, struct str line, struct str pattern)
{
	struct buf octets = { 0 }, plain = { 0 };

	unescape(pattern, &octets);
	for (size_t i = 0; i < octets.n; i++) {
		if (octets.p[i] == '[' || octets.p[i] == ']' || octets.p[i] == '\\')
			buf_addc(&plain, '\\');
		buf_addc(&plain, octets.p[i]);
	}
	bool yes = fnmatch(buf_cstr(&plain), arena_str(&t->arena, line).p, 0) == 0;
	buf_free(&octets);
	buf_free(&plain);
	return yes;
}

static void expect(struct talk *t, struct str pattern)
{
	struct str line = next_line(t, pattern);

	if (!matches(t, line, pattern))
		fail(t, "the session says '%.*s', wanted '%.*s'", STR_ARG(line), STR_ARG(pattern));
}

static void expect_later(struct talk *t, struct str pattern)
{
	while (!matches(t, next_line(t, pattern), pattern))
		;
}

static void keep_number(struct talk *t, struct str name, struct str beginning)
{
	struct str line;

	do
		line = next_line(t, beginning);
	while (!str_starts(line, beginning));
	line = str_skip(line, beginning.n);
	size_t n = 0;
	while (n < line.n && ascii_digit(line.p[n]))
		n++;
	t->kept[t->n_kept].name = arena_str(&t->arena, name);
	t->kept[t->n_kept++].value = str_head(line, n);
}

static void meet_any(struct talk *t)
{
	while (t->n_any > 0) {
		struct str line = next_line(t, t->any[0]);
		size_t i = 0;
		while (i < t->n_any && !matches(t, line, t->any[i]))
			i++;
		if (i == t->n_any)
			fail(t, "the session says '%.*s', which none of the lines before wants", STR_ARG(line));
		t->any[i] = t->any[--t->n_any];
	}
}

static const char *word(struct talk *t, struct str s)
{
	return arena_str(&t->arena, s).p;
}

static void set(struct talk *t, struct str name, struct str value)
{
	for (size_t i = 0; i < imapsession_params_n; i++)
		if (str_eq(name, str_from(imapsession_params[i].name))) {
			t->given[i] = arena_str(&t->arena, value);
			return;
		}
	fail(t, "no parameter %.*s", STR_ARG(name));
}

static const char *folder_path(struct talk *t, struct str folder)
{
	bool inbox = str_eq(folder, STR("INBOX"));

	return arena_printf(&t->arena, "%s/%s%s", t->home, inbox ? "" : ".", inbox ? "" : word(t, folder));
}

static void drop_mail(struct talk *t, struct str folder, struct str name, struct str text)
{
	struct buf octets = { 0 };
	const char *in = strstr(word(t, name), ":2,") ? "cur" : "new";
	const char *path = arena_printf(&t->arena, "%s/%s/%s", folder_path(t, folder), in, word(t, name));
	scoped_fd int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	unescape(text, &octets);
	if (fd < 0 || fd_write_all(fd, buf_str(&octets)) < 0)
		fail(t, "%s: %s", path, strerror(errno));
	buf_free(&octets);
}

static void for_files(struct talk *t, struct str folder, struct str pattern, const char *new_name)
{
	static const char *const folders[] = { "new", "cur" };
	size_t found = 0;

	for (size_t i = 0; i < COUNT(folders); i++) {
		const char *path = arena_printf(&t->arena, "%s/%s", folder_path(t, folder), folders[i]);
		DIR *d = opendir(path);
		if (!d)
			fail(t, "%s: %s", path, strerror(errno));
		for (struct dirent *e; (e = readdir(d));) {
			if (e->d_name[0] == '.' || fnmatch(word(t, pattern), e->d_name, 0) != 0)
				continue;
			const char *base = arena_printf(&t->arena, "%.*s", (int)strcspn(e->d_name, ":"), e->d_name);
			const char *to = arena_printf(&t->arena, "%s/cur/%s:2,%s", folder_path(t, folder), base,
						      new_name ? new_name : "");
			const char *from = arena_printf(&t->arena, "%s/%s", path, e->d_name);
			found++;
			if (new_name ? rename(from, to) : unlink(from))
				fail(t, "%s: %s", from, strerror(errno));
		}
		closedir(d);
	}
	if (!found)
		fail(t, "no file is like %.*s", STR_ARG(pattern));
}

static void expect_end(struct talk *t)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!t->now->closed && clock_mono_ms() < until)
		read_some(t, 100);
	if (!t->now->closed || t->now->in.n > 0)
		fail(t, "the session goes on, or there is more: '%.*s'", STR_ARG(buf_str(&t->now->in)));
	close_client(t, t->now);
}

static void step(struct talk *t, struct str line)
{
	struct str whole = line, verb = str_cut(&line, ' ');
	uint64_t number;

	if (!str_eq(verb, STR("S~")))
		meet_any(t);
	if (verb.n == 2 && verb.p[1] == ':' && str_u64(str_head(verb, 1), 9, &number)) {
		t->now = &t->clients[number];
		whole = line;
		verb = str_cut(&line, ' ');
	}
	if (str_eq(verb, STR("set"))) {
		struct str name = str_cut(&line, ' ');
		set(t, name, line);
	} else if (str_eq(verb, STR("mail"))) {
		struct str folder = str_cut(&line, ' '), name = str_cut(&line, ' ');
		drop_mail(t, folder, name, line);
	} else if (str_eq(verb, STR("flags"))) {
		struct str folder = str_cut(&line, ' '), pattern = str_cut(&line, ' ');
		for_files(t, folder, pattern, word(t, line));
	} else if (str_eq(verb, STR("unlink"))) {
		struct str folder = str_cut(&line, ' ');
		for_files(t, folder, line, NULL);
	} else if (str_eq(verb, STR("rmdir"))) {
		remove_tree(folder_path(t, line));
	} else if (str_eq(verb, STR("wait"))) {
		usleep((useconds_t)atoi(word(t, line)) * 1000);
	} else {
		if (t->now->fd < 0)
			open_client(t);
		if (str_eq(verb, STR("C:")))
			say(t, line, true);
		else if (str_eq(verb, STR("C!")))
			say(t, line, false);
		else if (str_eq(verb, STR("S:")))
			expect(t, line);
		else if (str_eq(verb, STR("S*")))
			expect_later(t, line);
		else if (str_eq(verb, STR("S~")))
			t->any[t->n_any++] = arena_str(&t->arena, line);
		else if (str_eq(verb, STR("S="))) {
			struct str name = str_cut(&line, ' ');
			keep_number(t, name, line);
		} else if (str_eq(whole, STR("S- END")))
			expect_end(t);
		else
			fail(t, "not understood: %.*s", STR_ARG(whole));
	}
}

static void make_home(struct talk *t)
{
	snprintf(t->home, sizeof(t->home), "%s/imap-talk.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(t->home))
		fail(t, "%s: %s", t->home, strerror(errno));
	static const char *const folders[] = { "new", "cur", "tmp" };
	for (size_t i = 0; i < COUNT(folders); i++)
		mkdir(arena_printf(&t->arena, "%s/%s", t->home, folders[i]), 0700);
}

/* The whole script at once: a descriptor that is shared with the sessions would be read further by nobody knows whom. */
static void read_script(struct talk *t, struct buf *out)
{
	scoped_fd int fd = open(t->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fd_read_rest(fd, out) < 0)
		fail(t, "%s", strerror(errno));
}

static void run_file(const char *file)
{
	struct talk t = { .file = file };
	struct buf script = { 0 };

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		t.clients[i].fd = -1;
	t.now = &t.clients[1];
	read_script(&t, &script);
	make_home(&t);
	for (struct str rest = buf_str(&script); rest.n > 0;) {
		struct str line = arena_str(&t.arena, str_cut(&rest, '\n'));
		t.line++;
		if (line.n > 0 && line.p[0] != '#')
			step(&t, line);
	}
	meet_any(&t);
	buf_free(&script);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		close_client(&t, &t.clients[i]);
	remove_tree(t.home);
	arena_free(&t.arena);
}

/* For agree.py: one session, on a descriptor that it has from there. */
__attribute__((noreturn)) static void run_one(const char *home, const char *fd)
{
	struct talk t = { .file = "session" };

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		t.clients[i].fd = -1;
	snprintf(t.home, sizeof(t.home), "%s", home);
	run_session(&t, atoi(fd));
}

int main(int argc, char **argv)
{
	text_preload();
	if (argc == 4 && !strcmp(argv[1], "--session"))
		run_one(argv[2], argv[3]);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	printf("%d conversations\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
