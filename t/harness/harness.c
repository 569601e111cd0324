#include "harness/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/time.h"
#include "conf/file.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

enum { CONTROL_FD = 3, READY_MS = 60000, PEER_PID = 4711, DRAIN_MS = 10000, END_MS = 30000 };

static void must(bool ok, const char *what)
{
	if (!ok)
		panic("harness: %s: %s", what, strerror(errno));
}

static size_t n_params(const struct harness *h)
{
	return *h->daemon->n_params;
}

/* ---- the process ---- */

__attribute__((noreturn)) static void become(const char *daemon, int control)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", HARNESS_LIBEXEC, daemon);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A daemon that ends does not tidy up what the kernel takes back anyway. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
	must(control == CONTROL_FD ? fcntl(control, F_SETFD, 0) == 0 : dup2(control, CONTROL_FD) == CONTROL_FD, "dup2");
	execl(path, daemon, daemon, (char *)NULL);
	must(false, path);
	abort();
}

static void tell(struct harness *h, const struct ipc_schema *schema, const void *message)
{
	must(frame_send(h->control, schema, false, 0, message) == 0, schema->name);
}

/* One end of a new channel goes to the daemon, the other is returned. */
static int tell_peer(struct harness *h, struct peer peer)
{
	int fds[2];

	must(channel_pair(fds) == 0, "socketpair");
	peer.pid = PEER_PID;
	peer.channel = fds[1];
	tell(h, &peer_schema, &peer);
	close(fds[1]);
	return fds[0];
}

void harness_begin(struct harness *h, const char *daemon)
{
	int fds[2];

	*h = (struct harness){ .daemon = house_find(str_from(daemon)) };
	must(h->daemon && channel_pair(fds) == 0, daemon);
	h->given = arena_alloc(&h->arena, (n_params(h) + 1) * sizeof(struct str));
	h->pid = fork();
	must(h->pid >= 0, "fork");
	if (h->pid == 0)
		become(daemon, fds[1]);
	close(fds[1]);
	h->control = fds[0];
	h->log_fd = tell_peer(h, (struct peer){ .daemon = STR("logd"), .service = STR("logd"), .server = true });
}

/* ---- settings ---- */

void harness_set(struct harness *h, const char *name, const char *value)
{
	for (size_t i = 0; i < n_params(h); i++)
		if (strcmp(h->daemon->params[i].name, name) == 0) {
			h->given[i] = arena_str(&h->arena, str_from(value));
			return;
		}
	panic("harness: %s has no parameter %s", h->daemon->name, name);
}

static bool find_value(void *arg, struct str name, struct str *value)
{
	const struct harness *h = arg;
	const struct conf_param *p = house_param(name);

	*value = str_from(p ? p->preset : NULL);
	for (size_t i = 0; i < n_params(h); i++)
		if (str_eq(name, str_from(h->daemon->params[i].name)) && h->given[i].p)
			*value = h->given[i];
	return p != NULL;
}

static struct str effective(struct harness *h, size_t i)
{
	scoped_buf struct buf text = { 0 };
	struct err err = { 0 };
	struct str raw;

	find_value(h, str_from(h->daemon->params[i].name), &raw);
	if (!conf_expand(raw, find_value, h, &text, &err))
		panic("harness: %s: %s", h->daemon->params[i].name, err.text);
	return arena_str(&h->arena, buf_str(&text));
}

static void tell_settings(struct harness *h)
{
	scoped_buf struct buf names = { 0 }, values = { 0 };
	struct settings s = { 0 };

	for (size_t i = 0; i < n_params(h); i++) {
		strs_add(&names, &s.names, str_from(h->daemon->params[i].name));
		strs_add(&values, &s.values, effective(h, i));
	}
	tell(h, &settings_schema, &s);
}

static void tell_folder(struct harness *h, struct str path)
{
	const char *name = arena_str(&h->arena, path).p;
	scoped_fd int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct folder f = { .path = path, .write = h->daemon->writes, .folder = fd };

	/* One that a test has no use for need not exist. */
	if (fd >= 0)
		tell(h, &folder_schema, &f);
}

/* The folders of every path that stands in a value: "/a/b", or "type:/a/b" of a table. */
static void tell_folders(struct harness *h, const struct conf_param *p, struct str value)
{
	struct str item;

	if (p->type == CONF_folder && value.n > 0)
		tell_folder(h, value);
	if (p->type != CONF_file && p->type != CONF_tables)
		return;
	while (conf_list_next(&value, &item)) {
		ptrdiff_t first = str_find(item, '/'), last = str_rfind(item, '/');
		if (first >= 0)
			tell_folder(h, last == first ? STR("/")
						     : str_head(str_skip(item, (size_t)first), (size_t)(last - first)));
	}
}

/* ---- peers and listeners ---- */

int harness_client(struct harness *h, const char *daemon, const char *service, uint32_t authority)
{
	return tell_peer(
		h, (struct peer){ .daemon = str_from(daemon), .service = str_from(service), .authority = authority });
}

int harness_server(struct harness *h, const char *daemon)
{
	return tell_peer(h, (struct peer){ .daemon = str_from(daemon), .service = str_from(daemon), .server = true });
}

