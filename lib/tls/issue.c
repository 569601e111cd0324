#include "tls/issue.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/random.h"
#include "tls/inner.h"

static bool add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *host, int days)
{
	X509_NAME *name = X509_get_subject_name(x);
	char san[300];

	snprintf(san, sizeof(san), "DNS:%s", host);
	/* a common name has 64 octets at most; who checks goes by the extension */
	const char *common = strlen(host) <= 64 ? host : "mail";
	return X509_set_version(x, X509_VERSION_3) &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), random_u64() >> 1) &&
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_gmtime_adj(X509_getm_notAfter(x), (long)days * 86400) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) &&
	       X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
	       add_extension(x, NID_subject_alt_name, san) &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") && X509_sign(x, key, EVP_sha256());
}

static bool take(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	return n > 0 && buf_add(out, str_of(p, (size_t)n));
}

bool tls_self_signed(const char *host, int days, struct buf *cert, struct buf *key, struct err *err)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *a = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_secmem());

	bool ok = strlen(host) <= 253 && pair && x && a && b && fill(x, pair, host, days) && PEM_write_bio_X509(a, x) &&
		  PEM_write_bio_PrivateKey(b, pair, NULL, NULL, 0, NULL, NULL) && take(a, cert) && take(b, key);
	BIO_free(a);
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(pair);
	return ok || err_openssl(err, "a certificate cannot be made");
}
