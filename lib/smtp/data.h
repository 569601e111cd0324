/*
 * data - a message on the wire (CRLF, dots stuffed; RFC 5321, 4.5.2) and as it is kept (LF), both ways, in chunks of
 * any size. One pass; the state is a few words.
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/buf.h"

enum data_flags {
	DATA_BARE_LF = 1,
	DATA_BARE_CR = 2,
	DATA_NUL = 4,
	DATA_TOO_LONG = 8, /* the sink was full; what came after that is gone */
};

enum data_place { DATA_LINE_START, DATA_IN_LINE, DATA_CR, DATA_DOT, DATA_DOT_CR, DATA_END };

/* {0} before the first octet behind "354". */
struct data_decoder {
	enum data_place place;
	unsigned flags; /* enum data_flags: what was seen so far */
	uint64_t size;	/* octets of the message with CRLF, without stuffed dots and the last dot (RFC 1870, 5) */
};

/*
 * Decodes from `wire` and adds to `out`; NULL throws away. Returns how many octets it ate: all, or fewer when the end of
 * the data lies inside; then d->place is DATA_END and the rest are commands. The data ends at CRLF.CRLF (or .CRLF as
 * the first line) and nowhere else. A bare CR or LF is no line end: it is copied as it is and flagged, and the caller
 * refuses the message after its end. A full `out` is flagged too, and decoding goes on to the true end.
 */
size_t data_decode(struct data_decoder *d, struct str wire, struct buf *out);

/* {0} before the first octet; set `stuff` for SMTP and for POP3's multi-line answers. */
struct data_encoder {
	bool stuff;
	bool in_line;
};

/*
 * Adds `text`, whose lines end in LF, with CRLF. Other octets are copied; a CR too, which kept messages do not have.
 * False when `out` is full; the stream is broken then.
 */
bool data_encode(struct data_encoder *e, struct str text, struct buf *out);

/* Ends an unfinished last line; with `stuff`, adds the line with the dot. */
bool data_encode_end(struct data_encoder *e, struct buf *out);

#endif
