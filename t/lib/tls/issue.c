#include "tls/issue.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "unit.h"

START_TEST(self_signed)
{
	struct buf cert = { 0 }, key = { 0 };
	struct err err = { 0 };
	char longest[400];

	memset(longest, 'x', sizeof(longest));
	longest[399] = '\0';
	ck_assert(!tls_self_signed(longest, 9, &cert, &key, &err));
	ck_assert(tls_self_signed("mail.example.org", 9, &cert, &key, &err));
	BIO *a = BIO_new_mem_buf(cert.p, (int)cert.n), *b = BIO_new_mem_buf(key.p, (int)key.n);
	X509 *x = PEM_read_bio_X509(a, NULL, NULL, NULL);
	EVP_PKEY *pair = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	ck_assert(x && pair && X509_check_private_key(x, pair) == 1 && X509_verify(x, pair) == 1);
	ck_assert_int_eq(X509_check_host(x, "mail.example.org", 0, 0, NULL), 1);
	ck_assert_int_eq(X509_check_host(x, "example.org", 0, 0, NULL), 0);
	ck_assert_int_lt(X509_cmp_current_time(X509_get0_notBefore(x)), 0);
	ck_assert_int_gt(X509_cmp_current_time(X509_get0_notAfter(x)), 0);
	X509_free(x);
	EVP_PKEY_free(pair);
	BIO_free(a);
	BIO_free(b);
	buf_free(&cert);
	buf_free(&key);
}
END_TEST

TEST_MAIN("issue", tcase_add_test(tc, self_signed))
