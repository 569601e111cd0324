/*
 * remote - what a server answers to us (RFC 5321, 4.2), line by line, and what its EHLO offers. Pure.
 *
 * Words of a remote are kept as printable ASCII, everything else becomes '?'. An answer has at most REMOTE_LINES_MAX lines.
 */
#ifndef SMTP_REMOTE_H
#define SMTP_REMOTE_H

#include "base/buf.h"

enum { REMOTE_LINE_MAX = 4096, REMOTE_LINES_MAX = 128, REMOTE_TEXT_MAX = 400 };

struct remote_reply {
	int code;		    /* 200 to 599 */
	char status[16];	    /* enhanced status of its first line, when its class fits the code; else "" */
	char text[REMOTE_TEXT_MAX]; /* "550 5.1.1 no such user": the lines, a blank between */
	unsigned lines;
};

enum remote_line { REMOTE_MORE, REMOTE_WHOLE, REMOTE_NONSENSE };

/* The next line, without its end. `r` is {0} before the first one. */
enum remote_line remote_take(struct remote_reply *r, struct str line);

enum remote_offer {
	OFFER_PIPELINING = 1,
	OFFER_8BITMIME = 2,
	OFFER_SMTPUTF8 = 4,
	OFFER_STARTTLS = 8,
	OFFER_SIZE = 16,
	OFFER_AUTH_PLAIN = 32,
	OFFER_AUTH_LOGIN = 64,
	OFFER_AUTH_CRAM_MD5 = 128,
	OFFER_ESMTP = 256, /* for the caller's use: EHLO was understood */
};

/* What a line of the answer to EHLO offers, behind "250-": added to *offers; *size: the limit that it tells (0: none). */
void remote_offer(struct str line, unsigned *offers, uint64_t *size);

#endif
