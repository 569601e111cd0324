/*
 * channel - frames between two daemons over one SOCK_SEQPACKET pair that master made.
 *
 * One side is the client and asks, the other the server and answers; both trust nothing of what comes: a frame that is
 * malformed, of a type that `handlers` does not name, or an answer to no question breaks the channel, and only it.
 *
 * A client's channel survives its server: while the server is away questions wait (until their own deadline); those
 * that had been sent fail with CALL_BROKEN, and the caller decides whether asking again is harmless.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include "io/loop.h"
#include "ipc/schema.h"

struct channel;

/* What a server does with a question (or a client with a notice); `message` points to the decoded struct. */
struct ipc_handler {
	const struct ipc_schema *schema;
	void (*run)(struct channel *ch, uint32_t serial, void *message);
};

/* Who is at the other end: told by master, not by the peer. */
struct channel_peer {
	char daemon[24];   /* as in the house's table: "smtpd" */
	char service[64];  /* as in master.cf: "submission" */
	uint32_t authority; /* enum authority: what the peer may ask for */
	uint32_t pid;
};

struct channel {
	struct loop *loop;
	int fd;
	struct watch watch;
	struct channel_peer peer;
	const struct ipc_handler *handlers;
	size_t n_handlers;
	void (*broken)(struct channel *ch, const char *why); /* the peer died, or broke the rules */
	void *arg;					     /* the owner's */
	struct out_frame *out, **out_end;
	size_t out_bytes, out_limit;
	struct call *calls;
	uint32_t serial;
	size_t unanswered;     /* questions of the peer that this side has not answered */
	size_t most_unanswered; /* at this many, reading pauses; 0: no limit */
};

/* Starts a channel; fd < 0: its peer is not there yet (channel_attach). out_limit: octets of unsent frames. */
void channel_start(struct channel *ch, struct loop *loop, int fd, const struct channel_peer *peer,
		   const struct ipc_handler *handlers, size_t n_handlers,
		   void (*broken)(struct channel *ch, const char *why), void *arg);
/* A (new) peer: waiting questions are sent to it. */
void channel_attach(struct channel *ch, int fd);
/* Closes; outstanding calls fail with CALL_BROKEN. `broken` is not called. */
void channel_stop(struct channel *ch);
/* As if the peer had died: for handlers that find a message in order by form but not allowed. */
void channel_break(struct channel *ch, const char *why);

enum call_result { CALL_OK, CALL_TIMEOUT, CALL_BROKEN, CALL_FULL };

/* An outstanding question, embedded in whoever asks. */
struct call {
	struct call *next, **prev;
	struct channel *ch;
	uint32_t serial;
	bool sent;
	const struct ipc_schema *answer;
	struct timer timer;
	/* message: the decoded answer, or NULL unless CALL_OK. Never called from within channel_call. */
	void (*done)(void *arg, enum call_result result, void *message);
	void *arg;
	enum call_result result;
};

/* Asks. `call` must be idle. After `ms` milliseconds without an answer: CALL_TIMEOUT. Descriptors are duplicated. */
void channel_call(struct channel *ch, const struct ipc_schema *question, const void *message,
		  const struct ipc_schema *answer, int64_t ms, struct call *call,
		  void (*done)(void *arg, enum call_result result, void *message), void *arg);
/* Forgets the question; an answer that still comes is thrown away. Harmless on an idle call. */
void call_cancel(struct call *call);
static inline bool call_is_out(const struct call *call) { return call->ch != NULL; }

/* Answers question `serial`; sends something that asks for nothing. False: over a limit, or the peer is gone. */
bool channel_answer(struct channel *ch, uint32_t serial, const struct ipc_schema *schema, const void *message);
bool channel_notify(struct channel *ch, const struct ipc_schema *schema, const void *message);

/*
 * For sequential processes, on a bare blocking descriptor. Serial 0 is a notice. `head` says what came; the payload
 * stays in `frame` for ipc_decode. frame_receive: 1, 0 when the peer is gone, -1 with errno (EPROTO: malformed).
 */
struct frame_head {
	uint16_t type;
	bool answer;
	uint32_t serial;
};
int frame_send(int fd, const struct ipc_schema *schema, bool answer, uint32_t serial, const void *message);
int frame_receive(int fd, struct buf *frame, struct frame_head *head, struct str *payload, int fds[IPC_FDS_MAX],
		  size_t *n_fds);
/* Asks and waits for the answer of that schema, at most `ms`; false on anything else. `frame` backs its slices. */
bool frame_call(int fd, const struct ipc_schema *question, const void *message, const struct ipc_schema *answer,
		int64_t ms, struct buf *frame, void *reply);
/* Closes those of `fds` that nobody took. */
void frame_close_fds(int fds[], size_t n);

/* A pair for a new channel, close-on-exec, with room for frames of the largest size. 0, or -1 with errno. */
int channel_pair(int fds[2]);

#endif
