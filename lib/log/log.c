#include "log/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/utf8.h"
#include "ipc/frame.h"
#include "ipc/messages.h"

/* Characters that break a line or turn its direction: U+2028 to U+202E, U+2066 to U+2069. */
static bool is_trick(struct str s)
{
	if (s.n < 3 || (uint8_t)s.p[0] != 0xe2)
		return false;
	uint8_t b = (uint8_t)s.p[1], c = (uint8_t)s.p[2];
	return (b == 0x80 && c >= 0xa8 && c <= 0xae) || (b == 0x81 && c >= 0xa6 && c <= 0xa9);
}

/* How many octets of one printable UTF-8 character begin the slice; 0: none. */
static size_t printable(struct str s)
{
	uint8_t c = (uint8_t)s.p[0];

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	if (c == 0xc2 && s.n > 1 && (uint8_t)s.p[1] < 0xa0)
		return 0; /* C1 */
	if (is_trick(s))
		return 0;
	for (size_t n = 2; n <= 4 && n <= s.n; n++)
		if (utf8_valid(str_head(s, n)))
			return n;
	return 0;
}

void log_clean(char *line, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t good = printable(str_of(line + i, n - i));
		if (good == 0)
			line[i++] = '?';
		else
			i += good;
	}
}

static void send_line(struct log *log, enum log_severity severity, struct str text)
{
	struct log_line line = { .severity = (uint8_t)severity, .dropped = log->dropped, .text = text };
	scoped_buf struct buf frame = { 0 };
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	if (!frame_encode(&log_line_schema, false, 0, &line, &frame, fds, &n_fds))
		return;
	if (frame_put(log->fd, buf_str(&frame), fds, 0, MSG_DONTWAIT) < 0)
		log->dropped++;
	else
		log->dropped = 0;
}

void log_line(struct log *log, enum log_severity severity, const char *format, ...)
{
	char text[LOG_LINE_MAX];
	int saved = errno;
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t used = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	log_clean(text, used);
	if (log->fd >= 0)
		send_line(log, severity, str_of(text, used));
	else
		fprintf(stderr, "%.*s\n", (int)used, text);
	errno = saved;
}
