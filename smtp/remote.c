/* A connection to a remote host, from connect to close, and those that are kept for the next message. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/fd.h"
#include "log/words.h"
#include "smtp/remote_inner.h"

const char *const step_names[STEPS] = {
	[STEP_CONNECT] = "connect",	  [STEP_GREETING] = "initial server greeting", [STEP_EHLO] = "EHLO",
	[STEP_HELO] = "HELO",		  [STEP_STARTTLS] = "STARTTLS",		       [STEP_TLS] = "TLS handshake",
	[STEP_AUTH] = "AUTH",		  [STEP_MAIL] = "MAIL FROM",		       [STEP_RCPT] = "RCPT TO",
	[STEP_DATA] = "DATA",		  [STEP_CONTENT] = "message body",	       [STEP_DOT] = "end of DATA",
	[STEP_RSET] = "RSET",		  [STEP_IDLE] = "idle",			       [STEP_QUIT] = "QUIT",
};

static int64_t step_ms(const struct smtp_conf *c, enum step step)
{
	switch (step) {
	case STEP_CONNECT: return c->smtp_connect_timeout;
	case STEP_MAIL:
	case STEP_RCPT:
	case STEP_RSET: return c->smtp_mail_timeout;
	case STEP_DATA: return c->smtp_data_init_timeout;
	case STEP_CONTENT: return c->smtp_data_xfer_timeout;
	case STEP_DOT: return c->smtp_data_done_timeout;
	case STEP_QUIT: return c->smtp_quit_timeout;
	case STEP_IDLE: return 0;
	default: return c->smtp_helo_timeout;
	}
}

void remote_expect(struct remote *r, enum step step)
{
	r->step = step;
	stream_deadline(&r->stream, step_ms(smtp_conf(r->smtp), step));
}

/* ---- the end ---- */

static void unlink_idle(struct remote *r)
{
	if (r->prev) {
		*r->prev = r->next;
		if (r->next)
			r->next->prev = r->prev;
	}
	r->prev = NULL;
	r->next = NULL;
}

static void remote_free(void *arg)
{
	struct remote *r = arg;

	timer_stop(&r->limit);
	unlink_idle(r);
	free(r);
}

static void close_stream(struct remote *r)
{
	if (r->closing)
		return;
	r->closing = true;
	timer_stop(&r->limit);
	unlink_idle(r);
	stream_close(&r->stream, remote_free);
}

/* Nobody was there yet who could have said anything about this mail. */
static bool before_mail(enum step step)
{
	return step <= STEP_AUTH;
}

void remote_fail(struct remote *r, const char *format, ...)
{
	struct job *job = r->job;
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	r->job = NULL;
	if (job) {
		snprintf(job->why, sizeof(job->why), "%s", text);
		if (!before_mail(r->step))
			job->reached = true;
		/* whether the remote has it nobody knows: to try elsewhere now would send it twice for sure */
		if (r->whole)
			job_settle(job, FATE_LATER, "4.4.2", "%s", text);
	}
	close_stream(r);
	if (job)
		job_over(job);
}

void remote_quit(struct remote *r)
{
	unlink_idle(r);
	r->job = NULL;
	if (r->closing)
		return;
	stream_write(&r->stream, STR("QUIT\r\n"));
	remote_expect(r, STEP_QUIT);
}

/* ---- connections that wait ---- */

static void idle_over(void *arg)
{
	remote_quit(arg);
}

void remote_done(struct remote *r)
{
	struct job *job = r->job;
	struct smtp *smtp = r->smtp;
	const struct smtp_conf *conf = smtp_conf(smtp);

	r->job = NULL;
	r->messages++;
	bool keep = !r->spoilt && !smtp->run->draining && conf->smtp_connection_reuse_time > 0 &&
		    r->messages < (uint64_t)conf->smtp_connection_reuse_count_limit;
	if (keep) {
		remote_expect(r, STEP_IDLE);
		r->next = smtp->idle;
		r->prev = &smtp->idle;
		if (r->next)
			r->next->prev = &r->next;
		smtp->idle = r;
		timer_set(&r->limit, smtp->run->loop, conf->smtp_connection_reuse_time, idle_over, r);
	} else {
		remote_quit(r);
	}
	job_over(job);
}

bool remote_reuse(struct job *job)
{
	struct remote *r = job->smtp->idle;

	while (r && strcmp(r->key, job->key) != 0)
		r = r->next;
	if (!r)
		return false;
	unlink_idle(r);
	timer_stop(&r->limit);
	r->job = job;
	job->remote = r;
	job->reached = true;
	snprintf(job->relay, sizeof(job->relay), "%s", r->name);
	talk_begin(r);
	/* a cable that was cut says nothing: no longer than a fresh connection would need to find out */
	if (!r->closing && r->job)
		stream_deadline(&r->stream, smtp_conf(r->smtp)->smtp_connect_timeout);
	return true;
}

void remote_close_idle(struct smtp *smtp)
{
	while (smtp->idle)
		remote_quit(smtp->idle);
}

/* ---- bytes ---- */

void remote_tls_done(struct remote *r)
{
	struct tls_facts f;

	r->step = STEP_EHLO;

	if (tls_facts(&r->stream, &f) && f.done)
		log_line(&r->smtp->run->log, LOG_DETAIL, "%s TLS connection established to %s: %s with cipher %s (%d/%d bits)",
			 tls_verified(&r->stream) ? "Verified" : "Untrusted", r->name, f.protocol, f.cipher, f.bits, f.bits_most);
}

