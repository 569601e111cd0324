/*
 * A taken-over session of IMAP: imapsession's own parent, with this in the place of its child's work. What it does
 * is the tag of the login: "evil-WAY". With any other tag it is the session that it should be.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "imapd/session/session.h"
#include "io/fd.h"
#include "ipc/messages.h"
#include "wire.h"

enum { CALL_MS = 8000, MANY = 20000, STATE_LARGE = 70000, STAY_MS = 60000, FLOOD_MS = 6000 };

void evil_session_run(const struct session_start *start);

struct taken {
	const struct session_start *start;
	uint64_t sent; /* to the client, as an honest one would count it */
};

static void say(struct taken *t, const char *text)
{
	size_t n = strlen(text);

	if (write(t->start->fd, text, n) == (ssize_t)n)
		t->sent += n;
}

static void linger(void)
{
	poll(NULL, 0, STAY_MS);
}

static void result(struct taken *t, bool answered, bool ok)
{
	say(t, !answered ? "* closed\r\n" : ok ? "* granted\r\n" : "* refused\r\n");
}

static void watch(struct taken *t, int a, int b)
{
	scoped_buf struct buf frame = { 0 };
	struct session_watched r = { 0 };
	bool answered = frame_call(t->start->parent, &session_watch_schema, &(struct session_watch){ a, b }, &session_watched_schema,
				   CALL_MS, &frame, &r);

	result(t, answered, r.ok);
}

static bool ask_sleep(struct taken *t, struct session_sleep m, bool *ok)
{
	scoped_buf struct buf frame = { 0 };
	struct session_slept r = { 0 };
	bool answered = frame_call(t->start->parent, &session_sleep_schema, &m, &session_slept_schema, CALL_MS, &frame, &r);

	*ok = r.ok;
	return answered;
}

/* As an honest one sleeps, with that state. */
static bool fall_asleep(struct taken *t, struct str state)
{
	bool ok;

	return ask_sleep(t, (struct session_sleep){ .sent = t->sent, .state = state }, &ok) && ok;
}

static void put(struct taken *t, const struct ipc_schema *schema, const void *message, bool answer, uint32_t serial)
{
	scoped_buf struct buf frame = { 0 };

	wire_frame(schema, message, answer, serial, &frame);
	wire_send(t->start->parent, buf_str(&frame), -1, 0);
}

/* ---- the ways ---- */

