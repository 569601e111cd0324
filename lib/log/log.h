/*
 * log - lines to logd, which adds time, host and who wrote it.
 *
 * A line never waits for logd: when it does not keep up the line is dropped and the next one carries the count.
 * Every octet that is not printable text becomes '?', so that one event is one line whatever a client sent.
 * The words and keys of each event are in log/words.h.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/str.h"

enum log_severity { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_DETAIL, LOG_SEVERITIES };

enum { LOG_LINE_MAX = 2048, LOG_VALUE_MAX = 200 };
/* For "%.*s": a value from outside, cut. */
#define LOG_ARG(s) ((s).n > LOG_VALUE_MAX ? LOG_VALUE_MAX : (int)(s).n), ((s).p ? (s).p : "")

struct log {
	int fd; /* to logd, or -1: to stderr */
	uint32_t dropped;
};

__attribute__((format(printf, 3, 4))) void log_line(struct log *log, enum log_severity severity, const char *format,
						    ...);

/* Makes a line printable in place: control octets, DEL, C1, what breaks or turns a line, and what is not UTF-8 become "?". */
void log_clean(char *line, size_t n);

#endif
