/* As much as the kernel takes, to all servers in turn; answers are read now and then, or never. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "ipc/messages.h"
#include "wire.h"

enum { DRAIN_EVERY = 64, PAUSE_MS = 1 };

struct stream_of {
	const char *server;
	struct buf frame;
	int fd;
	size_t n_fds; /* with each frame */
	unsigned long sent;
};

static void fill_letter(struct buf *out)
{
	static char body[60000];
	scoped_buf struct buf list = { 0 };
	struct commit m = { .queue_id = STR("0000000000000000"), .size = sizeof(body), .body = str_of(body, sizeof(body)) };

	strs_add(&list, &m.recipients, STR("bob@example.test"));
	wire_frame(&commit_schema, &m, false, 7, out);
}

static bool is_parent(const char *server)
{
	return strcmp(server, "pop3session") == 0 || strcmp(server, "imapsession") == 0;
}

static void fill(const char *server, struct buf *out, size_t variant)
{
	static const char noise[32];
	const struct login login = { .client = STR("127.0.0.1"), .user = STR("alice@example.test"), .password = STR("wrong") };
	const struct check_recipient rcpt = { .recipient = STR("bob@example.test") };
	const struct key_sign sign = { .scheme = 0x0403, .tls13 = true, .transcript = str_of(noise, 32) };
	const struct session_open open = { .ticket = STR("0123456789abcdef0123456789abcdef"), .socket = STDERR_FILENO };
	const struct session_wake wake = { .id = 4711, .state = str_of(noise, sizeof(noise)), .socket = STDERR_FILENO };
	const struct log_line line = { .severity = 2, .text = STR("evil talks") };
	const struct spool_drop drop = { .queue_id = STR("0000000000000000") };

	if (strcmp(server, "authd") == 0)
		wire_frame(&login_schema, &login, false, 7, out);
	else if (strcmp(server, "lookupd") == 0)
		wire_frame(&check_recipient_schema, &rcpt, false, 7, out);
	else if (strcmp(server, "keyd") == 0)
		wire_frame(&key_sign_schema, &sign, false, 7, out);
	else if (is_parent(server) && variant == 0)
		wire_frame(&session_open_schema, &open, false, 7, out);
	else if (is_parent(server) && variant == 1)
		wire_frame(&session_wake_schema, &wake, false, 7, out);
	else if (is_parent(server))
		wire_frame(&session_gone_schema, &(struct session_gone){ 4711 }, false, 0, out);
	else if (strcmp(server, "logd") == 0)
		wire_frame(&log_line_schema, &line, false, 0, out);
	else if (variant == 0)
		wire_frame(&spool_drop_schema, &drop, false, 0, out);
	else if (variant == 1)
		wire_frame(&queue_ids_schema, &(struct queue_ids){ 64 }, false, 7, out);
	else
		fill_letter(out);
}

static void drain(int fd)
{
	static char octets[IPC_FRAME_MAX];

	while (recv(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0)
		;
}

static size_t begin(struct evil *e, struct stream_of *s, size_t most)
{
	const char *const *name = e->run->daemon->servers;
	size_t n = 0;

	for (; *name && n + 2 < most; name++) {
		size_t variants = strcmp(*name, "qmgr") == 0 || is_parent(*name) ? 3 : 1;
		for (size_t v = 0; v < variants && n + 1 < most; v++) {
			s[n] = (struct stream_of){ .server = *name, .fd = run_server(e->run, *name)->fd };
			s[n].n_fds = is_parent(*name) && v < 2;
			fill(*name, &s[n++].frame, v);
		}
	}
	s[n] = (struct stream_of){ .server = "logd", .fd = e->run->log.fd };
	fill("logd", &s[n++].frame, 0);
	return n;
}

/* Answers are read by turns: a while not at all, so that they pile up at the server, then all. */
void evil_flood(struct evil *e)
{
	struct stream_of s[12];
	size_t n = begin(e, s, COUNT(s));
	int64_t now = clock_mono_ms(), until = now + atoi(evil_env("TAYORI_EVIL_MS"));
	unsigned long total = 0, descriptors = 0;

	for (unsigned long round = 0; now < until; round++) {
		bool sent = false;
		for (size_t i = 0; i < n; i++) {
			if (round % DRAIN_EVERY == 0 && now / 1000 % 2)
				drain(s[i].fd);
			if (!wire_send(s[i].fd, buf_str(&s[i].frame), STDERR_FILENO, s[i].n_fds))
				continue;
			sent = true;
			s[i].sent++;
			total++;
			descriptors += s[i].n_fds;
		}
		if (!sent)
			poll(NULL, 0, PAUSE_MS);
		now = clock_mono_ms();
	}
	for (size_t i = 0; i < n; i++)
		dprintf(2, "evil %s flood: %lu frames of %zu octets to %s\n", e->who, s[i].sent, s[i].frame.n, s[i].server);
	dprintf(2, "evil %s flooded: %lu frames, %lu descriptors\n", e->who, total, descriptors);
}
