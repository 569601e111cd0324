#include "unit.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "harness/made.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "tls/signed.h"
#include "tls/tls.h"

/* ---- what is signed ---- */

#define BLANKS32 "                                "
#define BLANKS BLANKS32 BLANKS32
#define CONTEXT "TLS 1.3, server CertificateVerify"
#define HASH32 "0123456789abcdef0123456789abcdef"
#define HASH48 HASH32 "0123456789abcdef"
#define RANDOMS HASH32 HASH32

static const struct {
	struct str in;
	bool ok, tls13;
} contents[] = {
	{ STR(""), false, false },
	{ STR(BLANKS), false, false },
	{ STR(BLANKS CONTEXT), false, false },
	{ STR(BLANKS CONTEXT "\0"
			     "short"),
	  false, false },
	{ STR(BLANKS CONTEXT "\0" HASH32 "x"), false, false },
	{ STR(BLANKS "TLS 1.3, client CertificateVerify\0" HASH32), false, false },
	{ STR(RANDOMS), false, false },
	{ STR(RANDOMS "\x03\x00\x1d\x02"
		      "a"),
	  false, false },
	{ STR(RANDOMS "\x03\x00\x1d\x02"
		      "abc"),
	  false, false },
	{ STR(RANDOMS "\x01\x00\x1d\x02"
		      "ab"),
	  false, false },
	{ STR(RANDOMS "\x03\x00\x1d\x00"), false, false },
	{ STR(RANDOMS "\x03\x00\x1d\x02"
		      "ab"),
	  true, false },
	{ STR(BLANKS "\x03\x00\x1d\x02"
		     "ab"),
	  true, false },
	{ STR(BLANKS CONTEXT "\0" HASH32), true, true },
	{ STR(BLANKS CONTEXT "\0" HASH48), true, true },
};

START_TEST(content_cases)
{
	struct key_sign parts = { .number = 7 };

	ck_assert_int_eq(signed_parts(contents[_i].in, &parts), contents[_i].ok);
	ck_assert_uint_eq(parts.number, 7);
	if (!contents[_i].ok)
		return;
	ck_assert_int_eq(parts.tls13, contents[_i].tls13);
	ck_assert_uint_eq(parts.transcript.n != 0, contents[_i].tls13);
	ck_assert_uint_eq(parts.client_random.n + parts.server_random.n, contents[_i].tls13 ? 0 : 64);
	ck_assert_uint_eq(parts.params.n, contents[_i].tls13 ? 0 : 6);
}
END_TEST

/* ---- a server in this process, its keys in another ---- */

struct scene {
	int keyd;
	pid_t keyd_pid;
	unsigned signatures;
	bool refuse; /* to sign */
	struct buf chains[TLS_CHAINS_MAX];
	struct tls_server *tls;

	struct loop *loop;
	struct stream s;
	int fd; /* the client's end */
	struct buf got;
	bool ended, closed, echo, leave;
	enum stream_end how;

	SSL_CTX *client_ctx;
	SSL *client;
};

static bool sign_remotely(void *arg, const struct key_sign *question, struct buf *signature)
{
	struct scene *t = arg;
	scoped_buf struct buf frame = { 0 };
	struct key_sign_answer a;

	t->signatures++;
	return !t->refuse &&
	       frame_call(t->keyd, &key_sign_schema, question, &key_sign_answer_schema, 10000, &frame, &a) && a.ok &&
	       buf_add(signature, a.signature);
}

static struct tls_server *serve(struct scene *t, size_t n, enum tls_version least, struct err *err)
{
	struct str chains[TLS_CHAINS_MAX];

	for (size_t i = 0; i < n; i++)
		chains[i] = buf_str(&t->chains[i]);
	return tls_server_new(&(struct tls_server_facts){ chains, n, "smtp", least, sign_remotely, t }, err);
}

