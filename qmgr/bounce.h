/* bounce - the message that tells a sender what could not be delivered (RFC 3462, 3464), as text. */
#ifndef QMGR_BOUNCE_H
#define QMGR_BOUNCE_H

#include "queue/env.h"

enum { BOUNCE_HEADERS_MAX = 50 << 10 };

struct bounce {
	struct str host;    /* ours */
	struct str date;    /* RFC 5322 */
	struct queue_id id; /* of the bounce itself */
	struct str arrival_date;
	const struct env *env; /* the undeliverable message: its recipients in ENV_FAILED are told of */
	struct str content;    /* its beginning; only the headers go along, cut at the limit */
};

/*
 * Adds the whole message, LF line ends. Whatever is not printable ASCII in what peers and clients gave becomes '?', and a value is cut at 400 octets.
 * False when `out` is full.
 */
bool bounce_write(const struct bounce *b, struct buf *out);

#endif
