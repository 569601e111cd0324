/* wire - the client's bytes, in the session's own process: lines in, buffered output. Blocking, with a time limit. */
#ifndef POP3SESSION_WIRE_H
#define POP3SESSION_WIRE_H

#include "base/buf.h"

enum { WIRE_LINE_MAX = 1024, WIRE_FLUSH_AT = 32 * 1024 };

struct wire {
	int fd;
	struct buf in, out;
	size_t used; /* of in */
	bool broken;
};

enum wire_line { WIRE_OK, WIRE_LONG, WIRE_GONE };

/* The next line without its end; it lives until the next call. Sends what is queued before it waits. */
enum wire_line wire_line(struct wire *w, struct str *line);
void wire_put(struct wire *w, struct str bytes);
__attribute__((format(printf, 2, 3))) void wire_say(struct wire *w, const char *format, ...);
/* False: the client is gone. */
bool wire_flush(struct wire *w);

#endif
