#include "io/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "io/fd.h"

enum {
	READ_CHUNK = 16 * 1024,
	LINGER_MS = 2000,      /* for the remote to take the last reply and close */
	LINGER_SEND_MS = 30000 /* for the remote to read what is queued */
};

static ssize_t again(int wants)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return wants;
	return STREAM_BROKEN;
}

static ssize_t plain_read(void *state, int fd, char *p, size_t n)
{
	ssize_t got;

	(void)state;
	do
		got = recv(fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? again(STREAM_AGAIN_READ) : got;
}

static ssize_t plain_write(void *state, int fd, const char *p, size_t n)
{
	ssize_t put;

	(void)state;
	do
		put = send(fd, p, n, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	return put < 0 ? again(STREAM_AGAIN_WRITE) : put;
}

static const struct stream_transport plain = { plain_read, plain_write, NULL, NULL, NULL };

static void ready(void *arg, int what);
static void go_on(void *arg);

/* The descriptor says nothing of what a transport took from it but could not hand over. */
static bool pending(const struct stream *s)
{
	return s->transport->pending && s->in.n < s->in_limit && s->transport->pending(s->transport_state);
}

static void watch_again(struct stream *s)
{
	bool wants_input = !s->paused && !s->ended && !s->read_wants_write && s->in.n < s->in_limit;
	int what = 0;

	if (s->fd < 0)
		return;
	if (wants_input && pending(s))
		timer_set(&s->later, s->loop, 0, go_on, s);
	if (wants_input || s->lingering || s->write_wants_read)
		what |= WATCH_READ;
	/* A pause is mostly over before anything comes: only what does come is worth a call to stop watching. */
	if (s->paused && !s->pressed && !s->ended && !s->read_wants_write)
		what |= s->watch.what & WATCH_READ;
	if ((stream_unsent(s) > 0 && !s->write_wants_read) || s->read_wants_write)
		what |= WATCH_WRITE;
	watch_set(&s->watch, s->loop, s->fd, what, ready, s);
}

static void end(struct stream *s, enum stream_end how)
{
	if (s->ended)
		return;
	s->ended = true;
	timer_stop(&s->deadline);
	watch_again(s);
	s->events->ended(s->arg, how);
}

static void release(struct stream *s)
{
	watch_stop(&s->watch);
	timer_stop(&s->deadline);
	timer_stop(&s->later);
	if (s->transport->free)
		s->transport->free(s->transport_state);
	s->transport = &plain;
	fd_close(&s->fd);
	buf_free(&s->in);
	buf_free(&s->out);
	s->sent = 0;
}

static void finished(void *arg)
{
	struct stream *s = arg;

	release(s);
	s->closed(s->arg);
}

static void start_linger(struct stream *s)
{
	if (s->transport->finish && !s->broken)
		s->transport->finish(s->transport_state, s->fd);
	shutdown(s->fd, SHUT_WR);
	s->lingering = true;
	timer_set(&s->later, s->loop, LINGER_MS, finished, s);
	watch_again(s);
}

/* While lingering: whatever still comes is thrown away, the end of it ends the stream. */
static void linger_read(struct stream *s)
{
	char waste[4096];

	ssize_t n = recv(s->fd, waste, sizeof(waste), MSG_DONTWAIT);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	watch_stop(&s->watch);
	finished(s);
}

/* Sends what is queued. False when the stream has ended by it. */
static bool flush(struct stream *s)
{
	s->write_wants_read = false;
	while (stream_unsent(s) > 0) {
		ssize_t n = s->transport->write(s->transport_state, s->fd, s->out.p + s->sent, stream_unsent(s));
		if (n == STREAM_AGAIN_READ)
			s->write_wants_read = true;
		if (n == STREAM_AGAIN_READ || n == STREAM_AGAIN_WRITE)
			return true;
		if (n < 0) {
			s->broken = true;
			s->sent = s->out.n = 0;
			if (s->closed)
				timer_set(&s->later, s->loop, 0, finished, s);
			else
				end(s, STREAM_LOST);
			return false;
		}
		s->sent += (size_t)n;
	}
	if (s->out.n == 0)
		return true;
	s->sent = 0;
	buf_free(&s->out);
	if (s->closed)
		start_linger(s);
	else if (s->events->drained)
		s->events->drained(s->arg);
	return s->fd >= 0;
}

/* One read; true when something came. */
static bool fill(struct stream *s)
{
	size_t want = READ_CHUNK;

	s->read_wants_write = false;
	if (want > s->in_limit - s->in.n)
		want = s->in_limit - s->in.n;
	if (!buf_reserve(&s->in, want))
		panic("stream: input limit");
	ssize_t n = s->transport->read(s->transport_state, s->fd, s->in.p + s->in.n, want);
	if (n > 0) {
		s->in.n += (size_t)n;
		return true;
	}
	if (s->in.n == 0)
		buf_free(&s->in);
	if (n == STREAM_AGAIN_WRITE)
		s->read_wants_write = true;
	if (n == STREAM_BROKEN)
		s->broken = true;
	if (n == 0 || n == STREAM_BROKEN)
		end(s, n == 0 ? STREAM_EOF : STREAM_LOST);
	return false;
}

/*
 * Hands input to the owner. Corked: the owner's writes wait until it is done and then leave together. The owner may
 * abort the stream meanwhile (fd < 0) but not free it: it frees in `closed` or after its own handler returned.
 */
static void deliver(struct stream *s)
{
	s->corked = true;
	s->events->input(s->arg);
	s->corked = false;
	if (s->fd < 0)
		return;
	if (s->in.n == 0)
		buf_free(&s->in);
	if (flush(s))
		watch_again(s);
}

static void ready(void *arg, int what)
{
	struct stream *s = arg;

	if (s->lingering) {
		linger_read(s);
		return;
	}
	if ((what & WATCH_WRITE || s->write_wants_read) && !flush(s))
		return;
	if (s->lingering || s->ended || s->closed || s->paused) {
		s->pressed = s->paused && what & WATCH_READ;
		watch_again(s);
		return;
	}
	if ((what & WATCH_READ || s->read_wants_write) && s->in.n < s->in_limit && fill(s)) {
		deliver(s);
		return;
	}
	/* What the write was waiting for, that read may have eaten: the end of a handshake. */
	if (s->write_wants_read && !s->ended && !flush(s))
		return;
	watch_again(s);
}

void stream_start(struct stream *s, struct loop *loop, int fd, size_t in_limit, const struct stream_events *events,
		  void *arg)
{
	*s = (struct stream){
		.loop = loop, .fd = fd, .transport = &plain, .events = events, .arg = arg, .in_limit = in_limit
	};
	fd_nonblocking(fd);
	watch_again(s);
}

void stream_set_transport(struct stream *s, const struct stream_transport *transport, void *state)
{
	bool sent = stream_unsent(s) == 0 || (flush(s) && stream_unsent(s) == 0);

	if (!sent) {
		transport->free(state);
		s->broken = true;
		if (s->fd >= 0)
			end(s, STREAM_LOST);
		return;
	}
	buf_free(&s->in);
	s->transport = transport;
	s->transport_state = state;
}

void stream_consume(struct stream *s, size_t n)
{
	buf_consume(&s->in, n);
}

enum stream_line stream_line(const struct stream *s, size_t most, struct str *line, size_t *used)
{
	ptrdiff_t at = str_find(str_head(stream_input(s), most), '\n');

	if (at < 0)
		return s->in.n >= most ? LINE_TOO_LONG : LINE_NONE;
	*used = (size_t)at + 1;
	*line = str_head(stream_input(s), (size_t)at);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return LINE_WHOLE;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	if (!s->corked)
		watch_again(s);
}

/* Hands over what is buffered here or in the transport. */
static void go_on(void *arg)
{
	struct stream *s = arg;

	if (s->paused || s->ended)
		return;
	bool more = pending(s) && fill(s);
	if (s->ended)
		return;
	if (more || s->in.n > 0)
		deliver(s);
	else
		watch_again(s);
}

void stream_resume(struct stream *s)
{
	s->paused = s->pressed = false;
	/* The write of a reply may have found the remote gone: `later` belongs to the end then. */
	if (s->ended)
		return;
	if (s->in.n > 0 && !s->corked)
		timer_set(&s->later, s->loop, 0, go_on, s);
	if (!s->corked)
		watch_again(s);
}

void stream_write(struct stream *s, struct str bytes)
{
	if (s->fd < 0 || s->broken || s->closed)
		return;
	buf_add(&s->out, bytes);
	if (!s->corked && flush(s))
		watch_again(s);
}

static void deadline_came(void *arg)
{
	end(arg, STREAM_TIMEOUT);
}

void stream_deadline(struct stream *s, int64_t ms)
{
	if (ms > 0)
		timer_set(&s->deadline, s->loop, ms, deadline_came, s);
	else
		timer_stop(&s->deadline);
}

void stream_close(struct stream *s, void (*closed)(void *arg))
{
	s->closed = closed;
	s->ended = true;
	timer_stop(&s->deadline);
	if (s->broken) {
		timer_set(&s->later, s->loop, 0, finished, s);
	} else if (stream_unsent(s) > 0) {
		/* Who has not even finished the handshake gets less patience. */
		timer_set(&s->later, s->loop, s->write_wants_read ? LINGER_MS : LINGER_SEND_MS, finished, s);
		if (!s->corked && flush(s))
			watch_again(s);
	} else {
		start_linger(s);
	}
}

void stream_abort(struct stream *s)
{
	release(s);
}

int stream_release(struct stream *s)
{
	if (stream_unsent(s) > 0 || s->transport != &plain || s->fd < 0)
		return -1;
	int fd = fd_take(&s->fd);
	/* First out of epoll, while the number still means this file. */
	watch_stop(&s->watch);
	release(s);
	return fd;
}
