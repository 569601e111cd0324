/*
 * client - TLS 1.2 and 1.3 towards other servers, behind a stream (RFC 3207, 8314).
 *
 * Trusted certificates are read before the fence, once. What is verified is decided by whoever connects: an opportunistic
 * connection is encrypted with any certificate, since the other choice would be no encryption at all.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "tls/tls.h"

struct tls_client;

/* `ca_file`: certificates in PEM; NULL: those of the system (nothing is trusted when there are none). NULL with err: it cannot be read. */
struct tls_client *tls_client_new(const char *ca_file, enum tls_version min_version, struct err *err);
void tls_client_free(struct tls_client *client);

struct tls_want {
	const char *name;	   /* for SNI; NULL for an address literal */
	bool verify;		   /* the certificate must be trusted and fit one of `match`, or the handshake fails */
	const char *const *match;  /* names as in a certificate, ".example.org" for any below it; NULL-ended */
	const char *protocol;	   /* ALPN, or NULL */
};

/* Puts TLS onto a connected stream, as the client; the rest as tls_start. False with err: the stream is as it was. */
bool tls_connect(struct tls_client *client, struct stream *s, const struct tls_want *want, struct err *err);

/* After the handshake: whether the certificate is trusted and fits, also when that was not wanted. */
bool tls_verified(const struct stream *s);

#endif
