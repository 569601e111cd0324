/*
 * stream - a connected socket with buffered input and output on an event loop.
 *
 * Output is kept until the handler returns to the loop and leaves in one write, so that the replies to pipelined
 * commands share a packet. Input is read only when the owner wants it. An idle stream holds no buffer memory.
 * A transport may stand between the stream and the descriptor (TLS: see tls/stream).
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/buf.h"
#include "io/loop.h"

struct stream;

/*
 * How bytes get to and from the descriptor. read and write return what was moved, 0 at the end (read only), or
 * STREAM_AGAIN_READ / STREAM_AGAIN_WRITE when the descriptor has to become ready first, or STREAM_BROKEN.
 */
enum { STREAM_AGAIN_READ = -1, STREAM_AGAIN_WRITE = -2, STREAM_BROKEN = -3 };
struct stream_transport {
	ssize_t (*read)(void *state, int fd, char *p, size_t n);
	ssize_t (*write)(void *state, int fd, const char *p, size_t n);
	void (*finish)(void *state, int fd); /* say goodbye (close_notify); never blocks; may be NULL */
	void (*free)(void *state);
	bool (*pending)(void *state); /* holds input that was taken from the descriptor already; may be NULL */
};

enum stream_end {
	STREAM_EOF,     /* the remote closed its side */
	STREAM_LOST,    /* the connection broke */
	STREAM_TIMEOUT, /* stream_deadline came */
};

struct stream_events {
	void (*input)(void *arg);                     /* there is (more) input: take it with stream_input */
	void (*drained)(void *arg);                   /* all output is with the kernel; may be NULL */
	void (*ended)(void *arg, enum stream_end how); /* nothing more will come; the owner calls stream_close */
};

struct stream {
	struct loop *loop;
	int fd;
	struct watch watch;
	struct timer deadline, later;
	struct buf in, out;
	size_t sent; /* of out */
	const struct stream_transport *transport;
	void *transport_state;
	const struct stream_events *events;
	void *arg;
	size_t in_limit;
	bool pressed; /* input came while paused */
	bool paused, ended, corked, lingering, read_wants_write, write_wants_read, broken;
	void (*closed)(void *arg);
};

/* Takes over `fd` (made non-blocking). `in_limit`: most bytes of input that are buffered at a time. */
void stream_start(struct stream *s, struct loop *loop, int fd, size_t in_limit, const struct stream_events *events,
		  void *arg);
/*
 * Puts a transport between from now on; buffered input is thrown away (RFC 3207, 4.2). The stream frees `state`. When
 * what was written before does not leave at once the stream is lost: it must never go out encrypted.
 */
void stream_set_transport(struct stream *s, const struct stream_transport *transport, void *state);

/* What came and was not consumed yet. */
static inline struct str stream_input(const struct stream *s) { return buf_str(&s->in); }
void stream_consume(struct stream *s, size_t n);

enum stream_line { LINE_NONE, LINE_WHOLE, LINE_TOO_LONG };
/*
 * A line that ends with LF (CRLF), without its end; it lies in the input buffer: consume `*used` bytes when done with
 * it. LINE_TOO_LONG: `most` bytes and no end.
 */
enum stream_line stream_line(const struct stream *s, size_t most, struct str *line, size_t *used);

/* Stops or goes on reading; while paused, events.input is not called. Going on calls it when input is buffered. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Queues output. Unsent bytes are limited by the owner: ask stream_unsent. */
void stream_write(struct stream *s, struct str bytes);
static inline size_t stream_unsent(const struct stream *s) { return s->out.n - s->sent; }

/* events.ended(STREAM_TIMEOUT) when it comes before it is set anew; 0 takes it away. */
void stream_deadline(struct stream *s, int64_t ms);

/*
 * Closes: sends what is queued, says goodbye, shuts the write side and waits a little for the remote's end, so that
 * the last reply is not lost by a reset. `closed` is called at last (in the loop, never from here), when the struct may be freed.
 * No other event is called after stream_close.
 */
void stream_close(struct stream *s, void (*closed)(void *arg));
/*
 * Gives the descriptor back, open and unwatched; the stream is over. Take the input first. Output that is unsent, or a
 * transport: -1, and nothing has changed.
 */
int stream_release(struct stream *s);
/* Closes at once. No event is called after it; the struct may be freed. */
void stream_abort(struct stream *s);

#endif
