#include "wire.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>

bool wire_flush(struct wire *w)
{
	struct str rest = buf_str(&w->out);

	while (rest.n > 0 && !w->broken) {
		ssize_t n = send(w->fd, rest.p, rest.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			w->broken = true; /* a time limit on sending ends here too */
		else
			rest = str_skip(rest, (size_t)n);
	}
	buf_reset(&w->out);
	return !w->broken;
}

void wire_put(struct wire *w, struct str bytes)
{
	buf_add(&w->out, bytes);
	if (w->out.n >= WIRE_FLUSH_AT)
		wire_flush(w);
}

void wire_say(struct wire *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&w->out, format, ap);
	va_end(ap);
	buf_add(&w->out, STR("\r\n"));
}

static bool take_line(struct wire *w, struct str *line)
{
	struct str rest = str_skip(buf_str(&w->in), w->used);
	ptrdiff_t end = str_find(rest, '\n');

	if (end < 0)
		return false;
	w->used += (size_t)end + 1;
	*line = str_head(rest, (size_t)end);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

enum wire_line wire_line(struct wire *w, struct str *line)
{
	while (!take_line(w, line)) {
		buf_consume(&w->in, w->used);
		w->used = 0;
		if (w->in.n >= WIRE_LINE_MAX)
			return WIRE_LONG;
		if (!wire_flush(w))
			return WIRE_GONE;
		buf_reserve(&w->in, 4096);
		ssize_t n = recv(w->fd, w->in.p + w->in.n, 4096, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return WIRE_GONE;
		w->in.n += (size_t)n;
	}
	return line->n > WIRE_LINE_MAX ? WIRE_LONG : WIRE_OK;
}
