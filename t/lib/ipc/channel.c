#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

START_TEST(layout_follows_kinds)
{
	/* every message: fill the struct by decoding and see that the last member is where C has it */
	struct commit c = { .queue_id = STR("Q"), .spooled = true, .size = 77, .body = STR("b") };
	struct commit back;
	scoped_buf struct buf out = { 0 };
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	ck_assert(ipc_encode(&commit_schema, &c, &out, fds, &n));
	ck_assert(ipc_decode(&commit_schema, buf_str(&out), fds, n, &back));
	ck_assert(back.spooled && back.size == 77);
	ck_assert_str_is(back.body, STR("b"));
	struct walls f = { .uid = 5, .root = 7, .filter = -1, .child_filter = -1, .memory_bytes = 9, .descriptors = 3 }, g;
	buf_reset(&out);
	n = 0;
	ck_assert(ipc_encode(&walls_schema, &f, &out, fds, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert(ipc_decode(&walls_schema, buf_str(&out), fds, n, &g));
	ck_assert(g.uid == 5 && g.root == 7 && g.filter == -1 && g.memory_bytes == 9 && g.descriptors == 3);
}
END_TEST

START_TEST(decode_is_strict)
{
	struct commit c = { .queue_id = STR("Q1"), .recipients = { 0 }, .body = STR("xyz") }, back;
	scoped_buf struct buf list = { 0 }, out = { 0 };
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	strs_add(&list, &c.recipients, STR("a@b"));
	strs_add(&list, &c.recipients, STR(""));
	ck_assert(ipc_encode(&commit_schema, &c, &out, fds, &n));
	for (size_t cut = 0; cut < out.n; cut++)
		ck_assert(!ipc_decode(&commit_schema, str_head(buf_str(&out), cut), fds, 0, &back));
	int one[] = { 1 };
	ck_assert(!ipc_decode(&commit_schema, buf_str(&out), one, 1, &back));
	ck_assert(ipc_decode(&commit_schema, buf_str(&out), fds, 0, &back));
	size_t at = 0;
	struct str s;
	ck_assert(strs_next(&back.recipients, &at, &s) && str_eq(s, STR("a@b")));
	ck_assert(strs_next(&back.recipients, &at, &s) && s.n == 0);
	ck_assert(!strs_next(&back.recipients, &at, &s));
	buf_addc(&out, 0);
	ck_assert(!ipc_decode(&commit_schema, buf_str(&out), fds, 0, &back));
}
END_TEST

struct server {
	struct channel ch;
	int asked;
	const char *broke;
	bool mute;
};

static void on_room(struct channel *ch, uint32_t serial, void *message)
{
	struct server *s = ch->arg;
	struct queue_room *q = message;

	s->asked++;
	if (!s->mute)
		channel_answer(ch, serial, &verdict_schema,
			       &(struct verdict){ .code = q->size > 10 ? 452 : 250, .text = STR("hello") });
}

static void on_opened(struct channel *ch, uint32_t serial, void *message)
{
	struct spool_opened *m = message;
	struct server *s = ch->arg;

	(void)serial;
	s->asked += m->file >= 0;
}

static const struct ipc_handler server_handlers[] = { { &queue_room_schema, on_room },
						      { &spool_opened_schema, on_opened } };

static void server_broken(struct channel *ch, const char *why)
{
	struct server *s = ch->arg;

	s->broke = why;
}

struct question {
	struct call call;
	int done;
	enum call_result result;
	uint16_t code;
};

static void on_answer(void *arg, enum call_result result, void *message)
{
	struct question *q = arg;

	q->done++;
	q->result = result;
	if (message)
		q->code = ((struct verdict *)message)->code;
}

static void ask(struct channel *ch, uint64_t size, int64_t ms, struct question *q)
{
	channel_call(ch, &queue_room_schema, &(struct queue_room){ size }, &verdict_schema, ms, &q->call, on_answer, q);
}

START_TEST(questions_and_answers)
{
	struct loop *loop = loop_new();
	struct server server = { 0 };
	struct channel client;
	struct question q[50] = { 0 }, late = { 0 };
	int fds[2], again[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	channel_start(&server.ch, loop, fds[0], NULL, server_handlers, COUNT(server_handlers), server_broken, &server);
	channel_start(&client, loop, -1, NULL, NULL, 0, NULL, NULL);
	ask(&client, 1, 5000, &q[0]); /* waits for a peer */
	channel_attach(&client, fds[1]);
	for (size_t i = 1; i < COUNT(q); i++)
		ask(&client, i, 5000, &q[i]);
	call_cancel(&q[7].call);
	for (int i = 0; i < 20; i++)
		loop_once(loop, 1);
	for (size_t i = 0; i < COUNT(q); i++) {
		ck_assert_int_eq(q[i].done, i != 7);
		if (i != 7)
			ck_assert(q[i].result == CALL_OK && q[i].code == (i > 10 ? 452 : 250));
	}
	/* the server dies: what was sent fails, what comes later waits for the next server */
	server.mute = true;
	ask(&client, 1, 5000, &late);
	loop_once(loop, 1);
	channel_stop(&server.ch);
	for (int i = 0; i < 5; i++)
		loop_once(loop, 1);
	ck_assert(late.done == 1 && late.result == CALL_BROKEN);
	ask(&client, 99, 5000, &q[0]);
	ask(&client, 99, 1, &q[1]);
	for (int i = 0; i < 5; i++)
		loop_once(loop, 5);
	ck_assert(q[1].done == 2 && q[1].result == CALL_TIMEOUT);
	ck_assert_int_eq(channel_pair(again), 0);
	server.mute = false;
	channel_start(&server.ch, loop, again[0], NULL, server_handlers, COUNT(server_handlers), server_broken, &server);
	channel_attach(&client, again[1]);
	for (int i = 0; i < 10; i++)
		loop_once(loop, 1);
	ck_assert(q[0].done == 2 && q[0].result == CALL_OK && q[0].code == 452);
	channel_stop(&client);
	channel_stop(&server.ch);
	loop_free(loop);
}
END_TEST

START_TEST(descriptors_travel)
{
	struct loop *loop = loop_new();
	struct server server = { 0 };
	struct channel client;
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	channel_start(&server.ch, loop, fds[0], NULL, server_handlers, COUNT(server_handlers), server_broken, &server);
	channel_start(&client, loop, fds[1], NULL, NULL, 0, NULL, NULL);
	int null = open("/dev/null", O_RDONLY);
	for (int i = 0; i < 3000; i++) { /* more than the process may hold: each is closed after its handler */
		channel_notify(&client, &spool_opened_schema, &(struct spool_opened){ .file = null });
		if (i % 20 == 0)
			loop_once(loop, 1);
	}
	for (int i = 0; i < 200; i++)
		loop_once(loop, 1);
	ck_assert_int_eq(server.asked, 3000);
	close(null);
	channel_stop(&client);
	channel_stop(&server.ch);
	loop_free(loop);
}
END_TEST

static const struct {
	const char *bytes;
	size_t n;
} bad_frames[] = {
	{ "x", 1 },
	{ "\xff\xff\0\0\1\0\0\0", 8 },	   /* no such type */
	{ "\1\0\2\0\1\0\0\0", 8 },	   /* unknown flag */
	{ "\1\0\0\0\1\0\0\0", 8 },	   /* settings: not for this channel */
	{ "\x25\0\0\0\1\0\0\0zz", 10 },
};

START_TEST(bad_frames_break)
{
	struct loop *loop = loop_new();
	struct server server = { 0 };
	int fds[2];

	ck_assert_int_eq(channel_pair(fds), 0);
	channel_start(&server.ch, loop, fds[0], NULL, server_handlers, COUNT(server_handlers), server_broken, &server);
	ck_assert(send(fds[1], bad_frames[_i].bytes, bad_frames[_i].n, 0) > 0);
	for (int i = 0; i < 3 && !server.broke; i++)
		loop_once(loop, 5);
	ck_assert(server.broke != NULL);
	ck_assert_int_eq(server.ch.fd, -1);
	close(fds[1]);
	channel_stop(&server.ch);
	loop_free(loop);
}
END_TEST

START_TEST(empty_frame_leaves_no_descriptors)
{
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	int fds[2], got[IPC_FDS_MAX];
	size_t n;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { .head = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr msg = { .msg_control = &control, .msg_controllen = sizeof(control) };

	ck_assert_int_eq(channel_pair(fds), 0);
	memcpy(CMSG_DATA(&control.head), fds, 2 * sizeof(int));
	int next = dup(0);
	close(next);
	ck_assert_int_eq(sendmsg(fds[0], &msg, 0), 0);
	ck_assert_int_eq(frame_receive(fds[1], &frame, &head, &payload, got, &n), 0);
	int now = dup(0);
	ck_assert_int_eq(now, next);
	close(now);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(large_frame)
{
	int fds[2];
	scoped_buf struct buf big = { 0 }, frame = { 0 };
	struct frame_head head;
	struct str payload;
	int got[IPC_FDS_MAX];
	size_t n;

	buf_reserve(&big, 70000);
	memset(big.p, 'x', 70000);
	big.n = 70000;
	ck_assert_int_eq(channel_pair(fds), 0);
	ck_assert_int_eq(frame_send(fds[0], &commit_schema, false, 5, &(struct commit){ .body = buf_str(&big) }), 0);
	ck_assert_int_eq(frame_receive(fds[1], &frame, &head, &payload, got, &n), 1);
	struct commit c;
	ck_assert(head.serial == 5 && !head.answer && ipc_decode(&commit_schema, payload, got, n, &c));
	ck_assert_uint_eq(c.body.n, 70000);
	buf_add(&big, str_head(buf_str(&big), 20000));
	ck_assert_int_eq(frame_send(fds[0], &commit_schema, false, 5, &(struct commit){ .body = buf_str(&big) }), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(trace_is_printable)
{
	scoped_buf struct buf out = { 0 };

	ipc_trace(&login_schema, &(struct login){ .client = STR("1\n2"), .user = STR("it's"), .password = STR("") }, &out);
	ck_assert_str_is(buf_str(&out), STR("login client='1\\x0a2' protocol='' user='it\\x27s' password=''"));
}
END_TEST

START_TEST(random_bytes_never_crash)
{
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX];
	char noise[200];

	for (int i = 0; i < 20000; i++) {
		random_bytes(noise, sizeof(noise));
		for (size_t k = 0; k < sizeof(noise); k++)
			if (noise[k] & 1)
				noise[k] = (char)(noise[k] & 7);
		int fds[1] = { -1 };
		ipc_decode(ipc_messages[(size_t)i % ipc_messages_n], str_of(noise, (size_t)noise[0] & 0x7f), fds, 0, message);
	}
}
END_TEST

TEST_MAIN("channel", {
	tcase_add_test(tc, layout_follows_kinds);
	tcase_add_test(tc, decode_is_strict);
	tcase_add_test(tc, questions_and_answers);
	tcase_add_test(tc, descriptors_travel);
	tcase_add_loop_test(tc, bad_frames_break, 0, COUNT(bad_frames));
	tcase_add_test(tc, empty_frame_leaves_no_descriptors);
	tcase_add_test(tc, large_frame);
	tcase_add_test(tc, trace_is_printable);
	tcase_add_test(tc, random_bytes_never_crash);
})
