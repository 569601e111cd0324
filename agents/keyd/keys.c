#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

enum { SECURE_HEAP = 256 * 1024, SIGNATURE_MAX = 2048 };

static void wipe(struct buf *b)
{
	if (b->room)
		OPENSSL_cleanse(b->p, b->room);
	buf_free(b);
}

static bool err_openssl(struct err *err, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return err_set(err, "%s%s%s", what, why ? ": " : "", why ? why : "");
}

static int open_file(struct run *run, struct str path, struct err *err)
{
	scoped_arena struct arena arena = { 0 };
	const char *name = "";
	int dir = run_file(run, path, &arena, &name);

	if (dir < 0) {
		err_set(err, "its folder does not exist");
		return -1;
	}
	/* Symbolic links are followed: certificates are often renewed that way, and root's folders are trusted. */
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		err_errno(err, errno == EACCES ? "it cannot be read; start tayori as root, or give its reader the right"
					       : "open");
	return fd;
}

/* In one piece of memory, so that no copy of a key is left behind. */
static bool read_file(struct run *run, struct str path, struct buf *text, mode_t *mode, struct err *err)
{
	scoped_fd int fd = open_file(run, path, err);
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > KEY_FILE_MAX)
		return err_set(err, "it is no file, or larger than 256 KiB");
	*mode = st.st_mode;
	buf_reserve(text, (size_t)st.st_size + 1);
	ssize_t n = fd_read_full(fd, text->p, (size_t)st.st_size);
	if (n < 0)
		return err_errno(err, "read");
	text->n = (size_t)n;
	return true;
}

static bool copy_certificate(X509 *certificate, struct buf *chain)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *p = NULL;
	bool ok = out && PEM_write_bio_X509(out, certificate) == 1;

	long n = ok ? BIO_get_mem_data(out, &p) : 0;
	ok = ok && buf_add(chain, str_of(p, (size_t)n));
	BIO_free(out);
	return ok;
}

