/*
 * wire - the client's bytes, in the session's own process: commands with their literals in, buffered output. Blocking,
 * with the socket's time limits.
 *
 * A command is gathered whole, but for the message literal of APPEND, which is never held. What is over a limit is refused
 * before it is read where the client waits for that, else read and thrown away (RFC 7888), so that the next command
 * is found.
 */
#ifndef IMAPSESSION_WIRE_H
#define IMAPSESSION_WIRE_H

#include "base/buf.h"

enum {
	WIRE_COMMAND_MAX = 64 * 1024, /* octets of a command with all its literals; and of a line */
	WIRE_SKIP_MAX = 256 << 20,    /* of one command that are only thrown away */
	WIRE_FLUSH_AT = 32 * 1024,
};

enum wire_got {
	WIRE_OK,
	WIRE_MESSAGE, /* all up to APPEND's message: wire_message_begin or wire_message_refuse is next */
	WIRE_BAD,     /* it cannot be read: w->why says why. *command is its beginning, for the tag */
	WIRE_FLOOD,   /* over WIRE_SKIP_MAX: say goodbye */
	WIRE_SILENT,  /* the time limit has passed */
	WIRE_GONE,
};

struct wire {
	int fd;
	struct buf in, out;
	size_t used;	    /* of in */
	size_t seen;	    /* of in: no line end in [used, seen) */
	struct buf command; /* as gathered so far */
	const char *why;
	uint64_t message;   /* octets of APPEND's literal that are still to come */
	uint64_t skipped;   /* of this command */
	bool pending;	    /* nobody has begun or refused that yet */
	bool waits;	    /* the client waits for our "+" before it sends them */
	bool broken;
	uint64_t received, sent; /* octets through fd */
};

/* The next command, without its last line end; it lives until the next call. Sends what is queued before it waits. */
enum wire_got wire_command(struct wire *w, struct str *command);
/* The same for a line that is no command, as IDLE ends with. */
enum wire_got wire_line(struct wire *w, struct str *line);
/* Whether something has come that was not read yet. */
bool wire_unread(const struct wire *w);

/* Lets the client send the message; then its octets piece by piece, an empty one at its end. */
void wire_message_begin(struct wire *w);
enum wire_got wire_message_next(struct wire *w, struct str *piece);
/* What stands behind the message: WIRE_OK when the command ends there. */
enum wire_got wire_message_end(struct wire *w);
/* Without reading it, or by throwing it away. */
enum wire_got wire_message_refuse(struct wire *w);

void wire_put(struct wire *w, struct str bytes);
/* A line. */
__attribute__((format(printf, 2, 3))) void wire_say(struct wire *w, const char *format, ...);
/* Sends what is queued when that is much. For whoever writes to w->out. */
void wire_tide(struct wire *w);
/* False: the client is gone. */
bool wire_flush(struct wire *w);
void wire_free(struct wire *w);

/* Decimal, without the cost of printf. */
void put_number(struct buf *out, uint64_t n);

#endif
