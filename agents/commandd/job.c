#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/time.h"
#include "command.h"
#include "forward/forward.h"
#include "forward/head.h"
#include "io/fd.h"
#include "ipc/channel.h"

enum { CHUNK = 32 << 10, OUTPUT_KEPT = 400 };

/* A command that runs. */
struct running {
	const struct job_order *order;
	pid_t pid;
	int ended;	   /* a pidfd */
	int in, out;	   /* our ends of its standard input, and of its output and errors */
	struct buf chunk;  /* for `in` */
	size_t at;	   /* of chunk */
	uint64_t sent;	   /* of the content, chunk included */
	struct buf output; /* the first of it */
	int64_t until_ms;
};

static void running_free(struct running *r)
{
	fd_close(&r->ended);
	fd_close(&r->in);
	fd_close(&r->out);
	buf_free(&r->chunk);
	buf_free(&r->output);
}
#define scoped_running __attribute__((cleanup(running_free)))

/* ---- the start ---- */

__attribute__((noreturn)) static void exec_command(const struct job_order *order, int in, int out)
{
	struct arena arena = { 0 };
	char **words = command_words(str_skip(order->m->target, 1), &arena);

	environ = command_environment(order, &arena);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	close_range(3, ~0u, 0);
	umask(077);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	execvp(words[0], words);
	int error = errno;
	fprintf(stderr, "%s: %s\n", words[0], strerror(error));
	_exit(error == EAGAIN || error == ENOMEM || error == ENFILE ? EX_TEMPFAIL : 127);
}

/* A pipe's end in the place of a standard descriptor would be closed, or overwritten, before the command has it. */
static void fill_standard(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
		;
	fd_close(&fd);
}

static bool start(struct running *r)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 };

	fill_standard();
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return false;
	r->in = in[1];
	r->out = out[0];
	r->pid = fork();
	if (r->pid == 0)
		exec_command(r->order, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	if (r->pid < 0)
		return false;
	r->ended = (int)syscall(SYS_pidfd_open, r->pid, 0);
	return r->ended >= 0 && fd_nonblocking(r->in) == 0 && fd_nonblocking(r->out) == 0;
}

/* ---- while it runs ---- */

static bool next_chunk(struct running *r)
{
	const struct deliver *m = r->order->m;

	buf_reset(&r->chunk);
	r->at = 0;
	buf_reserve(&r->chunk, CHUNK);
	ssize_t n = r->sent < m->size ? pread(m->content, r->chunk.p, CHUNK, (off_t)r->sent) : 0;
	r->chunk.n = n > 0 ? (size_t)n : 0;
	r->sent += r->chunk.n;
	return r->chunk.n > 0;
}

/* Whether it reads its mail is its own business. */
static void feed(struct running *r)
{
	if (r->at == r->chunk.n && !next_chunk(r)) {
		fd_close(&r->in);
		return;
	}
	ssize_t n = write(r->in, r->chunk.p + r->at, r->chunk.n - r->at);
	if (n > 0)
		r->at += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		fd_close(&r->in);
}

static void listen_to(struct running *r)
{
	char bytes[4096];
	ssize_t n = read(r->out, bytes, sizeof(bytes));

	if (n > 0)
		buf_add(&r->output, str_head(str_of(bytes, (size_t)n), OUTPUT_KEPT - r->output.n));
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_close(&r->out);
}

/* Nobody waits for the answer: it ends here and now, with all that it has started. */
__attribute__((noreturn)) static void end_group(void)
{
	kill(0, SIGKILL);
	_exit(1);
}

/* True: it has ended, with *status; false: its time is over. */
static bool watch(struct running *r, int *status)
{
	for (;;) {
		struct pollfd p[] = { { r->ended, POLLIN, 0 },
				      { r->order->parent, 0, 0 },
				      { r->out, POLLIN, 0 },
				      { r->in, POLLOUT, 0 } };
		int64_t left = r->until_ms - clock_mono_ms();
		if (left <= 0)
			return false;
		if (poll(p, COUNT(p), left < 60000 ? (int)left : 60000) < 0 && errno != EINTR)
			return false;
		if (p[1].revents)
			end_group();
		if (p[3].revents)
			feed(r);
		if (p[2].revents)
			listen_to(r);
		if (p[0].revents && waitpid(r->pid, status, WNOHANG) == r->pid)
			break;
	}
	/* what it said last */
	while (r->out >= 0 && r->output.n < OUTPUT_KEPT) {
		size_t before = r->output.n;
		listen_to(r);
		if (r->output.n == before)
			break;
	}
	return true;
}

static void run(const struct job_order *order, struct buf *text, struct delivered *out)
{
	const struct deliver *m = order->m;
	scoped_running struct running r = { .order = order, .in = -1, .out = -1, .ended = -1 };
	struct str command = str_skip(m->target, 1);
	int status = 0;

	r.until_ms = clock_mono_ms() + order->conf->command_time_limit;
	head_from_line(m->sender, clock_wall_us(), &r.chunk);
	head_write(m, &r.chunk);
	if (!start(&r)) {
		buf_addf(text, "no process for the command: %s", strerror(errno));
		*out = (struct delivered){ .result = DELIVERY_DEFERRED, .status = STR("4.3.0"), .text = buf_str(text) };
		return;
	}
	if (watch(&r, &status))
		command_verdict(status, command, buf_str(&r.output), text, out);
	else
		command_too_slow(command, buf_str(&r.output), text, out);
}

/* ---- the user's word ---- */

/* False: the command is not in the .forward (any more), and *out says what is. */
static bool confirm(const struct job_order *order, struct forward *f, struct delivered *out)
{
	const struct forward_who who = {
		.user = order->m->user,
		.home = order->home,
		.uid = order->uid,
		.delimiter = order->conf->recipient_delimiter,
		.commands = conf_list_has(order->conf->allow_mail_to_commands, STR("forward")),
		.files = conf_list_has(order->conf->allow_mail_to_files, STR("forward")),
	};
	enum forward_result r = forward_user(&who, order->m->recipient, f);

	if (r == FORWARD_FOUND && forward_has(f, order->m->target))
		return true;
	*out = (struct delivered){ .result = DELIVERY_EXPANDED, .status = STR("2.0.0"), .targets = f->targets };
	if (r == FORWARD_LATER)
		*out = (struct delivered){ .result = DELIVERY_DEFERRED,
					   .status = STR("4.3.0"),
					   .text = buf_str(&f->told) };
	else if (r == FORWARD_NONE)
		strs_add(&f->raw, &out->targets, STR("\\"));
	return false;
}

int job_run(void *arg)
{
	const struct job_order *order = arg;
	scoped_forward struct forward forward = { 0 };
	scoped_buf struct buf text = { 0 };
	struct delivered d;

	if (order->alias || confirm(order, &forward, &d))
		run(order, &text, &d);
	/* by its answer, not by its exit, its parent knows how it went: what the command has left behind ends now */
	frame_send(order->parent, &delivered_schema, true, 1, &d);
	end_group();
}
