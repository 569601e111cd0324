#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "io/fd.h"
#include "ipc/frame.h"

enum { OUT_LIMIT = 8 * 1024 * 1024, BURST = 64 };

struct out_frame {
	struct out_frame *next;
	struct call *call; /* marked as sent when the frame has gone */
	size_t n_fds, n;
	int fds[IPC_FDS_MAX];
	char bytes[];
};

static void ready(void *arg, int what);

static void watch_again(struct channel *ch)
{
	int what = 0;

	if (ch->fd < 0)
		return;
	if (ch->most_unanswered == 0 || ch->unanswered < ch->most_unanswered)
		what |= WATCH_READ;
	if (ch->out)
		what |= WATCH_WRITE;
	watch_set(&ch->watch, ch->loop, ch->fd, what, ready, ch);
}

static void drop_first(struct channel *ch)
{
	struct out_frame *f = ch->out;

	ch->out = f->next;
	if (!ch->out)
		ch->out_end = &ch->out;
	ch->out_bytes -= f->n;
	for (size_t i = 0; i < f->n_fds; i++)
		close(f->fds[i]);
	free(f);
}

static void unlink_call(struct call *call)
{
	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	timer_stop(&call->timer);
	for (struct out_frame *f = call->ch->out; f; f = f->next)
		if (f->call == call)
			f->call = NULL;
	call->ch = NULL;
}

static void finish(struct call *call, enum call_result result, void *message)
{
	unlink_call(call);
	call->done(call->arg, result, message);
}

static void finish_later(void *arg)
{
	struct call *call = arg;

	finish(call, call->result, NULL);
}

/* Fails what was sent, from the loop, not from here: callers hold their own state in their hands now. */
static void fail_sent(struct channel *ch, bool all)
{
	for (struct call *c = ch->calls; c; c = c->next) {
		if (!c->sent && !all)
			continue;
		c->result = CALL_BROKEN;
		timer_set(&c->timer, ch->loop, 0, finish_later, c);
	}
}

static void hang_up(struct channel *ch)
{
	watch_stop(&ch->watch);
	fd_close(&ch->fd);
	ch->unanswered = 0;
}

void channel_break(struct channel *ch, const char *why)
{
	if (ch->fd < 0)
		return;
	hang_up(ch);
	/* Answers are for the old peer; questions that were not sent wait for the new one. */
	struct out_frame *keep = NULL, **end = &keep, *next;
	for (struct out_frame *f = ch->out; f; f = next) {
		next = f->next;
		if (f->call) {
			f->next = NULL;
			*end = f;
			end = &f->next;
			continue;
		}
		ch->out = f;
		ch->out_bytes -= f->n;
		for (size_t i = 0; i < f->n_fds; i++)
			close(f->fds[i]);
		free(f);
	}
	ch->out = keep;
	ch->out_end = keep ? end : &ch->out;
	fail_sent(ch, false);
	if (ch->broken)
		ch->broken(ch, why);
}

