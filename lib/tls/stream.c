/* TLS between a stream and its descriptor. */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "tls/inner.h"

enum { WHY_MAX = 160 };

struct tls {
	struct tls_server *server; /* NULL: we are the client */
	SSL *ssl;
	char *why; /* NULL while all is well */
};

static ssize_t broken(struct tls *t, const char *why)
{
	if (!t->why)
		t->why = strndup(why, strnlen(why, WHY_MAX));
	ERR_clear_error();
	return STREAM_BROKEN;
}

/* What OpenSSL means by a result that is not positive. */
static ssize_t outcome(struct tls *t, int result)
{
	int error = errno;

	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ: return STREAM_AGAIN_READ;
	case SSL_ERROR_WANT_WRITE: return STREAM_AGAIN_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return SSL_is_init_finished(t->ssl) ? 0 : broken(t, "the other side hung up in the handshake");
	case SSL_ERROR_SYSCALL: return broken(t, error ? strerror(error) : "the other side hung up");
	default: return broken(t, openssl_why());
	}
}

static int cut(size_t n)
{
	return n > INT_MAX ? INT_MAX : (int)n;
}

static ssize_t tls_read(void *state, int fd, char *p, size_t n)
{
	struct tls *t = state;

	(void)fd;
	ERR_clear_error();
	errno = 0;
	int got = SSL_read(t->ssl, p, cut(n));
	return got > 0 ? got : outcome(t, got);
}

static ssize_t tls_write(void *state, int fd, const char *p, size_t n)
{
	struct tls *t = state;

	(void)fd;
	ERR_clear_error();
	errno = 0;
	int put = SSL_write(t->ssl, p, cut(n));
	if (put > 0)
		return put;
	ssize_t what = outcome(t, put);
	return what == 0 ? broken(t, "the other side hung up") : what;
}

/* close_notify (RFC 8446, 6.1); what does not fit into the socket's buffer is not waited for. */
static void tls_finish(void *state, int fd)
{
	struct tls *t = state;

	(void)fd;
	if (!t->why && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

static void tls_free(void *state)
{
	struct tls *t = state;

	SSL_free(t->ssl);
	if (t->server)
		server_drop(t->server);
	free(t->why);
	free(t);
}

static bool tls_pending(void *state)
{
	return SSL_pending(((struct tls *)state)->ssl) > 0;
}

static const struct stream_transport transport = { tls_read, tls_write, tls_finish, tls_free, tls_pending };

void tls_attach(struct stream *s, SSL *ssl, struct tls_server *server)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		panic("out of memory: TLS connection");
	*t = (struct tls){ .server = server, .ssl = ssl };
	if (server)
		server->holders++;
	stream_set_transport(s, &transport, t);
}

SSL *tls_of(const struct stream *s)
{
	const struct tls *t = s->transport_state;

	return s->transport == &transport ? t->ssl : NULL;
}

bool tls_start(struct tls_server *server, struct stream *s, struct err *err)
{
	SSL *ssl = SSL_new(server->ctx);

	if (!ssl || SSL_set_fd(ssl, s->fd) != 1) {
		SSL_free(ssl);
		return err_openssl(err, "TLS");
	}
	SSL_set_accept_state(ssl);
	tls_attach(s, ssl, server);
	return true;
}

bool tls_facts(const struct stream *s, struct tls_facts *facts)
{
	const struct tls *t = s->transport_state;

	if (s->transport != &transport)
		return false;
	*facts = (struct tls_facts){ .done = SSL_is_init_finished(t->ssl), .why = t->why };
	if (!facts->done)
		return true;
	facts->protocol = SSL_get_version(t->ssl);
	facts->cipher = SSL_get_cipher_name(t->ssl);
	facts->bits = SSL_get_cipher_bits(t->ssl, &facts->bits_most);
	return true;
}
