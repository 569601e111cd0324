/* The handshake of a server with itself, in memory. */
#include <openssl/err.h>

#include "tls/inner.h"

enum { ROUNDS_MOST = 10 };

/* The two ends write into each other's input. */
static bool connect_ends(SSL *client, SSL *server)
{
	BIO *up = BIO_new(BIO_s_mem()), *down = BIO_new(BIO_s_mem());

	if (!up || !down) {
		BIO_free(up);
		BIO_free(down);
		return false;
	}
	BIO_up_ref(up);
	BIO_up_ref(down);
	SSL_set_bio(client, down, up);
	SSL_set_bio(server, up, down);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	return true;
}

/* False: it has failed. Asked at once, since the other end works on the same buffers. */
static bool step(SSL *ssl)
{
	int result = SSL_do_handshake(ssl);

	return result == 1 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ;
}

/* One octet each way after it, so that the record layer has run too. */
static bool shake_hands(SSL *client, SSL *server)
{
	char octet = 0;

	for (int i = 0; i < ROUNDS_MOST && !(SSL_is_init_finished(client) && SSL_is_init_finished(server)); i++)
		if (!step(client) || !step(server))
			return false;
	return SSL_write(client, "c", 1) == 1 && SSL_read(server, &octet, 1) == 1 && octet == 'c' &&
	       SSL_write(server, "s", 1) == 1 && SSL_read(client, &octet, 1) == 1 && octet == 's';
}

/* A client that knows one version and one kind of key. It verifies the signature, which is the proof of the key. */
static SSL_CTX *client_for(struct tls_server *server, X509 *leaf, int version)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(server->lib, NULL, TLS_client_method());
	bool ec = EVP_PKEY_is_a(X509_get0_pubkey(leaf), "EC");
	const char *signatures = ec ? "ECDSA+SHA256:ECDSA+SHA384" : "RSA-PSS+SHA256:RSA+SHA256";

	if (ctx && SSL_CTX_set_min_proto_version(ctx, version) && SSL_CTX_set_max_proto_version(ctx, version) &&
	    SSL_CTX_set1_sigalgs_list(ctx, signatures) &&
	    SSL_CTX_set_alpn_protos(ctx, server->protocol, 1u + server->protocol[0]) == 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static bool try_one(struct tls_server *server, size_t i, int version, struct err *err)
{
	SSL_CTX *ctx = client_for(server, server->leaves[i], version);
	SSL *client = ctx ? SSL_new(ctx) : NULL, *own = SSL_new(server->ctx);

	ERR_clear_error();
	bool ok = client && own && connect_ends(client, own) && shake_hands(client, own);
	X509 *shown = ok ? SSL_get0_peer_certificate(client) : NULL;
	if (!ok)
		err_set(err, "certificate %zu: a trial handshake (%s) failed: %s: does its key answer?", i + 1,
			version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2", openssl_why());
	else if (!shown || X509_cmp(shown, server->leaves[i]) != 0)
		ok = err_set(err, "certificate %zu cannot be used", i + 1);
	SSL_free(client);
	SSL_free(own);
	SSL_CTX_free(ctx);
	return ok;
}

bool server_try(struct tls_server *server, enum tls_version min_version, struct err *err)
{
	for (size_t i = 0; i < server->n_leaves; i++)
		if ((min_version == TLS_1_2 && !try_one(server, i, TLS1_2_VERSION, err)) ||
		    !try_one(server, i, TLS1_3_VERSION, err))
			return false;
	return true;
}
