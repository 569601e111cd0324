/*
 * tls - TLS 1.2 and 1.3 for servers, behind a stream; the private keys are in another process (keyd).
 *
 * OpenSSL is given keys that consist of a certificate's public half and a number: whatever it wants signed is taken
 * apart into struct key_sign and handed to a callback. Nothing is kept between connections: no tickets, no session
 * cache, no early data. Everything that OpenSSL loads late is loaded in tls_server_new, before the fence.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/err.h"
#include "io/stream.h"
#include "ipc/messages.h"

enum { TLS_CHAINS_MAX = 4 };
/* As the words of the parameter tls_min_version. */
enum tls_version { TLS_1_2, TLS_1_3 };

struct tls_server_facts {
	const struct str *chains; /* certificates in PEM, the server's own first; the nth is key_sign.number n */
	size_t n_chains;	  /* at most TLS_CHAINS_MAX, each with another kind of key */
	const char *protocol;	  /* its ALPN name (RFC 7301): "smtp", "pop3", "imap" */
	enum tls_version min_version;
	/* Has `question` signed; waits for it. The signature is added to `signature`. False: refused, or no answer. */
	bool (*sign)(void *arg, const struct key_sign *question, struct buf *signature);
	void *arg;
};

struct tls_server;

/*
 * Loads the chains and tries each in a handshake with itself, for which `sign` is asked. The texts are not kept. NULL
 * with err: a chain is not in order, or its key does not answer.
 */
struct tls_server *tls_server_new(const struct tls_server_facts *facts, struct err *err);
/* Connections that stand go on until they end; `sign` may be asked for their handshakes still. NULL is allowed. */
void tls_server_free(struct tls_server *server);

/*
 * Puts TLS onto a connected stream, as the server. What the client had sent before in clear and was not taken is thrown
 * away (RFC 3207, 4.2). The handshake happens as the stream reads and writes; one that fails ends it with STREAM_LOST.
 * A client that names protocols (ALPN), and not ours, is refused. False: not possible, the stream is as it was.
 */
bool tls_start(struct tls_server *server, struct stream *s, struct err *err);

struct tls_facts {
	bool done;		       /* the handshake */
	const char *protocol, *cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384"; NULL until done */
	int bits, bits_most;	       /* used, and of the algorithm */
	const char *why;	       /* what broke it, or NULL; lives as long as the stream is not closed */
};
/* False: there is no TLS on this stream. */
bool tls_facts(const struct stream *s, struct tls_facts *facts);

#endif