uint16_t harness_listen(struct harness *h, const char *name)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	scoped_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(at);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&at, n) == 0 && listen(fd, 128) == 0 &&
		     getsockname(fd, (struct sockaddr *)&at, &n) == 0,
	     "listen");
	struct listener l = { .name = str_from(name), .socket = fd };
	tell(h, &listener_schema, &l);
	return ntohs(at.sin_port);
}

int harness_connect(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "connect");
	return fd;
}

/* ---- running ---- */

static void take_log(struct harness *h, struct str payload)
{
	struct log_line line;

	must(ipc_decode(&log_line_schema, payload, NULL, 0, &line), "a malformed log line");
	buf_add(&h->log, line.text);
	buf_addc(&h->log, '\n');
}

/* Waits for a frame; one of the log is taken. 1: there is a control frame, 0: none in `ms` or a log line, -1: gone. */
static int wait_frames(struct harness *h, int64_t ms)
{
	struct pollfd p[] = { { .fd = h->log_fd, .events = POLLIN }, { .fd = h->control, .events = POLLIN } };
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	if (poll(p, 2, (int)ms) <= 0)
		return 0;
	if (p[0].revents && frame_receive(h->log_fd, &frame, &head, &payload, fds, &n_fds) > 0) {
		take_log(h, payload);
		return 0;
	}
	return p[1].revents & POLLIN ? 1 : -1;
}

/* The next control frame of that type; false when the daemon ends or is silent. */
static bool expect(struct harness *h, const struct ipc_schema *schema, struct buf *frame, void *message)
{
	int64_t until = clock_mono_ms() + READY_MS;
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX], got = 0;
	size_t n_fds;

	while (got == 0 && clock_mono_ms() < until)
		got = wait_frames(h, 100);
	if (got <= 0 || frame_receive(h->control, frame, &head, &payload, fds, &n_fds) <= 0)
		return false;
	must(head.type == schema->type && ipc_decode(schema, payload, fds, n_fds, message),
	     "an unexpected control frame");
	return true;
}

static void reap(struct harness *h)
{
	int64_t until = clock_mono_ms() + END_MS;

	while (h->pid > 0 && waitpid(h->pid, &h->status, WNOHANG) == 0) {
		if (clock_mono_ms() > until)
			kill(h->pid, SIGKILL);
		wait_frames(h, 10);
	}
	h->pid = 0;
	while (harness_logged(h, "\n\n", 0))
		;
}

bool harness_run(struct harness *h)
{
	struct walls walls = { .root = -1, .filter = -1, .child_filter = -1 };
	scoped_buf struct buf frame = { 0 };
	struct ready ready;

	tell_settings(h);
	for (size_t i = 0; i < n_params(h); i++)
		tell_folders(h, &h->daemon->params[i], effective(h, i));
	tell(h, &walls_schema, &walls);
	tell(h, &start_schema, &(struct start){ .test = true });
	if (!expect(h, &ready_schema, &frame, &ready)) {
		reap(h);
		return false;
	}
	buf_add(&h->walls, ready.walls);
	h->started = true;
	return true;
}

bool harness_reload(struct harness *h)
{
	scoped_buf struct buf frame = { 0 };
	struct reloaded answer;

	tell_settings(h);
	for (size_t i = 0; i < n_params(h); i++)
		tell_folders(h, &h->daemon->params[i], effective(h, i));
	must(frame_send(h->control, &reload_schema, false, 1, &(struct reload){ 0 }) == 0, "reload");
	return expect(h, &reloaded_schema, &frame, &answer) && answer.ok;
}

void harness_shift(struct harness *h, int64_t ms)
{
	scoped_buf struct buf frame = { 0 };
	struct clock_told told;

	/* the daemon reads its channels in no certain order: what is asked next shall find the clock shifted */
	must(frame_send(h->control, &clock_by_schema, false, 1, &(struct clock_by){ ms }) == 0 &&
		     expect(h, &clock_told_schema, &frame, &told),
	     "clock");
}

bool harness_logged(struct harness *h, const char *text, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms, left = ms;

	for (;;) {
		if (strstr(buf_cstr(&h->log), text))
			return true;
		size_t before = h->log.n;
		wait_frames(h, left > 100 ? 100 : left);
		left = until - clock_mono_ms();
		if (left < 0)
			left = 0;
		if (left == 0 && h->log.n == before)
			return false;
	}
}

int harness_end(struct harness *h)
{
	if (h->pid > 0) {
		if (h->started)
			frame_send(h->control, &drain_schema, false, 0, &(struct drain){ DRAIN_MS });
		else
			kill(h->pid, SIGTERM);
		reap(h);
	}
	fd_close(&h->control);
	fd_close(&h->log_fd);
	buf_free(&h->log);
	buf_free(&h->walls);
	arena_free(&h->arena);
	return WIFSIGNALED(h->status) ? 128 + WTERMSIG(h->status) : WEXITSTATUS(h->status);
}

/* ---- files ---- */

const char *harness_mkdir(struct arena *arena)
{
	char *path = arena_printf(arena, "/tmp/tayori-test.XXXXXX");

	must(mkdtemp(path) != NULL, path);
	return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

void harness_rmdir(const char *path)
{
	must(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, path);
}

void harness_write(const char *folder, const char *name, struct str content)
{
	scoped_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd int fd = dir < 0 ? -1 : openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && fd_write_all(fd, content) == 0, name);
}
