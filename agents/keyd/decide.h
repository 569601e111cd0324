/* decide - what keyd signs: content that it builds itself from parts which it understands, so that it is no oracle. */
#ifndef KEYD_DECIDE_H
#define KEYD_DECIDE_H

#include "base/buf.h"
#include "ipc/messages.h"

/* The keys that are served, as bits. */
enum key_kind { KEY_P256 = 1, KEY_P384 = 2, KEY_RSA = 4 };

struct scheme {
	uint16_t number;  /* SignatureScheme: RFC 8446, 4.2.3 */
	int tls13, tls12; /* enum key_kind: which keys may sign so */
	const char *digest;
	bool pss;
};

/*
 * The content that TLS has signed for this question (RFC 8446, 4.4.3; RFC 8422, 5.4) is added to `content`. NULL and
 * nothing added: the question is malformed, mixes the versions, or its scheme does not fit the key.
 */
const struct scheme *sign_content(const struct key_sign *question, enum key_kind kind, struct buf *content);

#endif
