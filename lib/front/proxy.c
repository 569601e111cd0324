/*
 * Under TLS the front stays between client and session: what one sends is written to the other. A side that does not
 * read makes us stop reading from the other one, so a connection holds a bounded number of bytes.
 */
#include "front/inner.h"

enum { CHUNK_MAX = 16 * 1024, UNSENT_MOST = 64 * 1024 };

static void move(struct stream *from, struct stream *to)
{
	struct str bytes = stream_input(from);

	stream_write(to, bytes);
	stream_consume(from, bytes.n);
	if (stream_unsent(to) > UNSENT_MOST)
		stream_pause(from);
}

static void client_input(void *arg)
{
	struct front_conn *c = arg;

	c->to_session += stream_input(&c->stream).n;
	move(&c->stream, &c->session);
}

static void session_input(void *arg)
{
	struct front_conn *c = arg;

	c->from_session += stream_input(&c->session).n;
	move(&c->session, &c->stream);
	sleep_moved(c);
}

static void client_drained(void *arg)
{
	struct front_conn *c = arg;

	if (c->session.paused)
		stream_resume(&c->session);
}

static void session_drained(void *arg)
{
	struct front_conn *c = arg;

	if (c->stream.paused)
		stream_resume(&c->stream);
}

void proxy_take(struct front_conn *c)
{
	if (stream_input(&c->stream).n > 0)
		client_input(c);
}

/* Either side's end is the end; what the session said last still goes out. */
static void ended(void *arg, enum stream_end how)
{
	struct front_conn *c = arg;

	(void)how;
	front_close(c);
}

static const struct stream_events client_side = { client_input, client_drained, ended };
static const struct stream_events session_side = { session_input, session_drained, ended };

void proxy_start(struct front_conn *c, int fd)
{
	c->has_session = true;
	c->to_session = c->from_session = 0;
	stream_start(&c->session, c->front->run->loop, fd, CHUNK_MAX, &session_side, c);
	c->stream.events = &client_side;
	c->stream.in_limit = CHUNK_MAX;
	stream_deadline(&c->stream, 0);
	stream_resume(&c->stream);
}
