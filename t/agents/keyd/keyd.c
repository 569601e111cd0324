#include "unit.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agents/keyd/decide.h"
#include "harness/harness.h"
#include "harness/made.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "tls/tls.h"

#define HASH "0123456789abcdef0123456789abcdef"

struct scene {
	struct harness h;
	struct arena arena;
	const char *folder;
	int client;
	struct buf frame;
};

static void open_scene(struct scene *t)
{
	*t = (struct scene){ 0 };
	t->folder = harness_mkdir(&t->arena);
	harness_begin(&t->h, "keyd");
	t->client = harness_client(&t->h, "smtpd", "smtp", AUTHORITY_MX);
}

static void close_scene(struct scene *t)
{
	ck_assert_int_eq(harness_end(&t->h), 0);
	harness_rmdir(t->folder);
	fd_close(&t->client);
	buf_free(&t->frame);
	arena_free(&t->arena);
}

/* Writes NAME.crt and NAME.key. */
static void make_pair(const struct scene *t, const char *name, enum made_kind kind, int days)
{
	scoped_buf struct buf certificate = { 0 }, private = { 0 };
	EVP_PKEY *key = made_key(kind);
	char file[64];

	made_certificate(key, days, &certificate);
	made_key_pem(key, &private);
	EVP_PKEY_free(key);
	snprintf(file, sizeof(file), "%s.crt", name);
	harness_write(t->folder, file, buf_str(&certificate));
	snprintf(file, sizeof(file), "%s.key", name);
	harness_write(t->folder, file, buf_str(&private));
}

/* "a.crt b.crt" becomes a list of paths in the test's folder. */
static void set_files(struct scene *t, const char *param, const char *names)
{
	scoped_buf struct buf value = { 0 };
	struct str rest = str_from(names);

	while (rest.n > 0) {
		struct str name = str_cut(&rest, ' ');
		buf_addf(&value, "%s/%.*s, ", t->folder, STR_ARG(name));
	}
	harness_set(&t->h, param, buf_cstr(&value));
}

static void start(struct scene *t, const char *certs, const char *keys)
{
	set_files(t, "tls_cert_file", certs);
	if (keys)
		set_files(t, "tls_key_file", keys);
	ck_assert(harness_run(&t->h));
}

static struct key_chain_answer chain(struct scene *t, uint32_t number)
{
	struct key_chain_answer a;

	ck_assert(frame_call(t->client, &key_chain_schema, &(struct key_chain){ number }, &key_chain_answer_schema,
			     30000, &t->frame, &a));
	return a;
}

static bool ask(struct scene *t, const struct key_sign *q, struct buf *signature)
{
	struct key_sign_answer a;

	ck_assert(frame_call(t->client, &key_sign_schema, q, &key_sign_answer_schema, 30000, &t->frame, &a));
	ck_assert(a.ok == (a.signature.n > 0));
	return a.ok && buf_add(signature, a.signature);
}

START_TEST(without_tls)
{
	struct scene t;

	open_scene(&t);
	ck_assert(harness_run(&t.h));
	ck_assert(!chain(&t, 0).found);
	struct key_sign q = { .scheme = 0x0403, .tls13 = true, .transcript = STR(HASH) };
	ck_assert(!ask(&t, &q, NULL));
	ck_assert_uint_eq(t.h.log.n, 0);
	close_scene(&t);
}
END_TEST

static const struct {
	const char *certs, *keys, *said;
} broken[] = {
	{ "none.crt", NULL, "none.crt: open: No such file" },
	{ "a.crt", NULL, "a.crt: no private key" },
	{ "a.crt", "b.key", "b.key: it is not the key of" },
	{ "a.crt", "none.key", "none.key: open: No such file" },
	{ "a.crt b.crt", "b.key a.key", "name the files in the same order" },
	{ "a.key", "a.key", "a.key: no certificate" },
	{ "a.crt", "a.crt", "no private key" },
	{ "empty", "a.key", "no certificate" },
	{ "a.crt", "garbage", "no private key" },
	{ "ed.crt", "ed.key", "none of: EC P-256" },
	{ "p521.crt", "p521.key", "none of: EC P-256" },
	{ "small.crt", "small.key", "none of: EC P-256" },
	{ "sub", "a.key", "it is no file" },
	{ "huge", "a.key", "larger than 256 KiB" },
	{ "a.crt", "locked.key", "without passphrase" },
};

static void write_locked_key(const struct scene *t)
{
	EVP_PKEY *key = made_key(MADE_P256);
	BIO *out = BIO_new(BIO_s_mem());
	char *p = NULL;

	ck_assert(
		PEM_write_bio_PrivateKey(out, key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6, NULL, NULL));
	long n = BIO_get_mem_data(out, &p);
	harness_write(t->folder, "locked.key", str_of(p, (size_t)n));
	BIO_free(out);
	EVP_PKEY_free(key);
}

