/*
 * trace - the fields that a mail system adds to a message (RFC 5321 4.4, RFC 5322 3.6.4), ended by LF.
 *
 * Values are at most TRACE_VALUE_MAX octets of UTF-8 without control characters; with any other nothing is added and the
 * answer is false, so that no value can begin a field of its own. False too when `out` is full.
 */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include "base/buf.h"

enum { TRACE_VALUE_MAX = 320 };

/*
 * Received: from HELO (client_name [client_address])
 *         (using TLS_PROTOCOL with cipher CIPHER (bits/bits_most bits))
 *         (Authenticated sender: LOGIN)
 *         by HOST (Tayori) with PROTOCOL id QUEUE_ID
 *         for <RCPT>; DATE
 * An empty slice leaves its part out: helo for mail born here, tls_protocol, login, protocol, rcpt.
 */
struct trace_received {
	struct str helo;
	struct str client_name; /* empty: "unknown" */
	struct str client_address;
	struct str tls_protocol, cipher;
	unsigned bits, bits_most;
	struct str login;
	struct str host;
	struct str protocol; /* RFC 3848: "ESMTPSA" */
	struct str queue_id;
	struct str rcpt; /* only where there is one: it would tell it to the others */
	struct str date; /* RFC 5322, 3.3 */
};

bool trace_received(const struct trace_received *t, struct buf *out);

/* "Return-Path: <sender>"; the empty sender is "<>". */
bool trace_return_path(struct str sender, struct buf *out);
bool trace_delivered_to(struct str rcpt, struct buf *out);
bool trace_original_to(struct str rcpt, struct buf *out);
/* "Message-ID: <left@host>" */
bool trace_message_id(struct str left, struct str host, struct buf *out);
bool trace_date(struct str date, struct buf *out);

#endif
