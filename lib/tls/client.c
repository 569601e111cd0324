#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "tls/inner.h"

/* What Debian and most others have; a folder of single files would be read late, behind the fence. */
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

struct tls_client {
	SSL_CTX *ctx;
};

static bool set_rules(SSL_CTX *ctx, enum tls_version min_version)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(ctx, min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
}

struct tls_client *tls_client_new(const char *ca_file, enum tls_version min_version, struct err *err)
{
	struct tls_client *client = calloc(1, sizeof(*client));
	const char *file = ca_file ? ca_file : access(SYSTEM_CA_FILE, R_OK) == 0 ? SYSTEM_CA_FILE : NULL;

	if (!client)
		panic("out of memory: TLS");
	/* Neither environment nor openssl.cnf: what counts is stated here and in main.cf. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	client->ctx = SSL_CTX_new(TLS_client_method());
	bool ok = client->ctx && set_rules(client->ctx, min_version);
	if (!ok)
		err_openssl(err, "TLS settings");
	if (ok && file && SSL_CTX_load_verify_file(client->ctx, file) != 1) {
		err_openssl(err, file);
		ok = false;
	}
	if (ok)
		return client;
	tls_client_free(client);
	return NULL;
}

void tls_client_free(struct tls_client *client)
{
	if (!client)
		return;
	SSL_CTX_free(client->ctx);
	free(client);
}

static bool set_names(SSL *ssl, const struct tls_want *want)
{
	bool ok = true;

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (const char *const *name = want->match; ok && name && *name; name++)
		ok = SSL_add1_host(ssl, *name) == 1;
	if (want->name)
		ok = ok && SSL_set_tlsext_host_name(ssl, want->name) == 1;
	return ok;
}

static bool set_protocol(SSL *ssl, const char *name)
{
	unsigned char wire[64];
	size_t n = name ? strlen(name) : 0;

	if (n == 0)
		return true;
	if (n >= sizeof(wire))
		return false;
	wire[0] = (unsigned char)n;
	memcpy(wire + 1, name, n);
	return SSL_set_alpn_protos(ssl, wire, (unsigned)n + 1) == 0;
}

bool tls_connect(struct tls_client *client, struct stream *s, const struct tls_want *want, struct err *err)
{
	SSL *ssl = SSL_new(client->ctx);

	if (!ssl || SSL_set_fd(ssl, s->fd) != 1 || !set_names(ssl, want) || !set_protocol(ssl, want->protocol)) {
		SSL_free(ssl);
		return err_openssl(err, "TLS");
	}
	SSL_set_verify(ssl, want->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_set_connect_state(ssl);
	tls_attach(s, ssl, NULL);
	return true;
}

bool tls_verified(const struct stream *s)
{
	SSL *ssl = tls_of(s);

	return ssl && SSL_get0_peer_certificate(ssl) && SSL_get_verify_result(ssl) == X509_V_OK;
}
