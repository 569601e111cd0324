/* stream over transports whose directions wait for each other, as TLS does in its handshake. */
#include "io/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include "io/fd.h"
#include "unit.h"

/* Nothing can be written before an octet was read; `reader` says who takes that octet from the socket. */
struct shy {
	bool met;
	bool read_meets;
};

static bool meet(struct shy *t, int fd)
{
	char c;

	t->met = t->met || recv(fd, &c, 1, 0) == 1;
	return t->met;
}

static ssize_t shy_read(void *state, int fd, char *p, size_t n)
{
	struct shy *t = state;

	if (!t->met && (!t->read_meets || !meet(t, fd)))
		return STREAM_AGAIN_READ;
	ssize_t got = recv(fd, p, n, 0);
	return got < 0 ? STREAM_AGAIN_READ : got;
}

static ssize_t shy_write(void *state, int fd, const char *p, size_t n)
{
	struct shy *t = state;

	if (!t->met && (t->read_meets || !meet(t, fd)))
		return STREAM_AGAIN_READ;
	return send(fd, p, n, 0);
}

static void shy_free(void *state)
{
	(void)state;
}

static const struct stream_transport shy = { shy_read, shy_write, NULL, shy_free, NULL };

static void on_input(void *arg)
{
	struct stream *s = arg;

	stream_write(s, stream_input(s));
	stream_consume(s, stream_input(s).n);
}

static void on_ended(void *arg, enum stream_end how)
{
	(void)arg, (void)how;
}

static const struct stream_events events = { on_input, NULL, on_ended };

/* A greeting that waits for the handshake leaves whoever ends that, the writer or the reader. */
START_TEST(greeting_waits_for_a_read)
{
	struct shy t = { .read_meets = _i == 1 };
	struct loop *loop = loop_new();
	struct stream s;
	char got[16];
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	stream_start(&s, loop, fds[0], 4096, &events, &s);
	stream_set_transport(&s, &shy, &t);
	stream_write(&s, STR("hello"));
	for (int i = 0; i < 3; i++)
		loop_once(loop, 1);
	ck_assert_int_lt(read(fds[1], got, sizeof(got)), 0);
	ck_assert_int_eq(write(fds[1], "!", 1), 1);
	for (int i = 0; i < 5; i++)
		loop_once(loop, 1);
	ck_assert_int_eq(read(fds[1], got, sizeof(got)), 5);
	ck_assert_int_eq(write(fds[1], "echo", 4), 4);
	for (int i = 0; i < 5; i++)
		loop_once(loop, 1);
	ck_assert_int_eq(read(fds[1], got, sizeof(got)), 4);
	stream_abort(&s);
	close(fds[1]);
	loop_free(loop);
}
END_TEST

/* An owner that pauses at its first input, as one that asks a peer. */
struct asker {
	struct stream s;
	bool closed;
};

static void asker_input(void *arg)
{
	struct asker *a = arg;

	stream_pause(&a->s);
}

static void asker_closed(void *arg)
{
	((struct asker *)arg)->closed = true;
}

static void asker_ended(void *arg, enum stream_end how)
{
	struct asker *a = arg;

	(void)how;
	stream_close(&a->s, asker_closed);
}

static const struct stream_events asker_events = { asker_input, NULL, asker_ended };

/* The remote has gone while the owner waited; its answer finds that out, and going on afterwards must not undo the end. */
START_TEST(answer_to_one_who_left)
{
	struct asker a = { 0 };
	struct loop *loop = loop_new();
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	stream_start(&a.s, loop, fds[0], 4096, &asker_events, &a);
	ck_assert_int_eq(write(fds[1], "question\nmore\n", 14), 14);
	loop_once(loop, 1);
	close(fds[1]);
	stream_write(&a.s, STR("answer"));
	stream_resume(&a.s);
	for (int i = 0; i < 5 && !a.closed; i++)
		loop_once(loop, 1);
	ck_assert(a.closed);
	loop_free(loop);
}
END_TEST

TEST_MAIN("stream", {
	tcase_add_test(tc, answer_to_one_who_left);
	tcase_add_loop_test(tc, greeting_waits_for_a_read, 0, 2);
})
