/* bounce - the message that tells a sender what could not be delivered, or is late (RFC 3464, 6522), as text. */
#ifndef QMGR_BOUNCE_H
#define QMGR_BOUNCE_H

#include "queue/env.h"

enum { BOUNCE_HEADERS_MAX = 50 << 10 };

enum bounce_kind {
	BOUNCE_FAILED,
	BOUNCE_DELAYED, /* it is still tried */
	BOUNCE_DOUBLE,	/* to postmaster: what failed had no sender */
};

struct bounce {
	enum bounce_kind kind;
	struct str to;
	int64_t until_us; /* of BOUNCE_DELAYED: it is tried until then */
	bool whole;	  /* the content is all of it, and goes along */
	struct str host;    /* ours */
	struct str date;    /* RFC 5322 */
	struct queue_id id; /* of the bounce itself */
	struct str arrival_date;
	const struct env *env; /* the message: its recipients in ENV_FAILED, or those still open, are told of */
	struct str content;    /* its beginning; when it is not whole only the headers go along, cut at the limit */
};

/*
 * Adds the whole message, LF line ends. Whatever is not printable ASCII in what peers and clients gave becomes '?', and a value is cut at 400 octets.
 * False when `out` is full.
 */
bool bounce_write(const struct bounce *b, struct buf *out);

#endif