static void write_all(const struct scene *t)
{
	scoped_buf struct buf huge = { 0 };

	make_pair(t, "a", MADE_P256, 30);
	make_pair(t, "b", MADE_P256, 30);
	make_pair(t, "ed", MADE_ED25519, 30);
	make_pair(t, "p521", MADE_P521, 30);
	make_pair(t, "small", MADE_RSA_SMALL, 30);
	make_pair(t, "rsa", MADE_RSA, 30);
	harness_write(t->folder, "empty", STR(""));
	harness_write(t->folder, "garbage", STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
	buf_reserve(&huge, 300 << 10);
	memset(huge.p, 'x', huge.n = 300 << 10);
	harness_write(t->folder, "huge", buf_str(&huge));
	write_locked_key(t);
	char path[200];
	snprintf(path, sizeof(path), "%s/sub", t->folder);
	ck_assert_int_eq(mkdir(path, 0700), 0);
}

/* A pair that is broken is told and left out; one behind it is served. */
START_TEST(broken_files)
{
	char certs[100], keys[100];
	struct scene t;

	open_scene(&t);
	write_all(&t);
	snprintf(certs, sizeof(certs), "%s rsa.crt", broken[_i].certs);
	snprintf(keys, sizeof(keys), "%s rsa.key", broken[_i].keys ? broken[_i].keys : broken[_i].certs);
	start(&t, certs, keys);
	ck_assert_msg(harness_logged(&t.h, broken[_i].said, HARNESS_PATIENCE_MS), "%s", buf_cstr(&t.h.log));
	ck_assert(harness_logged(&t.h, "this certificate is not used", HARNESS_PATIENCE_MS));
	ck_assert(chain(&t, 0).found && !chain(&t, 1).found);
	close_scene(&t);
}
END_TEST

START_TEST(warnings)
{
	char path[200];
	struct scene t;

	open_scene(&t);
	make_pair(&t, "old", MADE_P256, 0);
	make_pair(&t, "other", MADE_P384, 30);
	make_pair(&t, "rsa", MADE_RSA, 30);
	snprintf(path, sizeof(path), "%s/old.key", t.folder);
	ck_assert_int_eq(chmod(path, 0644), 0);
	start(&t, "old.crt other.crt rsa.crt", "old.key other.key");
	ck_assert(harness_logged(&t.h, "old.crt: the certificate has expired", HARNESS_PATIENCE_MS));
	ck_assert(harness_logged(&t.h, "old.key: everybody can read this key", HARNESS_PATIENCE_MS));
	ck_assert(harness_logged(&t.h, "other.crt: a certificate before it has a key of the same sort", HARNESS_PATIENCE_MS));
	ck_assert(harness_logged(&t.h, "rsa.crt: tls_key_file names no key for it", HARNESS_PATIENCE_MS));
	ck_assert(chain(&t, 0).found && !chain(&t, 1).found);
	close_scene(&t);
}
END_TEST

/* One file with all: what is shown to clients must be the certificates alone, although the key stands first. */
START_TEST(one_file)
{
	scoped_buf struct buf all = { 0 };
	EVP_PKEY *key = made_key(MADE_P256), *issuer = made_key(MADE_RSA);
	struct scene t;

	open_scene(&t);
	made_key_pem(key, &all);
	made_certificate(key, 30, &all);
	made_certificate(issuer, 30, &all);
	harness_write(t.folder, "all.pem", buf_str(&all));
	start(&t, "all.pem", NULL);
	struct key_chain_answer a = chain(&t, 0);
	ck_assert(a.found && !memmem(a.pem.p, a.pem.n, "PRIVATE", 7));
	BIO *in = BIO_new_mem_buf(a.pem.p, (int)a.pem.n);
	for (int i = 0; i < 3; i++) {
		X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
		ck_assert_int_eq(certificate != NULL, i < 2);
		if (i < 2)
			ck_assert_int_eq(EVP_PKEY_eq(X509_get0_pubkey(certificate), i ? issuer : key), 1);
		X509_free(certificate);
	}
	BIO_free(in);
	EVP_PKEY_free(key);
	EVP_PKEY_free(issuer);
	ck_assert_uint_eq(t.h.log.n, 0);
	close_scene(&t);
}
END_TEST

static bool verify(struct scene *t, const struct key_sign *q, enum key_kind kind, struct str signature)
{
	struct key_chain_answer a = chain(t, q->number);
	scoped_buf struct buf content = { 0 };
	BIO *in = BIO_new_mem_buf(a.pem.p, (int)a.pem.n);
	X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const struct scheme *scheme = sign_content(q, kind, &content);
	EVP_PKEY_CTX *how;

	ck_assert(scheme && certificate);
	bool ok = EVP_DigestVerifyInit_ex(ctx, &how, scheme->digest, NULL, NULL, X509_get0_pubkey(certificate), NULL) ==
		  1;
	if (scheme->pss)
		ck_assert(EVP_PKEY_CTX_set_rsa_padding(how, 6) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(how, -1) == 1);
	ok = ok && EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.n,
				    (const unsigned char *)content.p, content.n) == 1;
	EVP_MD_CTX_free(ctx);
	X509_free(certificate);
	BIO_free(in);
	return ok;
}

