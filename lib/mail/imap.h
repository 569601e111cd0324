/*
 * imap - what IMAP shows of a message's header and structure, as the text that goes over the wire (RFC 3501, 7.4.2).
 *
 * Strings are quoted where they may be (at most 1,000 octets of printable ASCII), NIL where there is nothing, else
 * literals {n} CRLF octets. Raw values: encoded words stay encoded. NUL never comes out. Envelope and structure have
 * a limit (IMAP_TEXT_MAX), for which `out` must have room: over it, fields are given as NIL or lists cut, so that the
 * text is always well formed.
 */
#ifndef MAIL_IMAP_H
#define MAIL_IMAP_H

#include "mail/mime.h"

enum { IMAP_TEXT_MAX = 1 << 20, IMAP_ADDRESSES_MAX = 10000 /* of one field */ };

/* A string as IMAP writes it; `nstring`: empty gives NIL, else "". */
void imap_string(struct str s, struct buf *out);
void imap_nstring(struct str s, struct buf *out);

/*
 * "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of a header with LF line ends. Address
 * fields that come more than once are taken together, of others the first one. A mailbox without a host has an empty
 * one.
 */
void imap_envelope(struct str header, struct buf *out);

/*
 * BODY (extended: BODYSTRUCTURE). A multipart without parts, and a message that was not parsed into, is given as one
 * with an empty text part, since the grammar wants one.
 */
void imap_structure(struct str message, const struct mime_part *root, bool extended, struct buf *out);

#endif