/* The first certificate; all of them are copied, and nothing else that the file may hold: often the key is there too. */
static X509 *read_chain(struct str text, struct buf *chain, struct err *err)
{
	BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
	X509 *first = NULL, *next;
	bool ok = true;

	chain->limit = CHAIN_MAX;
	while (ok && (next = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		ok = copy_certificate(next, chain);
		if (first)
			X509_free(next);
		else
			first = next;
	}
	BIO_free(in);
	ERR_clear_error();
	if (first && ok)
		return first;
	X509_free(first);
	err_set(err, ok ? "no certificate in PEM stands in it" : "the chain is larger than 64 KiB");
	return NULL;
}

static int no_passphrase(char *out, int room, int writing, void *arg)
{
	(void)out, (void)room, (void)writing, (void)arg;
	return -1;
}

static bool find_kind(EVP_PKEY *private, enum key_kind *kind, struct err *err)
{
	char group[32] = "";
	size_t n;

	EVP_PKEY_get_group_name(private, group, sizeof(group), &n);
	if (EVP_PKEY_is_a(private, "EC") && strcmp(group, "prime256v1") == 0)
		*kind = KEY_P256;
	else if (EVP_PKEY_is_a(private, "EC") && strcmp(group, "secp384r1") == 0)
		*kind = KEY_P384;
	else if (EVP_PKEY_is_a(private, "RSA") && EVP_PKEY_get_bits(private) >= 2048)
		*kind = KEY_RSA;
	else
		return err_set(err, "its key is none of: EC P-256, EC P-384, RSA of 2048 bits or more");
	return true;
}

static bool read_key(struct run *run, struct str path, struct key *key, struct err *err)
{
	__attribute__((cleanup(wipe))) struct buf text = { 0 };
	mode_t mode = 0;

	if (!read_file(run, path, &text, &mode, err))
		return false;
	if (mode & S_IROTH)
		log_line(&run->log, LOG_WARNING, "warning: %.*s: everybody can read this key: chmod 600 it",
			 STR_ARG(path));
	BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
	key->private = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
	BIO_free(in);
	if (!key->private)
		return err_openssl(err, "no private key (PEM, without passphrase) stands in it");
	return find_kind(key->private, &key->kind, err);
}

static void warn_of_dates(struct run *run, struct str path, X509 *certificate)
{
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		log_line(&run->log, LOG_WARNING, "warning: %.*s: the certificate has expired: renew it", STR_ARG(path));
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		log_line(&run->log, LOG_WARNING, "warning: %.*s: the certificate is not valid yet: is the clock right?",
			 STR_ARG(path));
}

static bool try_key(const struct key *key)
{
	const struct scheme any = { .digest = "SHA256", .pss = key->kind == KEY_RSA };
	scoped_buf struct buf signature = { 0 };

	return key_signature(key, &any, STR("trial"), &signature);
}

/* Both files of a pair; on failure err says which one. */
static bool read_pair(struct run *run, struct str cert_file, struct str key_file, struct key *key, struct err *err)
{
	__attribute__((cleanup(wipe))) struct buf text = { 0 };
	struct err why = { 0 };
	mode_t mode;
	X509 *leaf = NULL;

	if (!read_file(run, cert_file, &text, &mode, &why) || !(leaf = read_chain(buf_str(&text), &key->chain, &why)))
		return err_set(err, "tls_cert_file %.*s: %s", STR_ARG(cert_file), why.text);
	bool ok = read_key(run, key_file, key, &why);
	if (ok && X509_check_private_key(leaf, key->private) != 1)
		ok = err_set(&why, "it is not the key of %.*s: name the files in the same order", STR_ARG(cert_file));
	if (ok && !try_key(key))
		ok = err_openssl(&why, "it cannot sign");
	if (ok)
		warn_of_dates(run, cert_file, leaf);
	X509_free(leaf);
	ERR_clear_error();
	return ok || err_set(err, "tls_key_file %.*s: %s", STR_ARG(key_file), why.text);
}

static bool have_kind(const struct keys *keys, enum key_kind kind)
{
	for (size_t i = 0; i < keys->n; i++)
		if ((keys->all[i].kind == KEY_RSA) == (kind == KEY_RSA))
			return true;
	return false;
}

static void add_pair(struct run *run, struct str cert_file, struct str key_file, struct keys *keys)
{
	struct key key = { 0 };
	struct err err = { 0 };
	bool ok = read_pair(run, cert_file, key_file, &key, &err);

	if (ok && have_kind(keys, key.kind))
		ok = err_set(&err, "tls_cert_file %.*s: a certificate before it has a key of the same sort (EC or RSA)",
			     STR_ARG(cert_file));
	if (ok && keys->n == KEYS_MAX)
		ok = err_set(&err, "tls_cert_file: only %d certificates can be served", KEYS_MAX);
	if (ok) {
		keys->all[keys->n++] = key;
		return;
	}
	log_line(&run->log, LOG_ERROR, "error: %s; this certificate is not used", err.text);
	EVP_PKEY_free(key.private);
	buf_free(&key.chain);
}

void keys_read(struct run *run, struct str cert_files, struct str key_files, struct keys *keys)
{
	struct str cert_file, key_file;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (CRYPTO_secure_malloc_init(SECURE_HEAP, 32) != 1)
		log_line(&run->log, LOG_WARNING, "warning: keys cannot be locked in memory: start tayori as root");
	while (conf_list_next(&cert_files, &cert_file)) {
		if (conf_list_next(&key_files, &key_file))
			add_pair(run, cert_file, key_file, keys);
		else
			log_line(&run->log, LOG_ERROR,
				 "error: tls_cert_file %.*s: tls_key_file names no key for it; this certificate is not "
				 "used",
				 STR_ARG(cert_file));
	}
	/* What OpenSSL has computed from the keys by now lies outside its secure heap. */
	mlockall(MCL_CURRENT);
}

bool key_signature(const struct key *key, const struct scheme *scheme, struct str content, struct buf *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *how = NULL;
	size_t n = SIGNATURE_MAX;
	bool ok = ctx && EVP_DigestSignInit_ex(ctx, &how, scheme->digest, NULL, NULL, key->private, NULL) == 1;

	if (ok && scheme->pss)
		ok = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
		     EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
	buf_reserve(signature, n);
	ok = ok && EVP_DigestSign(ctx, (unsigned char *)signature->p + signature->n, &n,
				  (const unsigned char *)content.p, content.n) == 1;
	if (ok)
		signature->n += n;
	EVP_MD_CTX_free(ctx);
	return ok;
}