static void watch_files(struct taken *t)
{
	scoped_fd int file = openat(t->start->home, "evil-file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	watch(t, file, file);
	watch(t, t->start->fd, t->start->fd);
	watch(t, t->start->home, file);
	watch(t, -1, -1);
}

static void watch_many(struct taken *t)
{
	scoped_buf struct buf frame = { 0 };
	struct session_watched r;
	int home = t->start->home;

	for (int i = 0; i < MANY; i++)
		if (!frame_call(t->start->parent, &session_watch_schema, &(struct session_watch){ home, home }, &session_watched_schema,
				CALL_MS, &frame, &r))
			break;
	watch(t, home, home);
}

static void sleep_twice(struct taken *t)
{
	const struct session_sleep m = { .sent = 1ull << 40 };

	put(t, &session_sleep_schema, &m, false, 1);
	put(t, &session_sleep_schema, &m, false, 2);
	linger();
}

static void sleep_large(struct taken *t)
{
	static const char noise[STATE_LARGE];
	bool ok, answered = ask_sleep(t, (struct session_sleep){ .sent = t->sent, .state = str_of(noise, sizeof(noise)) }, &ok);

	result(t, answered, ok);
}

static void sleep_lie(struct taken *t)
{
	bool ok;

	ask_sleep(t, (struct session_sleep){ .sent = 1ull << 40 }, &ok);
	linger();
}

/* It was agreed that the process ends. */
static void sleep_stay(struct taken *t)
{
	scoped_buf struct buf state = { 0 };
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	ipc_encode(&session_state_schema, &(struct session_state){ 0 }, &state, fds, &n);
	if (!fall_asleep(t, buf_str(&state)))
		say(t, "* refused\r\n");
	linger();
}

static void sleep_noise(struct taken *t)
{
	char noise[300];

	random_bytes(noise, sizeof(noise));
	if (!fall_asleep(t, str_of(noise, sizeof(noise))))
		say(t, "* refused\r\n");
}

static void answer_unasked(struct taken *t)
{
	for (uint32_t i = 0; i < MANY; i++) {
		put(t, &session_slept_schema, &(struct session_slept){ true }, true, i);
		put(t, &session_opened_schema, &(struct session_opened){ .ok = true }, true, i);
		put(t, &granted_schema, &(struct granted){ true }, true, i);
	}
	watch(t, t->start->home, t->start->home);
}

/* As much as goes, and reads no answer. */
static void flood_with(struct taken *t, struct str frame, size_t n_fds)
{
	int64_t until = clock_mono_ms() + FLOOD_MS;
	struct pollfd p = { .fd = t->start->parent, .events = POLLOUT };
	unsigned long sent = 0;
	char text[40];

	while (clock_mono_ms() < until && !(p.revents & (POLLERR | POLLHUP))) {
		if (wire_send(p.fd, frame, t->start->home, n_fds))
			sent++;
		else
			poll(&p, 1, 100);
	}
	snprintf(text, sizeof(text), "* flooded %lu\r\n", sent);
	say(t, text);
	linger();
}

static void flood(struct taken *t)
{
	scoped_buf struct buf frame = { 0 };

	wire_frame(&session_watch_schema, &(struct session_watch){ t->start->home, t->start->home }, false, 0, &frame);
	flood_with(t, buf_str(&frame), 2);
}

static void flood_sleep(struct taken *t)
{
	scoped_buf struct buf frame = { 0 };
	static const char noise[STATE_LARGE];

	wire_frame(&session_sleep_schema, &(struct session_sleep){ .sent = 1, .state = str_of(noise, sizeof(noise)) }, false, 0, &frame);
	flood_with(t, buf_str(&frame), 0);
}

static void drop(struct taken *t)
{
	close(t->start->parent);
	say(t, "* alone\r\n");
	linger();
}

static const struct {
	const char *name;
	void (*run)(struct taken *t);
} ways[] = {
	{ "watch-files", watch_files }, { "watch-many", watch_many },  { "sleep-twice", sleep_twice }, { "sleep-large", sleep_large },
	{ "sleep-lie", sleep_lie },	{ "sleep-stay", sleep_stay },  { "sleep-noise", sleep_noise }, { "answers", answer_unasked },
	{ "flood", flood },		{ "flood-sleep", flood_sleep }, { "drop", drop },
};

/* A frame as no honest session sends it, or a message that others send. */
static void break_rules(struct taken *t, struct str way)
{
	scoped_buf struct buf frame = { 0 };
	int fd = t->start->parent;

	wire_blank(&session_sleep_schema, &frame);
	for (int i = 0; i < WIRE_SPOILS; i++) {
		if (!str_eq(way, str_from(wire_spoils[i])))
			continue;
		if (i == WIRE_LENGTH) { /* the state's length stands last */
			memset(frame.p + frame.n - 4, 0xff, 4);
			wire_send(fd, buf_str(&frame), -1, 0);
		} else {
			wire_spoil(fd, i, buf_str(&frame));
		}
		linger();
	}
	for (size_t i = 0; i < ipc_messages_n; i++) {
		if (!str_eq(way, str_from(ipc_messages[i]->name)))
			continue;
		wire_blank(ipc_messages[i], &frame);
		wire_send(fd, buf_str(&frame), -1, 0);
		linger();
	}
}

void evil_session_run(const struct session_start *start)
{
	struct taken t = { .start = start };
	struct str way = start->tag;

	if (!str_starts(way, STR("evil-"))) {
		session_run(start);
		return;
	}
	scoped_buf struct buf greeting = { 0 };
	buf_addf(&greeting, "%.*s OK taken over\r\n", STR_ARG(way));
	say(&t, buf_cstr(&greeting));
	way = str_skip(way, 5);
	for (size_t i = 0; i < COUNT(ways); i++)
		if (str_eq(way, str_from(ways[i].name))) {
			ways[i].run(&t);
			return;
		}
	break_rules(&t, way);
}