static const struct {
	uint32_t number;
	uint16_t scheme;
	bool tls13, ok;
} signatures[] = {
	{ 2, 0x0403, true, false }, { 0xffffffff, 0x0403, true, false }, { 0, 0x0804, true, false },
	{ 1, 0x0403, true, false }, { 1, 0x0401, true, false },		 { 0, 0x0403, true, true },
	{ 0, 0x0403, false, true }, { 0, 0x0503, false, true },		 { 1, 0x0804, true, true },
	{ 1, 0x0805, true, true },  { 1, 0x0806, false, true },		 { 1, 0x0401, false, true },
	{ 1, 0x0501, false, true }, { 1, 0x0601, false, true },
};

START_TEST(signing)
{
	struct scene t;

	open_scene(&t);
	make_pair(&t, "ec", MADE_P256, 30);
	make_pair(&t, "rsa", MADE_RSA, 30);
	start(&t, "ec.crt rsa.crt", "ec.key rsa.key");
	for (size_t i = 0; i < COUNT(signatures); i++) {
		scoped_buf struct buf signature = { 0 };
		struct key_sign q = { .number = signatures[i].number, .scheme = signatures[i].scheme };
		q.tls13 = signatures[i].tls13;
		if (q.tls13)
			q.transcript = STR(HASH);
		else
			q.client_random = q.server_random = STR(HASH), q.params = STR("\x03\x00\x1d\x20" HASH);
		ck_assert_int_eq(ask(&t, &q, &signature), signatures[i].ok);
		if (signatures[i].ok)
			ck_assert(verify(&t, &q, q.number ? KEY_RSA : KEY_P256, buf_str(&signature)));
	}
	close_scene(&t);
}
END_TEST

static bool sign_at_keyd(void *arg, const struct key_sign *question, struct buf *signature)
{
	return ask(arg, question, signature);
}

/* keyd and lib/tls agree on what is signed: a server's trial handshakes, in both versions, with keys of both sorts. */
START_TEST(tls_with_keyd)
{
	struct err err = { 0 };
	struct str chains[2];
	struct scene t;

	open_scene(&t);
	make_pair(&t, "ec", _i ? MADE_P384 : MADE_P256, 30);
	make_pair(&t, "rsa", MADE_RSA, 30);
	start(&t, "ec.crt rsa.crt", "ec.key rsa.key");
	for (uint32_t i = 0; i < 2; i++)
		chains[i] = arena_str(&t.arena, chain(&t, i).pem);
	struct tls_server_facts facts = { chains, 2, "smtp", TLS_1_2, sign_at_keyd, &t };
	struct tls_server *server = tls_server_new(&facts, &err);
	ck_assert_msg(server != NULL, "%s", err.text);
	tls_server_free(server);
	close_scene(&t);
}
END_TEST

/* A client that breaks the rules loses its channel; the others are served. */
START_TEST(hostile_client)
{
	struct scene t;
	char c;

	open_scene(&t);
	int bad = harness_client(&t.h, "pop3d", "pop3", 0);
	make_pair(&t, "a", MADE_P256, 30);
	start(&t, "a.crt", "a.key");
	ck_assert_int_eq(frame_send(bad, &log_line_schema, false, 1, &(struct log_line){ .text = STR("x") }), 0);
	ck_assert_int_eq(read(bad, &c, 1), 0);
	ck_assert(harness_logged(&t.h, "pop3d (pop3) sent what it may not", HARNESS_PATIENCE_MS));
	ck_assert(chain(&t, 0).found);
	close(bad);
	close_scene(&t);
}
END_TEST

TEST_MAIN("keyd", tcase_add_test(tc, without_tls); tcase_add_loop_test(tc, broken_files, 0, COUNT(broken));
	  tcase_add_test(tc, warnings); tcase_add_test(tc, one_file); tcase_add_test(tc, signing);
	  tcase_add_loop_test(tc, tls_with_keyd, 0, 2); tcase_add_test(tc, hostile_client))