static void flush(struct channel *ch)
{
	while (ch->out && ch->fd >= 0) {
		struct out_frame *f = ch->out;
		if (frame_put(ch->fd, str_of(f->bytes, f->n), f->fds, f->n_fds, MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
				break;
			channel_break(ch, "the peer is gone");
			return;
		}
		if (f->call)
			f->call->sent = true;
		drop_first(ch);
	}
	watch_again(ch);
}

static bool push(struct channel *ch, struct str frame, const int fds[], size_t n_fds, struct call *call)
{
	if (ch->out_bytes + frame.n > ch->out_limit)
		return false;
	struct out_frame *f = malloc(sizeof(*f) + frame.n);
	if (!f)
		panic("out of memory: frame of %zu", frame.n);
	*f = (struct out_frame){ .call = call, .n = frame.n };
	memcpy(f->bytes, frame.p, frame.n);
	for (; f->n_fds < n_fds; f->n_fds++) {
		f->fds[f->n_fds] = fcntl(fds[f->n_fds], F_DUPFD_CLOEXEC, 0);
		if (f->fds[f->n_fds] < 0)
			break;
	}
	*ch->out_end = f;
	ch->out_end = &f->next;
	ch->out_bytes += frame.n;
	if (f->n_fds < n_fds) {
		/* Not the whole frame: better none. It is the last one, so the end moves back. */
		struct out_frame **at = &ch->out;
		while (*at != f)
			at = &(*at)->next;
		*at = NULL;
		ch->out_end = at;
		ch->out_bytes -= f->n;
		for (size_t i = 0; i < f->n_fds; i++)
			close(f->fds[i]);
		free(f);
		return false;
	}
	return true;
}

static bool send_frame(struct channel *ch, const struct ipc_schema *schema, bool answer, uint32_t serial,
		       const void *message, struct call *call)
{
	scoped_buf struct buf out = { 0 };
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	if (!frame_encode(schema, answer, serial, message, &out, fds, &n_fds))
		return false;
	/* The common case: nothing waits, so it goes out at once and without a copy. */
	if (ch->fd >= 0 && !ch->out) {
		if (frame_put(ch->fd, buf_str(&out), fds, n_fds, MSG_DONTWAIT) >= 0) {
			if (call)
				call->sent = true;
			return true;
		}
		if (errno != EAGAIN && errno != ENOBUFS && errno != ETOOMANYREFS && errno != EPIPE && errno != ECONNRESET)
			return false;
	}
	if (!call && ch->fd < 0)
		return false;
	if (!push(ch, buf_str(&out), fds, n_fds, call))
		return false;
	watch_again(ch);
	return true;
}

void channel_start(struct channel *ch, struct loop *loop, int fd, const struct channel_peer *peer,
		   const struct ipc_handler *handlers, size_t n_handlers,
		   void (*broken)(struct channel *ch, const char *why), void *arg)
{
	*ch = (struct channel){ .loop = loop,
				.fd = -1,
				.handlers = handlers,
				.n_handlers = n_handlers,
				.broken = broken,
				.arg = arg,
				.out_limit = OUT_LIMIT };
	ch->out_end = &ch->out;
	if (peer)
		ch->peer = *peer;
	if (fd >= 0)
		channel_attach(ch, fd);
}

void channel_attach(struct channel *ch, int fd)
{
	if (ch->fd >= 0)
		channel_break(ch, "replaced by a new peer");
	fd_nonblocking(fd);
	ch->fd = fd;
	flush(ch);
}

void channel_stop(struct channel *ch)
{
	hang_up(ch);
	fail_sent(ch, true);
	while (ch->out)
		drop_first(ch);
}

static void call_timed_out(void *arg)
{
	finish(arg, CALL_TIMEOUT, NULL);
}

void channel_call(struct channel *ch, const struct ipc_schema *question, const void *message,
		  const struct ipc_schema *answer, int64_t ms, struct call *call,
		  void (*done)(void *arg, enum call_result result, void *message), void *arg)
{
	ASSERT(!call_is_out(call));
	if (++ch->serial == 0)
		ch->serial = 1;
	*call = (struct call){ .ch = ch, .serial = ch->serial, .answer = answer, .done = done, .arg = arg };
	call->next = ch->calls;
	call->prev = &ch->calls;
	if (call->next)
		call->next->prev = &call->next;
	ch->calls = call;
	if (send_frame(ch, question, false, call->serial, message, call)) {
		timer_set(&call->timer, ch->loop, ms, call_timed_out, call);
	} else {
		call->result = CALL_FULL;
		timer_set(&call->timer, ch->loop, 0, finish_later, call);
	}
}

void call_cancel(struct call *call)
{
	if (call->ch)
		unlink_call(call);
}

bool channel_answer(struct channel *ch, uint32_t serial, const struct ipc_schema *schema, const void *message)
{
	if (ch->fd < 0)
		return false;
	if (ch->unanswered > 0)
		ch->unanswered--;
	bool ok = send_frame(ch, schema, true, serial, message, NULL);
	watch_again(ch);
	return ok;
}

bool channel_notify(struct channel *ch, const struct ipc_schema *schema, const void *message)
{
	return ch->fd >= 0 && send_frame(ch, schema, false, 0, message, NULL);
}

/* Answers to questions that were given up come late and are thrown away. */
static const char *take_answer(struct channel *ch, const struct frame_head *head, struct str payload, int fds[],
			       size_t n_fds)
{
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX];
	struct call *call = ch->calls;

	while (call && (call->serial != head->serial || !call->sent))
		call = call->next;
	if (!call || (call->result == CALL_BROKEN && timer_is_set(&call->timer)))
		return NULL;
	if (head->type != call->answer->type)
		return "an answer of the wrong type";
	if (!ipc_decode(call->answer, payload, fds, n_fds, message))
		return "a malformed answer";
	const struct ipc_schema *schema = call->answer;
	finish(call, CALL_OK, message);
	ipc_close_fds(schema, message);
	return NULL;
}

static const char *take_question(struct channel *ch, const struct frame_head *head, struct str payload, int fds[],
				 size_t n_fds)
{
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX];
	const struct ipc_handler *h = NULL;

	for (size_t i = 0; i < ch->n_handlers && !h; i++)
		if (ch->handlers[i].schema->type == head->type)
			h = &ch->handlers[i];
	if (!h)
		return "a message that it may not send";
	if (!ipc_decode(h->schema, payload, fds, n_fds, message))
		return "a malformed message";
	if (head->serial != 0)
		ch->unanswered++;
	const struct ipc_schema *schema = h->schema;
	h->run(ch, head->serial, message);
	ipc_close_fds(schema, message);
	return NULL;
}

/* False when there is nothing more to read now, or the channel is gone. */
static bool take_frame(struct channel *ch, struct buf *frame)
{
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;
	int fd = ch->fd;

	int got = frame_get(fd, frame, &head, &payload, fds, &n_fds, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (got <= 0) {
		channel_break(ch, got == 0 || errno != EPROTO ? "the peer is gone" : "a malformed frame");
		return false;
	}
	const char *bad = head.answer ? take_answer(ch, &head, payload, fds, n_fds)
				      : take_question(ch, &head, payload, fds, n_fds);
	frame_close_fds(fds, n_fds);
	if (bad)
		channel_break(ch, bad);
	/* A client whose questions are all answered expects nothing more: a read that finds nothing would be wasted. */
	if (head.answer && !ch->calls)
		return false;
	return ch->fd == fd && (ch->most_unanswered == 0 || ch->unanswered < ch->most_unanswered);
}

static void ready(void *arg, int what)
{
	struct channel *ch = arg;
	scoped_buf struct buf frame = { 0 };

	if (what & WATCH_WRITE)
		flush(ch);
	/* A burst at a time, so that one busy peer does not starve the others. */
	for (int i = 0; what & WATCH_READ && ch->fd >= 0 && i < BURST; i++)
		if (!take_frame(ch, &frame))
			break;
	watch_again(ch);
}
