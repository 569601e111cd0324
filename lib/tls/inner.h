/* inner - what server.c, trial.c and stream.c share. */
#ifndef TLS_INNER_H
#define TLS_INNER_H

#include <openssl/ssl.h>

#include "tls/tls.h"

struct tls_server {
	size_t holders; /* its owner and its connections */
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *plain, *ours;
	SSL_CTX *ctx;
	unsigned char protocol[32]; /* as on the wire: length, name */
	X509 *leaves[TLS_CHAINS_MAX];
	size_t n_leaves;
};

/* Puts the connection onto the stream, which owns it from now on. `server`: one holder more; NULL for a client. */
void tls_attach(struct stream *s, SSL *ssl, struct tls_server *server);
/* NULL: there is no TLS on this stream. */
SSL *tls_of(const struct stream *s);
/* Drops one holder. */
void server_drop(struct tls_server *server);
/* Takes the oldest error of OpenSSL's queue, the most telling one, and empties it. Never NULL. */
const char *openssl_why(void);
/* err_set with openssl_why behind it. */
bool err_openssl(struct err *err, const char *what);
/* A handshake in memory for each chain and version: loads what OpenSSL loads late, and proves that the key answers. */
bool server_try(struct tls_server *server, enum tls_version min_version, struct err *err);

#endif
