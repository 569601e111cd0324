/*
 * As the front of IMAP, to the parent of its sessions: numbers that are nobody's, sessions woken twice, with the state of
 * another user, or with a state that no session has written.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "ipc/messages.h"
#include "wire.h"

enum { ASK_MS = 10000, TALK_MS = 5000, SLEEPERS_MAX = 40, IDS = 200, STATE_HUGE = 70000 };

/* A connection that this front has opened. */
struct sleeper {
	uint64_t id;
	int client, session; /* both ends of its socket */
	bool asleep, over;
	struct buf state;
};

struct bench {
	struct evil *e;
	int fd;
	uint32_t serial;
	struct sleeper all[SLEEPERS_MAX];
	size_t n;
};

static struct sleeper *find(struct bench *b, uint64_t id)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->all[i].id == id)
			return &b->all[i];
	return NULL;
}

/* What the parent says unasked. Whoever wants to sleep may. */
static void take_notice(struct bench *b, const struct frame_head *head, struct str payload)
{
	struct session_sleep sleep;
	struct session_over over;
	struct sleeper *s;

	if (head->type == session_sleep_schema.type && ipc_decode(&session_sleep_schema, payload, NULL, 0, &sleep)) {
		s = find(b, sleep.id);
		if (s) {
			buf_reset(&s->state);
			buf_add(&s->state, sleep.state);
			s->asleep = true;
		}
		frame_send(b->fd, &session_slept_schema, true, head->serial, &(struct session_slept){ s != NULL });
	} else if (head->type == session_over_schema.type && ipc_decode(&session_over_schema, payload, NULL, 0, &over)) {
		s = find(b, over.id);
		if (s)
			s->over = true;
	}
}

/* One frame; true when it is the answer to `serial`. */
static bool receive(struct bench *b, int64_t until, uint32_t serial, bool *ok)
{
	scoped_buf struct buf frame = { 0 };
	struct pollfd p = { .fd = b->fd, .events = POLLIN };
	int64_t left = until - clock_mono_ms();
	struct session_opened opened;
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n;

	evil_must(left > 0 && poll(&p, 1, (int)left) > 0, "nothing comes from the parent of sessions");
	evil_must(frame_receive(b->fd, &frame, &head, &payload, fds, &n) > 0, "the parent of sessions has closed");
	if (!head.answer)
		take_notice(b, &head, payload);
	bool ours = head.answer && head.serial == serial;
	if (ours && ok)
		*ok = ipc_decode(&session_opened_schema, payload, fds, n, &opened) && opened.ok;
	frame_close_fds(fds, n);
	return ours;
}

static bool ask(struct bench *b, const struct ipc_schema *schema, const void *message)
{
	int64_t until = clock_mono_ms() + ASK_MS;
	bool ok = false;

	evil_must(frame_send(b->fd, schema, false, ++b->serial, message) == 0, "a question");
	while (!receive(b, until, b->serial, &ok))
		;
	return ok;
}

static void await_sleep(struct bench *b, const struct sleeper *s)
{
	int64_t until = clock_mono_ms() + ASK_MS;

	while (!s->asleep && !s->over)
		receive(b, until, 0, NULL);
}

static bool open_with(struct bench *b, uint64_t id, const char *user, int fd)
{
	struct session_open q = { .id = id, .client = STR("192.0.2.1"), .tag = STR("t"), .socket = fd };
	char ticket[80];

	evil_must(evil_log_in(b->e, user, "tayori", ticket), "a login in order");
	q.ticket = str_from(ticket);
	return ask(b, &session_open_schema, &q);
}

static struct sleeper *open_one(struct bench *b, const char *user)
{
	struct sleeper *s = &b->all[b->n++];
	int pair[2];

	ASSERT(b->n <= SLEEPERS_MAX);
	evil_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
	*s = (struct sleeper){ .id = ++b->e->tickets, .client = pair[0], .session = pair[1] };
	evil_must(open_with(b, s->id, user, pair[1]), "a session in order");
	return s;
}

static bool wake_with(struct bench *b, uint64_t id, struct str state, int fd)
{
	struct sleeper *s = find(b, id);

	if (s)
		s->asleep = false;
	return ask(b, &session_wake_schema, &(struct session_wake){ .id = id, .state = state, .socket = fd });
}

static void gone(struct bench *b, uint64_t id)
{
	evil_must(frame_send(b->fd, &session_gone_schema, false, 0, &(struct session_gone){ id }) == 0, "a notice");
}

static bool holds(const struct buf *b, const char *text)
{
	return b->n > 0 && memmem(b->p, b->n, text, strlen(text)) != NULL;
}

