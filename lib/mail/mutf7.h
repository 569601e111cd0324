/* mutf7 - mailbox names in IMAP's modified UTF-7 (RFC 3501, 5.1.3). Strict. */
#ifndef MAIL_MUTF7_H
#define MAIL_MUTF7_H

#include "base/buf.h"

/*
 * To UTF-8. False and nothing added: 8-bit octets, a shift that is not ended, not canonical base64, what could stand
 * for itself, lone surrogates.
 */
bool mutf7_decode(struct str in, struct buf *out);
/* From UTF-8; false when `in` is none. */
bool mutf7_encode(struct str in, struct buf *out);

#endif
