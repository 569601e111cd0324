/* signed - what a TLS server signs in a handshake, taken apart, so that keyd can build it again and is no oracle. */
#ifndef TLS_SIGNED_H
#define TLS_SIGNED_H

#include "ipc/messages.h"

/*
 * RFC 8446, 4.4.3 (64 blanks, context, NUL, transcript hash) or RFC 8422, 5.4 (both randoms, ServerECDHParams). Sets
 * tls13 and the four slices, which lie in `content`; the rest of *parts stays. False: it is neither.
 */
bool signed_parts(struct str content, struct key_sign *parts);

#endif