/* Says something, and reads until `end` comes; false: it did not, or the session's parent says that it is over. */
static bool talk(struct bench *b, struct sleeper *s, const char *text, const char *end, struct buf *heard)
{
	struct pollfd p[] = { { .fd = s->client, .events = POLLIN }, { .fd = b->fd, .events = POLLIN } };
	int64_t until = clock_mono_ms() + TALK_MS;
	char room[4096];

	evil_must(send(s->client, text, strlen(text), MSG_NOSIGNAL) >= 0, "the client speaks");
	while (!holds(heard, end)) {
		int64_t left = until - clock_mono_ms();
		if (left <= 0 || poll(p, 2, (int)left) <= 0)
			return false;
		ssize_t n = p[0].revents ? recv(s->client, room, sizeof(room), MSG_DONTWAIT) : 0;
		if (n > 0)
			buf_add(heard, str_of(room, (size_t)n));
		else if (s->over || s->asleep)
			return false;
		if (p[1].revents)
			receive(b, until, 0, NULL);
		if (s->asleep && !p[0].revents)
			return false;
	}
	return true;
}

static bool answers(struct bench *b, struct sleeper *s)
{
	scoped_buf struct buf heard = { 0 };

	return talk(b, s, "n NOOP\r\n", "n OK", &heard);
}

/* ---- numbers ---- */

static void try_numbers(struct bench *b)
{
	struct sleeper *s = open_one(b, "alice@example.test");
	int spare[2];

	evil_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, spare) == 0, "socketpair");
	evil_act(b->e, "id_in_use", open_with(b, s->id, "alice@example.test", spare[1]), "a second session");
	evil_act(b->e, "wake_at_work", wake_with(b, s->id, STR(""), s->session), "a second process");
	/* those of the other front of this instance are among them */
	for (uint64_t id = 1; id < IDS; id++) {
		if (find(b, id))
			continue;
		evil_act(b->e, "wake_unknown", wake_with(b, id, STR(""), spare[1]), "woken");
		gone(b, id);
	}
	evil_act(b->e, "wake_greatest", wake_with(b, UINT64_MAX, STR(""), spare[1]), "woken");
	evil_act(b->e, "honest_session_goes_on", !answers(b, s), "the act cannot be trusted");
	await_sleep(b, s);
	evil_act(b->e, "wake_without_socket", wake_with(b, s->id, buf_str(&s->state), -1), "woken");
	evil_act(b->e, "wake_with_file", wake_with(b, s->id, buf_str(&s->state), STDERR_FILENO), "woken");
	evil_act(b->e, "honest_wake", !wake_with(b, s->id, buf_str(&s->state), s->session) || !answers(b, s), "the act cannot be trusted");
	evil_act(b->e, "wake_twice", wake_with(b, s->id, buf_str(&s->state), s->session), "a second process");
	await_sleep(b, s);
	gone(b, s->id);
	evil_act(b->e, "wake_gone", wake_with(b, s->id, buf_str(&s->state), s->session), "woken");
	close(spare[0]);
	close(spare[1]);
}

/* ---- states ---- */

static void try_others_state(struct bench *b)
{
	struct sleeper *alice = open_one(b, "alice@example.test"), *bob = open_one(b, "bob@example.test");
	scoped_buf struct buf heard = { 0 };

	evil_must(talk(b, bob, "a APPEND INBOX {18+}\r\nSubject: secret\r\n\r\n\r\n", "\r\na OK", &heard), "bob's append");
	evil_must(talk(b, bob, "b CREATE Hidden\r\nc SELECT INBOX\r\n", "\r\nc OK", &heard), "bob's folder");
	await_sleep(b, bob);
	await_sleep(b, alice);
	evil_act(b->e, "state_says_who", holds(&bob->state, "bob") || holds(&bob->state, "example"),
		 "a name");
	buf_reset(&heard);
	bool woken = wake_with(b, alice->id, buf_str(&bob->state), alice->session);
	if (woken)
		talk(b, alice, "a FETCH 1:* BODY.PEEK[]\r\nb LIST \"\" *\r\nc LOGOUT\r\n", "\r\nc OK", &heard);
	evil_act(b->e, "state_of_another", holds(&heard, "secret") || holds(&heard, "Hidden"),
		 "another's mail");
	evil_act(b->e, "honest_sleeper_wakes", !wake_with(b, bob->id, buf_str(&bob->state), bob->session) || !answers(b, bob),
		 "the act cannot be trusted");
	gone(b, bob->id);
}

