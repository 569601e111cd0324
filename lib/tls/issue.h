/* issue - a certificate that signs itself, for a host that has none yet: it encrypts, and nobody can trust it. */
#ifndef TLS_ISSUE_H
#define TLS_ISSUE_H

#include "base/buf.h"
#include "base/err.h"

/* A fresh P-256 key and its certificate for the host's name, valid for `days` from now, both in PEM. */
bool tls_self_signed(const char *host, int days, struct buf *cert, struct buf *key, struct err *err);

#endif