static void on_input(void *arg)
{
	struct scene *t = arg;

	if (t->leave)
		return;
	buf_add(&t->got, stream_input(&t->s));
	if (t->echo)
		stream_write(&t->s, stream_input(&t->s));
	stream_consume(&t->s, stream_input(&t->s).n);
}

static void on_ended(void *arg, enum stream_end how)
{
	struct scene *t = arg;

	t->ended = true;
	t->how = how;
}

static void on_closed(void *arg)
{
	((struct scene *)arg)->closed = true;
}

static const struct stream_events events = { on_input, NULL, on_ended };

static void open_scene(struct scene *t, const enum made_kind kinds[], size_t n, enum tls_version least)
{
	struct err err = { 0 };
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	*t = (struct scene){ 0 };
	t->keyd = made_keyd(kinds, n, &t->keyd_pid, t->chains);
	t->tls = serve(t, n, least, &err);
	ck_assert_msg(t->tls != NULL, "%s", err.text);
	t->signatures = 0;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	t->loop = loop_new();
	stream_start(&t->s, t->loop, fds[0], 4096, &events, t);
	t->fd = fds[1];
	fd_nonblocking(t->fd);
	t->client_ctx = SSL_CTX_new(TLS_client_method());
	ck_assert(t->client_ctx != NULL);
}

static void start_client(struct scene *t)
{
	t->client = SSL_new(t->client_ctx);
	SSL_set_fd(t->client, t->fd);
	SSL_set_connect_state(t->client);
}

static void close_scene(struct scene *t)
{
	SSL_free(t->client);
	SSL_CTX_free(t->client_ctx);
	if (!t->closed)
		stream_abort(&t->s);
	tls_server_free(t->tls);
	loop_free(t->loop);
	fd_close(&t->fd);
	fd_close(&t->keyd);
	waitpid(t->keyd_pid, NULL, 0);
	buf_free(&t->got);
	for (size_t i = 0; i < COUNT(t->chains); i++)
		buf_free(&t->chains[i]);
}