static const struct mbox_run {
	uint32_t from, to;
} all_uids[] = { { 1, UINT32_MAX } }, crossing[] = { { 1, 5 }, { 5, 9 } }, backwards[] = { { 9, 1 } }, touching[] = { { 1, 1 }, { 2, 2 } },
  nothing[] = { { 0, 0 } };

#define RUNS(list) str_of(list, sizeof(list))

/* The nth way to spoil a state that was in order. False: there are no more. */
static bool spoil(size_t nth, struct session_state *m)
{
	static const char *const folders[] = { "../bob", "..", "/etc", "INBOX/../../bob", ".INBOX", "Nowhere", "" };
	static const char noise[20000];

	if (nth < COUNT(folders)) {
		m->folder = str_from(folders[nth]);
		return true;
	}
	switch (nth - COUNT(folders)) {
	case 0: m->known = RUNS(all_uids); return true;
	case 1: m->known = RUNS(crossing); return true;
	case 2: m->known = RUNS(backwards); return true;
	case 3: m->known = RUNS(touching); return true;
	case 4: m->known = RUNS(nothing); return true;
	case 5: m->known = str_of(all_uids, 7); return true;
	case 6: m->recent = RUNS(all_uids); return true;
	case 7: m->recent = str_of(noise, sizeof(noise)); return true;
	case 8: m->modseq = UINT64_MAX; return true;
	case 9: m->keywords = m->enabled = UINT32_MAX; return true;
	case 10: m->idle_tag = STR("x OK\r\n* 9 EXISTS\r\ny"); return true;
	case 11: m->idle_tag = str_of(noise, sizeof(noise)); return true;
	case 12: m->uidvalidity++; return true;
	case 13: m->folder = STR("a\0b"); return true;
	default: return false;
	}
}

static void write_state(const struct session_state *m, struct buf *out)
{
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	buf_reset(out);
	evil_must(ipc_encode(&session_state_schema, m, out, fds, &n), "a state");
}

/* It goes on, is over, or sleeps again (in IDLE at once); it does not hang. */
static void wake_spoilt(struct bench *b, struct sleeper *s, const char *act, struct str state)
{
	scoped_buf struct buf heard = { 0 };
	bool woken = wake_with(b, s->id, state, s->session);

	if (woken)
		talk(b, s, "n NOOP\r\n", "\r\n", &heard);
	evil_act(b->e, act, woken && !s->over && !s->asleep && heard.n == 0, "it hangs");
	gone(b, s->id);
	close(s->client);
	close(s->session);
}

static void try_states(struct bench *b)
{
	struct sleeper *spoilt[SLEEPERS_MAX], *first = NULL, *noisy[3];
	scoped_buf struct buf heard = { 0 }, state = { 0 }, noise = { 0 };
	struct session_state m = { 0 };
	size_t n = 0;

	while (spoil(n, &m)) {
		spoilt[n] = open_one(b, "alice@example.test");
		evil_must(talk(b, spoilt[n++], "s SELECT INBOX\r\n", "\r\ns OK", &heard), "a folder");
		buf_reset(&heard);
	}
	for (size_t i = 0; i < COUNT(noisy); i++)
		noisy[i] = open_one(b, "alice@example.test");
	for (size_t i = 0; i < n; i++)
		await_sleep(b, spoilt[i]);
	first = spoilt[0];
	for (size_t i = 0; i < n; i++) {
		evil_must(ipc_decode(&session_state_schema, buf_str(&first->state), NULL, 0, &m), "a state in order");
		spoil(i, &m);
		write_state(&m, &state);
		wake_spoilt(b, spoilt[i], "spoilt_state", buf_str(&state));
	}
	buf_reserve(&noise, STATE_HUGE);
	random_bytes(noise.p, noise.n = STATE_HUGE);
	for (size_t i = 0; i < COUNT(noisy); i++) {
		await_sleep(b, noisy[i]);
		wake_spoilt(b, noisy[i], "noise_as_state", i == 2 ? str_head(buf_str(&first->state), 9) : str_head(buf_str(&noise), i ? STATE_HUGE : 40));
	}
}

void evil_sleepers(struct evil *e)
{
	struct bench *b = calloc(1, sizeof(*b));

	ASSERT(b);
	b->e = e;
	b->fd = run_server(e->run, "imapsession")->fd;
	fcntl(b->fd, F_SETFL, 0);
	b->serial = 100000;
	try_numbers(b);
	try_others_state(b);
	try_states(b);
	for (size_t i = 0; i < b->n; i++)
		buf_free(&b->all[i].state);
	free(b);
}
