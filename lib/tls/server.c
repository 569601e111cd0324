#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "tls/inner.h"
#include "tls/provider.h"

/* Forward secrecy and authenticated encryption only (RFC 9325, 4.2); all of 1.3's are that. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
/* keyd knows these four. */
#define GROUPS "X25519:P-256:P-384:P-521"
#define SIGNATURES \
	"ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:RSA+SHA512"

const char *openssl_why(void)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return why ? why : "unknown error";
}

bool err_openssl(struct err *err, const char *what)
{
	return err_set(err, "%s: %s", what, openssl_why());
}

/* RFC 7301: the client's list, each name with its length before it. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
			   unsigned in_n, void *arg)
{
	const struct tls_server *server = arg;
	struct str ours = str_of(server->protocol + 1, server->protocol[0]), rest = str_of(in, in_n);

	(void)ssl;
	while (rest.n > 0) {
		struct str name = str_head(str_skip(rest, 1), (uint8_t)rest.p[0]);
		rest = str_skip(rest, 1 + (size_t)(uint8_t)rest.p[0]);
		if (!str_eq(name, ours))
			continue;
		*out = server->protocol + 1;
		*out_n = server->protocol[0];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool set_protocol(struct tls_server *server, const char *name, struct err *err)
{
	size_t n = strlen(name);

	if (n == 0 || n >= sizeof(server->protocol))
		return err_set(err, "'%s' is no ALPN name", name);
	server->protocol[0] = (unsigned char)n;
	memcpy(server->protocol + 1, name, n);
	SSL_CTX_set_alpn_select_cb(server->ctx, choose_protocol, server);
	return true;
}

static bool set_rules(struct tls_server *server, enum tls_version min_version, struct err *err)
{
	SSL_CTX *ctx = server->ctx;

	SSL_CTX_set_options(ctx,
			    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
				    /* A client that just closes is no error: every command has an end of its own. */
				    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if (!SSL_CTX_set_min_proto_version(ctx, min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) || !SSL_CTX_set1_groups_list(ctx, GROUPS) ||
	    !SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) || !SSL_CTX_set_num_tickets(ctx, 0))
		return err_openssl(err, "TLS settings");
	return true;
}

/* The next certificate of a PEM text, or NULL at its end. */
static X509 *next_certificate(const struct tls_server *server, BIO *text)
{
	X509 *certificate = X509_new_ex(server->lib, NULL);

	if (certificate && PEM_read_bio_X509(text, &certificate, NULL, NULL))
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool set_key(struct tls_server *server, X509 *leaf, const struct signer *signer)
{
	EVP_PKEY *key = provider_key(server->lib, X509_get0_pubkey(leaf), signer);
	bool ok = key && SSL_CTX_use_PrivateKey(server->ctx, key) == 1;

	EVP_PKEY_free(key);
	return ok;
}

static bool same_kind_before(const struct tls_server *server, X509 *leaf)
{
	int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));

	for (size_t i = 0; i < server->n_leaves; i++)
		if (EVP_PKEY_get_base_id(X509_get0_pubkey(server->leaves[i])) == kind)
			return true;
	return false;
}

static bool add_leaf(struct tls_server *server, X509 *leaf, const struct signer *signer, struct err *err)
{
	char what[64];

	snprintf(what, sizeof(what), "certificate %u", signer->number + 1);
	if (!X509_get0_pubkey(leaf))
		return err_openssl(err, what);
	if (same_kind_before(server, leaf))
		return err_set(err, "%s has the same kind of key as one before it", what);
	if (SSL_CTX_use_certificate(server->ctx, leaf) != 1 || !set_key(server, leaf, signer))
		return err_openssl(err, what);
	X509_up_ref(leaf);
	server->leaves[server->n_leaves++] = leaf;
	return true;
}

static bool add_chain(struct tls_server *server, struct str pem, const struct signer *signer, struct err *err)
{
	BIO *text = BIO_new_mem_buf(pem.p ? pem.p : "", (int)pem.n);
	X509 *certificate = next_certificate(server, text);
	bool ok = certificate ? add_leaf(server, certificate, signer, err)
			      : err_openssl(err, "a chain without certificate");

	X509_free(certificate);
	while (ok && (certificate = next_certificate(server, text))) {
		ok = SSL_CTX_add1_chain_cert(server->ctx, certificate) == 1 || err_openssl(err, "certificate chain");
		X509_free(certificate);
	}
	BIO_free(text);
	ERR_clear_error();
	return ok;
}

static bool load(struct tls_server *server, struct err *err)
{
	/* Neither environment nor openssl.cnf: what counts is stated here and in main.cf. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
			 NULL);
	server->lib = OSSL_LIB_CTX_new();
	if (!server->lib || !(server->plain = OSSL_PROVIDER_load(server->lib, "default")) ||
	    !(server->ours = provider_load(server->lib)) ||
	    !(server->ctx = SSL_CTX_new_ex(server->lib, NULL, TLS_server_method())))
		return err_openssl(err, "OpenSSL");
	return true;
}

struct tls_server *tls_server_new(const struct tls_server_facts *facts, struct err *err)
{
	struct tls_server *server = calloc(1, sizeof(*server));

	if (!server)
		panic("out of memory: TLS");
	server->holders = 1;
	bool ok = facts->n_chains > 0 && facts->n_chains <= TLS_CHAINS_MAX;
	if (!ok)
		err_set(err, "%zu certificate chains: 1 to %d are possible", facts->n_chains, TLS_CHAINS_MAX);
	ok = ok && load(server, err) && set_rules(server, facts->min_version, err) &&
	     set_protocol(server, facts->protocol, err);
	for (size_t i = 0; ok && i < facts->n_chains; i++)
		ok = add_chain(server, facts->chains[i], &(struct signer){ facts->sign, facts->arg, (uint32_t)i }, err);
	if (ok && server_try(server, facts->min_version, err))
		return server;
	server_drop(server);
	return NULL;
}

void server_drop(struct tls_server *server)
{
	if (--server->holders > 0)
		return;
	for (size_t i = 0; i < server->n_leaves; i++)
		X509_free(server->leaves[i]);
	SSL_CTX_free(server->ctx);
	if (server->ours)
		OSSL_PROVIDER_unload(server->ours);
	if (server->plain)
		OSSL_PROVIDER_unload(server->plain);
	OSSL_LIB_CTX_free(server->lib);
	free(server);
}

void tls_server_free(struct tls_server *server)
{
	if (server)
		server_drop(server);
}
