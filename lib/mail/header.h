/*
 * header - the header fields of a message (RFC 5322, 2.2) with LF line ends: walked in memory, or watched as it passes.
 *
 * Both agree on every input. A field is a name of printable ASCII but ':', perhaps blanks, ':', a value, and the lines
 * after it that begin with a blank. The header ends at an empty line, at the end of the message, or before the first
 * line that is neither, which then belongs to the body.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"

enum {
	HEADER_FIELDS_MAX = 10000,
	HEADER_OCTETS_MAX = 1 << 20,
	HEADER_NAME_MAX = 64, /* what is kept of a name by the scanner: longer than any that it knows */
};

enum header_stop {
	HEADER_GOES_ON,
	HEADER_EMPTY_LINE,     /* the regular end; the empty line belongs to the header */
	HEADER_END_OF_MESSAGE, /* a message without a body */
	HEADER_NO_FIELD,       /* the next line is no field */
	HEADER_TOO_BIG,	       /* more fields or octets than above; walking in memory only */
};

struct header_iter {
	struct str rest;       /* at the end: the body */
	size_t at;	       /* offset of `rest` in the message */
	size_t fields;	       /* seen so far */
	enum header_stop stop; /* why header_next said false */
};

struct header_field {
	struct str name;  /* without blanks before the colon */
	struct str value; /* raw: all behind the colon, with its folds, without the last LF */
	struct str whole; /* the lines as they are, LF included */
};

static inline struct header_iter header_begin(struct str message)
{
	return (struct header_iter){ .rest = message };
}

/* The next field; false at the end of the header. */
bool header_next(struct header_iter *it, struct header_field *out);

/* Adds a raw value as one line: no CR, no LF, no blanks at its ends. False when `out` is full; nothing is added then. */
bool header_unfold(struct str value, struct buf *out);

/* The fields that the scanner counts. */
enum header_known {
	HEADER_DATE,
	HEADER_FROM,
	HEADER_MESSAGE_ID,
	HEADER_TO,
	HEADER_CC,
	HEADER_BCC,
	HEADER_RETURN_PATH,
	HEADER_RECEIVED,
	HEADER_DELIVERED_TO,
	HEADER_KNOWN,
};

/* {0} before the first octet. Constant memory, linear time, no limits of its own: watch `fields` and `length`. */
struct header_scan {
	size_t count[HEADER_KNOWN]; /* fields of each name so far */
	size_t fields;		    /* of any name */
	size_t length;		    /* octets so far; once stopped, the offset at which the body begins */
	size_t line;		    /* offset of the line in hand; of the one that is no field after HEADER_NO_FIELD */
	enum header_stop stop;	    /* HEADER_GOES_ON while the header is not complete */
	uint8_t place;
	uint8_t name_n;
	char name[HEADER_NAME_MAX];
};

/* The next octets of the message, cut anywhere. After the end of the header it does nothing. */
void header_scan(struct header_scan *h, struct str chunk);
/* The message ends here. */
void header_scan_end(struct header_scan *h);

#endif