static void on_input(void *arg)
{
	struct remote *r = arg;
	struct str line;
	size_t used;

	while (!r->closing && r->stream.fd >= 0) {
		enum stream_line got = stream_line(&r->stream, REMOTE_LINE_MAX, &line, &used);
		if (got == LINE_TOO_LONG) {
			remote_fail(r, "host %s sent a line without end (in reply to %s)", r->name, step_names[r->step]);
			return;
		}
		if (got != LINE_WHOLE)
			return;
		bool tls = r->tls;
		talk_line(r, line);
		if (r->tls != tls) /* the buffer is gone with the plaintext */
			return;
		if (!r->closing && r->stream.fd >= 0)
			stream_consume(&r->stream, used);
	}
}

static void on_drained(void *arg)
{
	struct remote *r = arg;

	if (r->step == STEP_CONTENT)
		content_go_on(r);
}

static const char *tls_trouble(struct remote *r)
{
	struct tls_facts f;

	return tls_facts(&r->stream, &f) && f.why ? f.why : "the host hung up";
}

/* A handshake that fails is no reason to keep mail back which may go in clear: once more, without. */
static bool try_without_tls(struct remote *r)
{
	struct job *job = r->job;

	if (!job || job->tls != TLS_LEVEL_MAY || r->step != STEP_TLS)
		return false;
	log_line(&r->smtp->run->log, LOG_NOTICE, "Cannot start TLS with %s: %s: going on without", r->name, tls_trouble(r));
	r->job = NULL;
	close_stream(r);
	job->tls = TLS_LEVEL_NONE;
	job->at--;
	job->tried--;
	job_over(job);
	return true;
}

static void on_ended(void *arg, enum stream_end how)
{
	struct remote *r = arg;

	if (!r->job) {
		close_stream(r);
		return;
	}
	if (r->step == STEP_TLS) {
		if (!try_without_tls(r))
			remote_fail(r, "Cannot start TLS with %s: %s", r->name, tls_trouble(r));
		return;
	}
	remote_fail(r, "%s with %s while %s %s", how == STREAM_TIMEOUT ? "conversation" : "lost connection", r->name,
		    r->step == STEP_GREETING ? "receiving the" : r->step == STEP_CONTENT ? "sending" : "waiting for the answer to",
		    how == STREAM_TIMEOUT ? "timed out" : step_names[r->step]);
}

static const struct stream_events events = { .input = on_input, .drained = on_drained, .ended = on_ended };

/* ---- connecting ---- */

static void connect_failed(struct remote *r, const char *why)
{
	struct job *job = r->job;

	watch_stop(&r->connecting);
	timer_stop(&r->limit);
	fd_close(&r->fd);
	if (job)
		snprintf(job->why, sizeof(job->why), "connect to %s: %s", r->name, why);
	free(r);
	if (job)
		job_over(job);
}

static void connect_late(void *arg)
{
	connect_failed(arg, "Connection timed out");
}

static void start(struct remote *r)
{
	stream_start(&r->stream, r->smtp->run->loop, fd_take(&r->fd), 2 * REMOTE_LINE_MAX, &events, r);
	remote_expect(r, STEP_GREETING);
}

static void connected(void *arg, int what)
{
	struct remote *r = arg;
	int error = 0, on = 1;
	socklen_t n = sizeof(error);

	(void)what;
	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error) {
		connect_failed(r, strerror(error ? error : errno));
		return;
	}
	watch_stop(&r->connecting);
	timer_stop(&r->limit);
	setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	start(r);
}

static void fail_later(void *arg)
{
	struct remote *r = arg;

	connect_failed(r, strerror(r->connect_error));
}

static socklen_t fill_address(const struct exchange_address *a, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (void *)out;
	struct sockaddr_in6 *six = (void *)out;

	*out = (struct sockaddr_storage){ 0 };
	if (a->n == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, a->octets, 4);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	memcpy(&six->sin6_addr, a->octets, 16);
	return sizeof(*six);
}

static struct remote *remote_new(struct job *job)
{
	struct remote *r = calloc(1, sizeof(*r));

	ASSERT(r);
	r->smtp = job->smtp;
	r->job = job;
	job->remote = r;
	r->lmtp = job->lmtp;
	memcpy(r->key, job->key, sizeof(r->key));
	return r;
}

void remote_adopt(struct job *job, int fd)
{
	struct remote *r = remote_new(job);

	snprintf(r->host, sizeof(r->host), "%.*s", STR_ARG(job->domain));
	snprintf(r->name, sizeof(r->name), "%s[%.*s]", r->host, STR_ARG(str_head(job->path, ADDRESS_TEXT_MAX)));
	snprintf(job->relay, sizeof(job->relay), "%s", r->name);
	r->fd = fd;
	start(r);
}

void remote_open(struct job *job, const struct exchange_address *a)
{
	struct remote *r = remote_new(job);
	struct sockaddr_storage to;
	char address[ADDRESS_TEXT_MAX] = "";
	socklen_t n = fill_address(a, job->port, &to);

	inet_ntop(a->n == 4 ? AF_INET : AF_INET6, a->octets, address, sizeof(address));
	snprintf(r->host, sizeof(r->host), "%.*s", STR_ARG(a->host));
	snprintf(r->name, sizeof(r->name), "%s[%s]:%u", r->host, address, job->port);
	snprintf(job->relay, sizeof(job->relay), "%s", r->name);
	r->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0 || (connect(r->fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS)) {
		r->connect_error = errno;
		timer_set(&r->limit, r->smtp->run->loop, 0, fail_later, r); /* never from within the caller */
		return;
	}
	watch_set(&r->connecting, r->smtp->run->loop, r->fd, WATCH_WRITE, connected, r);
	timer_set(&r->limit, r->smtp->run->loop, smtp_conf(r->smtp)->smtp_connect_timeout, connect_late, r);
}