static bool shake_hands(struct scene *t)
{
	int64_t until = clock_mono_ms() + 20000;

	while (clock_mono_ms() < until) {
		int result = SSL_do_handshake(t->client), error = SSL_get_error(t->client, result);
		if (result != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
			return false;
		loop_once(t->loop, 1);
		if (result == 1)
			return true;
	}
	return false;
}

/* Writes it, and reads as many octets back when the server echoes. */
static void say(struct scene *t, struct str text, struct buf *back)
{
	int64_t until = clock_mono_ms() + 30000;
	size_t sent = 0;

	SSL_set_mode(t->client, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	while ((sent < text.n || (back && back->n < text.n) || t->got.n < text.n) && clock_mono_ms() < until) {
		char chunk[16384];
		if (sent < text.n) {
			int n = SSL_write(t->client, text.p + sent, (int)(text.n - sent));
			sent += n > 0 ? (size_t)n : 0;
		}
		int n = SSL_read(t->client, chunk, sizeof(chunk));
		if (n > 0 && back)
			buf_add(back, str_of(chunk, (size_t)n));
		loop_once(t->loop, 0);
	}
}

static const struct {
	enum made_kind kind;
	int version;
	const char *signatures;
} handshakes[] = {
	{ MADE_P256, TLS1_2_VERSION, "ECDSA+SHA256" },	{ MADE_P256, TLS1_2_VERSION, "ECDSA+SHA384" },
	{ MADE_P256, TLS1_3_VERSION, "ECDSA+SHA256" },	{ MADE_P384, TLS1_2_VERSION, "ECDSA+SHA384" },
	{ MADE_P384, TLS1_3_VERSION, "ECDSA+SHA384" },	{ MADE_RSA, TLS1_2_VERSION, "RSA+SHA256" },
	{ MADE_RSA, TLS1_2_VERSION, "RSA+SHA384" },	{ MADE_RSA, TLS1_2_VERSION, "RSA+SHA512" },
	{ MADE_RSA, TLS1_2_VERSION, "RSA-PSS+SHA256" }, { MADE_RSA, TLS1_3_VERSION, "RSA-PSS+SHA256" },
	{ MADE_RSA, TLS1_3_VERSION, "RSA-PSS+SHA384" }, { MADE_RSA, TLS1_3_VERSION, "RSA-PSS+SHA512" },
};

START_TEST(handshake_cases)
{
	scoped_buf struct buf back = { 0 };
	struct tls_facts facts;
	struct scene t;

	open_scene(&t, &handshakes[_i].kind, 1, TLS_1_2);
	ck_assert(!tls_facts(&t.s, &facts));
	ck_assert(tls_start(t.tls, &t.s, NULL));
	ck_assert(tls_facts(&t.s, &facts) && !facts.done && !facts.protocol && !facts.why);
	SSL_CTX_set_min_proto_version(t.client_ctx, handshakes[_i].version);
	SSL_CTX_set_max_proto_version(t.client_ctx, handshakes[_i].version);
	SSL_CTX_set1_sigalgs_list(t.client_ctx, handshakes[_i].signatures);
	start_client(&t);
	ck_assert(shake_hands(&t));
	ck_assert_uint_eq(t.signatures, 1);
	t.echo = true;
	say(&t, STR("EHLO there\r\n"), &back);
	ck_assert_str_is(buf_str(&back), STR("EHLO there\r\n"));
	ck_assert(tls_facts(&t.s, &facts) && facts.done && !facts.why);
	ck_assert_str_eq(facts.protocol, handshakes[_i].version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
	ck_assert(facts.bits >= 128 && facts.bits_most >= facts.bits && facts.cipher);
	ck_assert(!SSL_session_reused(t.client) && !SSL_SESSION_has_ticket(SSL_get_session(t.client)));
	/* the owner may go while connections stand */
	tls_server_free(t.tls);
	t.tls = NULL;
	buf_reset(&back);
	t.got.n = 0;
	say(&t, STR("NOOP\r\n"), &back);
	ck_assert_str_is(buf_str(&back), STR("NOOP\r\n"));
	close_scene(&t);
}
END_TEST

START_TEST(two_chains)
{
	static const enum made_kind kinds[] = { MADE_P256, MADE_RSA };
	struct scene t;

	open_scene(&t, kinds, 2, TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	SSL_CTX_set1_sigalgs_list(t.client_ctx, "RSA-PSS+SHA256");
	start_client(&t);
	ck_assert(shake_hands(&t));
	ck_assert(EVP_PKEY_is_a(X509_get0_pubkey(SSL_get0_peer_certificate(t.client)), "RSA"));
	close_scene(&t);
}
END_TEST

/* The key is not in this process: without the other one no handshake succeeds. */
START_TEST(no_key_here)
{
	const enum made_kind kind = MADE_P256;
	struct tls_facts facts;
	struct err err = { 0 };
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	t.refuse = true;
	ck_assert(tls_start(t.tls, &t.s, NULL));
	start_client(&t);
	ck_assert(!shake_hands(&t));
	ck_assert(t.ended && t.how == STREAM_LOST && t.signatures == 1);
	ck_assert(tls_facts(&t.s, &facts) && !facts.done && facts.why);
	ck_assert(!serve(&t, 1, TLS_1_2, &err) && strstr(err.text, "does its key answer?"));
	close_scene(&t);
}
END_TEST

static void add_pem(struct scene *t, size_t i, enum made_kind kind)
{
	EVP_PKEY *key = made_key(kind);

	made_certificate(key, 30, &t->chains[i]);
	EVP_PKEY_free(key);
}

START_TEST(bad_chains)
{
	struct err err = { 0 };
	struct scene t = { .keyd = -1, .refuse = true };

	ck_assert(!serve(&t, 0, TLS_1_2, &err) && strstr(err.text, "0 certificate chains"));
	ck_assert(!serve(&t, 1, TLS_1_2, &err) && strstr(err.text, "without certificate"));
	buf_add(&t.chains[0], STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
	ck_assert(!serve(&t, 1, TLS_1_2, &err) && strstr(err.text, "without certificate"));
	buf_reset(&t.chains[0]);
	add_pem(&t, 0, MADE_ED25519);
	ck_assert(!serve(&t, 1, TLS_1_2, &err));
	buf_reset(&t.chains[0]);
	add_pem(&t, 0, MADE_RSA_SMALL);
	ck_assert(!serve(&t, 1, TLS_1_2, &err));
	buf_reset(&t.chains[0]);
	add_pem(&t, 0, MADE_P256);
	add_pem(&t, 1, MADE_P384);
	ck_assert(!serve(&t, 2, TLS_1_2, &err) && strstr(err.text, "same kind"));
	buf_free(&t.chains[0]);
	buf_free(&t.chains[1]);
}
END_TEST

/* The key that answers belongs to another certificate: seen at start, not by the first client. */
START_TEST(wrong_key)
{
	const enum made_kind kind = MADE_P256;
	struct err err = { 0 };
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	buf_reset(&t.chains[0]);
	add_pem(&t, 0, MADE_P256);
	ck_assert(!serve(&t, 1, TLS_1_2, &err) && strstr(err.text, "trial handshake"));
	close_scene(&t);
}
END_TEST

static const struct {
	struct str sent;
	const char *why;
} garbage[] = {
	{ STR("EHLO client.example\r\nMAIL FROM:<>\r\n"), "" },
	{ STR("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "http request" },
	{ STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "" },
	{ STR("\x16\x03\x01\xff\xff\x01\x00\x00\x00"), "" },
	{ STR("\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03"), "" },
	{ STR("\x15\x03\x03\x00\x02\x02\x28"), "" },
	{ STR("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"), "" },
	{ STR(""), "hung up" },
	{ STR("\x16\x03"), "hung up" },
};

START_TEST(garbage_cases)
{
	const enum made_kind kind = MADE_P256;
	struct tls_facts facts;
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	fd_write_all(t.fd, garbage[_i].sent);
	shutdown(t.fd, SHUT_WR);
	for (int i = 0; i < 100 && !t.ended; i++)
		loop_once(t.loop, 10);
	ck_assert(t.ended && t.how == STREAM_LOST);
	ck_assert(tls_facts(&t.s, &facts) && !facts.done && facts.why && facts.why[0]);
	ck_assert_msg(strstr(facts.why, garbage[_i].why) != NULL, "%s", facts.why);
	stream_close(&t.s, on_closed);
	for (int i = 0; i < 100 && !t.closed; i++)
		loop_once(t.loop, 10);
	ck_assert(t.closed && t.got.n == 0);
	close_scene(&t);
}
END_TEST

static const struct {
	struct str offer; /* as on the wire */
	bool ok;
} alpns[] = {
	{ STR("\x08http/1.1"), false },
	{ STR("\x02h2\x08http/1.1\x04imap"), false },
	{ STR("\x05smtpx"), false },
	{ STR("\x04SMTP"), false },
	{ STR(""), true },
	{ STR("\x04smtp"), true },
	{ STR("\x08http/1.1\x04smtp"), true },
};

START_TEST(alpn_cases)
{
	const enum made_kind kind = MADE_P256;
	struct tls_facts facts;
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	if (alpns[_i].offer.n)
		SSL_CTX_set_alpn_protos(t.client_ctx, (const unsigned char *)alpns[_i].offer.p,
					(unsigned)alpns[_i].offer.n);
	start_client(&t);
	ck_assert_int_eq(shake_hands(&t), alpns[_i].ok);
	ck_assert(tls_facts(&t.s, &facts));
	ck_assert_int_eq(t.ended, !alpns[_i].ok);
	ck_assert(alpns[_i].ok || strstr(facts.why, "application protocol"));
	close_scene(&t);
}
END_TEST

START_TEST(old_versions_refused)
{
	const enum made_kind kind = MADE_P256;
	struct scene t;

	open_scene(&t, &kind, 1, _i ? TLS_1_3 : TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	SSL_CTX_set_security_level(t.client_ctx, 0);
	SSL_CTX_set_min_proto_version(t.client_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(t.client_ctx, _i ? TLS1_2_VERSION : TLS1_1_VERSION);
	start_client(&t);
	ck_assert(!shake_hands(&t));
	ck_assert(t.ended && t.how == STREAM_LOST);
	close_scene(&t);
}
END_TEST

/* CVE-2011-0411: what an attacker puts behind STARTTLS in clear must never be taken for the client's. */
START_TEST(injected_plaintext)
{
	const enum made_kind kind = MADE_P256;
	scoped_buf struct buf back = { 0 };
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	t.leave = true;
	fd_write_all(t.fd, STR("STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n"));
	for (int i = 0; i < 20 && stream_input(&t.s).n == 0; i++)
		loop_once(t.loop, 10);
	stream_consume(&t.s, 10);
	ck_assert(str_starts(stream_input(&t.s), STR("MAIL")));
	t.leave = false;
	stream_write(&t.s, STR("220 go ahead\r\n"));
	ck_assert(tls_start(t.tls, &t.s, NULL));
	char plain[64];
	ck_assert_int_eq(read(t.fd, plain, sizeof(plain)), 14);
	start_client(&t);
	ck_assert(shake_hands(&t));
	t.echo = true;
	say(&t, STR("EHLO x\r\n"), &back);
	ck_assert_str_is(buf_str(&t.got), STR("EHLO x\r\n"));
	close_scene(&t);
}
END_TEST

/* The answer to STARTTLS does not fit into the socket: it must not go out encrypted later. */
START_TEST(unsent_plaintext)
{
	const enum made_kind kind = MADE_P256;
	scoped_buf struct buf much = { 0 };
	struct tls_facts facts;
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	buf_reserve(&much, 4 << 20);
	memset(much.p, 'x', much.n = 4 << 20);
	stream_write(&t.s, buf_str(&much));
	ck_assert(stream_unsent(&t.s) > 0);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	ck_assert(t.ended && t.how == STREAM_LOST && !tls_facts(&t.s, &facts));
	close_scene(&t);
}
END_TEST

START_TEST(bulk_through_a_narrow_pipe)
{
	const enum made_kind kind = MADE_P256;
	scoped_buf struct buf much = { 0 }, back = { 0 };
	int room = 1;
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	setsockopt(t.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(t.s.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	ck_assert(tls_start(t.tls, &t.s, NULL));
	if (_i)
		SSL_CTX_set_max_proto_version(t.client_ctx, TLS1_2_VERSION);
	start_client(&t);
	ck_assert(shake_hands(&t));
	buf_reserve(&much, 1 << 20);
	for (much.n = 0; much.n < 1 << 20; much.n++)
		much.p[much.n] = (char)(much.n * 31 >> 3);
	t.echo = true;
	say(&t, buf_str(&much), &back);
	ck_assert(str_eq(buf_str(&t.got), buf_str(&much)));
	ck_assert(str_eq(buf_str(&back), buf_str(&much)));
	close_scene(&t);
}
END_TEST

/* A record is larger than what the stream takes at a time: the rest must not wait for more from the socket. */
START_TEST(record_larger_than_the_buffer)
{
	const enum made_kind kind = MADE_P256;
	scoped_buf struct buf much = { 0 };
	struct scene t;

	open_scene(&t, &kind, 1, TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	start_client(&t);
	ck_assert(shake_hands(&t));
	buf_reserve(&much, 16000);
	memset(much.p, 'y', much.n = 16000);
	stream_pause(&t.s);
	ck_assert_int_eq(SSL_write(t.client, much.p, (int)much.n), 16000);
	stream_resume(&t.s);
	for (int i = 0; i < 50 && t.got.n < 16000; i++)
		loop_once(t.loop, 1);
	ck_assert(str_eq(buf_str(&t.got), buf_str(&much)));
	/* and over a pause in the middle of it */
	t.got.n = 0;
	ck_assert_int_eq(SSL_write(t.client, much.p, (int)much.n), 16000);
	for (int i = 0; i < 20 && t.got.n == 0; i++)
		loop_once(t.loop, 1);
	stream_pause(&t.s);
	size_t before = t.got.n;
	for (int i = 0; i < 5; i++)
		loop_once(t.loop, 1);
	ck_assert_uint_eq(t.got.n, before);
	stream_resume(&t.s);
	for (int i = 0; i < 50 && t.got.n < 16000; i++)
		loop_once(t.loop, 1);
	ck_assert_uint_eq(t.got.n, 16000);
	close_scene(&t);
}
END_TEST

START_TEST(goodbye)
{
	const enum made_kind kind = MADE_P256;
	struct scene t;
	char c[64];

	open_scene(&t, &kind, 1, TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	start_client(&t);
	ck_assert(shake_hands(&t));
	stream_write(&t.s, STR("221 bye\r\n"));
	stream_close(&t.s, on_closed);
	for (int i = 0; i < 5; i++)
		loop_once(t.loop, 1);
	ck_assert_int_eq(SSL_read(t.client, c, sizeof(c)), 9);
	int n = SSL_read(t.client, c, sizeof(c));
	ck_assert_int_eq(SSL_get_error(t.client, n), SSL_ERROR_ZERO_RETURN);
	close(t.fd);
	t.fd = -1;
	for (int i = 0; i < 100 && !t.closed; i++)
		loop_once(t.loop, 10);
	ck_assert(t.closed);
	close_scene(&t);
}
END_TEST

/* With close_notify or without: the end of the client's side, which can still be answered. */
START_TEST(client_leaves)
{
	const enum made_kind kind = MADE_P256;
	struct scene t;
	char c[8];

	open_scene(&t, &kind, 1, TLS_1_2);
	ck_assert(tls_start(t.tls, &t.s, NULL));
	start_client(&t);
	ck_assert(shake_hands(&t));
	if (_i)
		SSL_shutdown(t.client);
	else
		shutdown(t.fd, SHUT_WR);
	for (int i = 0; i < 50 && !t.ended; i++)
		loop_once(t.loop, 1);
	ck_assert(t.ended && t.how == STREAM_EOF);
	stream_write(&t.s, STR("421 x\r\n"));
	loop_once(t.loop, 1);
	ck_assert_int_eq(SSL_read(t.client, c, sizeof(c)), 7);
	close_scene(&t);
}
END_TEST

TEST_MAIN("tls", tcase_add_loop_test(tc, content_cases, 0, COUNT(contents));
	  tcase_add_loop_test(tc, handshake_cases, 0, COUNT(handshakes)); tcase_add_test(tc, two_chains);
	  tcase_add_test(tc, no_key_here); tcase_add_test(tc, bad_chains); tcase_add_test(tc, wrong_key);
	  tcase_add_loop_test(tc, garbage_cases, 0, COUNT(garbage));
	  tcase_add_loop_test(tc, alpn_cases, 0, COUNT(alpns)); tcase_add_loop_test(tc, old_versions_refused, 0, 2);
	  tcase_add_test(tc, injected_plaintext); tcase_add_test(tc, unsent_plaintext);
	  tcase_add_loop_test(tc, bulk_through_a_narrow_pipe, 0, 2); tcase_add_test(tc, record_larger_than_the_buffer);
	  tcase_add_test(tc, goodbye); tcase_add_loop_test(tc, client_leaves, 0, 2))
