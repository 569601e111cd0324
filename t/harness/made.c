#include "harness/made.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <unistd.h>

#include "base/err.h"
#include "ipc/channel.h"

EVP_PKEY *made_key(enum made_kind kind)
{
	switch (kind) {
	case MADE_P256: return EVP_EC_gen("P-256");
	case MADE_P384: return EVP_EC_gen("P-384");
	case MADE_P521: return EVP_EC_gen("P-521");
	case MADE_RSA: return EVP_RSA_gen(2048);
	case MADE_RSA_SMALL: return EVP_RSA_gen(1024);
	case MADE_ED25519: return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	}
	return NULL;
}

static void take_bio(BIO *bio, struct buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(bio, &p);

	buf_add(out, str_of(p, (size_t)n));
	BIO_free(bio);
}

void made_certificate(EVP_PKEY *key, int days, struct buf *pem)
{
	const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	ASSERT(certificate && bio);
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
	X509_gmtime_adj(X509_getm_notAfter(certificate), (days - 1) * 86400L);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test.example", -1, -1, 0);
	X509_set_issuer_name(certificate, name);
	ASSERT(X509_set_pubkey(certificate, key) && X509_sign(certificate, key, digest) > 0);
	ASSERT(PEM_write_bio_X509(bio, certificate));
	take_bio(bio, pem);
	X509_free(certificate);
}

void made_key_pem(EVP_PKEY *key, struct buf *pem)
{
	BIO *bio = BIO_new(BIO_s_mem());

	ASSERT(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	take_bio(bio, pem);
}

static void build_content(const struct key_sign *q, struct buf *content)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";

	if (q->tls13) {
		buf_addf(content, "%64s", "");
		buf_add(content, str_of(context, sizeof(context)));
		buf_add(content, q->transcript);
	} else {
		buf_add(content, q->client_random);
		buf_add(content, q->server_random);
		buf_add(content, q->params);
	}
}

static bool sign(EVP_PKEY *key, const struct key_sign *q, struct buf *signature)
{
	bool pss = q->scheme >> 8 == 8;
	unsigned digest = pss ? q->scheme & 0xff : q->scheme >> 8;
	scoped_buf struct buf content = { 0 };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how = NULL;
	size_t n = 1024;

	build_content(q, &content);
	buf_reserve(signature, n);
	bool ok = EVP_DigestSignInit(ctx, &how,
				     digest == 4   ? EVP_sha256()
				     : digest == 5 ? EVP_sha384()
						   : EVP_sha512(),
				     NULL, key) == 1;
	if (ok && pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
	ok = ok &&
	     EVP_DigestSign(ctx, (unsigned char *)signature->p, &n, (const unsigned char *)content.p, content.n) == 1;
	EVP_MD_CTX_free(ctx);
	signature->n = ok ? n : 0;
	return ok;
}

/* False when the question is malformed. */
static bool answer(int fd, const struct frame_head *head, struct str payload, EVP_PKEY *keys[],
		   const struct buf chains[], size_t n)
{
	scoped_buf struct buf signature = { 0 };
	struct key_chain chain;
	struct key_sign q;

	if (head->type == key_chain_schema.type && ipc_decode(&key_chain_schema, payload, NULL, 0, &chain)) {
		struct key_chain_answer a = { .found = chain.number < n };
		if (a.found)
			a.pem = buf_str(&chains[chain.number]);
		return frame_send(fd, &key_chain_answer_schema, true, head->serial, &a) == 0;
	}
	if (head->type != key_sign_schema.type || !ipc_decode(&key_sign_schema, payload, NULL, 0, &q))
		return false;
	struct key_sign_answer a = { .ok = q.number < n && sign(keys[q.number], &q, &signature) };
	a.signature = buf_str(&signature);
	return frame_send(fd, &key_sign_answer_schema, true, head->serial, &a) == 0;
}

__attribute__((noreturn)) static void serve(int fd, const enum made_kind kinds[], size_t n)
{
	EVP_PKEY *keys[8] = { 0 };
	struct buf chains[8] = { 0 }, frame = { 0 };
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	ASSERT(n <= COUNT(keys));
	for (size_t i = 0; i < n; i++) {
		keys[i] = made_key(kinds[i]);
		made_certificate(keys[i], 30, &chains[i]);
	}
	while (frame_receive(fd, &frame, &head, &payload, fds, &n_fds) > 0)
		if (!answer(fd, &head, payload, keys, chains, n))
			break;
	_exit(0);
}

int made_keyd(const enum made_kind kinds[], size_t n, pid_t *pid, struct buf chains[])
{
	scoped_buf struct buf frame = { 0 };
	struct key_chain_answer a;
	int fds[2];

	ASSERT(channel_pair(fds) == 0);
	*pid = fork();
	if (*pid == 0) {
		close(fds[0]);
		serve(fds[1], kinds, n);
	}
	close(fds[1]);
	for (size_t i = 0; i < n; i++) {
		struct key_chain q = { .number = (uint32_t)i };
		ASSERT(frame_call(fds[0], &key_chain_schema, &q, &key_chain_answer_schema, 30000, &frame, &a) &&
		       a.found);
		buf_add(&chains[i], a.pem);
	}
	return fds[0];
}
