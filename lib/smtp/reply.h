/*
 * reply - what is answered to a client, or was answered by a remote: code, enhanced status, text.
 *
 * One reply serves the wire, the DSN and the log. The text may hold several lines, divided by '\n'.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"

enum { REPLY_TEXT_MAX = 256, REPLY_LINE_MAX = 512 };

struct reply {
	int code;		   /* 200..559 */
	uint8_t enh[3];		   /* class, subject, detail (RFC 3463); class 0: none */
	char text[REPLY_TEXT_MAX]; /* with a NUL */
};

/* REPLY(250, 2,0,0, "Ok"): a reply with a literal text. */
#define REPLY(code_, class_, subject_, detail_, text_) \
	((struct reply){ .code = (code_), .enh = { (class_), (subject_), (detail_) }, .text = "" text_ })

/* A text that is too long is cut. */
__attribute__((format(printf, 5, 6))) struct reply reply_make(int code, uint8_t class, uint8_t subject, uint8_t detail,
							      const char *format, ...);

/*
 * Adds the reply as it goes over the wire: a line for each line of the text, "250-..." but for the last, the enhanced
 * status on each (RFC 2034), CRLF at the end. A line is cut to 512 octets; an octet that is not printable ASCII goes
 * out as '?'. False when `out` is full; nothing is added then.
 */
bool reply_write(const struct reply *r, struct buf *out);

/* One line with the code and status of `r` but another text, for long answers such as EHLO's. */
bool reply_write_line(const struct reply *r, struct str text, bool last, struct buf *out);

#endif
