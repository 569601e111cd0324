#include "session.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "clients.h"
#include "commands.h"
#include "io/fd.h"
#include "log/words.h"
#include "qmgr.h"
#include "resolverd.h"
#include "restrict.h"
#include "wire.h"

/* Who is there, as the kernel says it. */
static void name_client(struct session *s, int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);
	struct ucred who;

	getpeername(fd, (struct sockaddr *)&a, &n);
	if (a.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, s->address, sizeof(s->address));
	else if (a.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, s->address, sizeof(s->address));
	else
		snprintf(s->address, sizeof(s->address), "local");
	n = sizeof(who);
	s->uid = UINT32_MAX;
	if (a.ss_family == AF_UNIX && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
		s->uid = who.uid;
	snprintf(s->name, sizeof(s->name), "%s", a.ss_family == AF_UNIX ? "localhost" : "unknown");
	snprintf(s->client, sizeof(s->client), "%s[%s]", s->name, s->address);
}

static void session_free(void *arg)
{
	struct session *s = arg;
	struct smtpd *smtpd = s->smtpd;

	log_line(&smtpd->run->log, LOG_DETAIL, WORDS_DISCONNECT, s->client, s->commands, s->messages);
	call_cancel(&s->call);
	dns_cancel(&s->dns);
	timer_stop(&s->delay);
	restrict_end(s);
	session_reset(s);
	if (s->sasl)
		sasl_end(s->sasl);
	free(s->sasl);
	clients_leave(s);
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	smtpd->n_sessions -= !s->refused;
	free(s);
	run_resume_accept(smtpd->run);
	if (smtpd->run->draining && !smtpd->sessions)
		run_drained(smtpd->run);
}

static struct reply greeting(const struct session *s, bool welcome)
{
	const struct smtpd_conf *conf = session_conf(s);

	if (!welcome)
		return REPLY(421, 4, 7, 0, "Error: too many connections from your address");
	if (s->smtpd->n_sessions > (size_t)conf->smtpd_session_limit)
		return REPLY(421, 4, 3, 2, "Error: too many connections, try again later");
	/* The enhanced status is for replies to commands (RFC 2034, 4). */
	return reply_make(220, 0, 0, 0, "%.*s", STR_ARG(conf->smtpd_banner));
}

static void greet(struct session *s, bool welcome)
{
	struct reply r = greeting(s, welcome);

	if (r.code != 220) {
		log_line(&s->smtpd->run->log, LOG_NOTICE, "NOQUEUE: reject: CONNECT from %s: %d %s", s->client, r.code,
			 r.text);
		/* It takes no place from others while it lingers. */
		s->refused = true;
		s->smtpd->n_sessions--;
		session_close(s, r);
		return;
	}
	session_reply(s, r);
}

static void log_connect(struct session *s)
{
	if (!s->closing)
		log_line(&s->smtpd->run->log, LOG_DETAIL, WORDS_CONNECT, s->client);
}

void session_start(struct smtpd *smtpd, int fd, unsigned service)
{
	struct session *s = calloc(1, sizeof(*s));
	int on = 1;

	ASSERT(s);
	s->smtpd = smtpd;
	s->service = service;
	s->state = ST_NEW;
	s->next = smtpd->sessions;
	s->prev = &smtpd->sessions;
	if (s->next)
		s->next->prev = &s->next;
	smtpd->sessions = s;
	smtpd->n_sessions++;
	name_client(s, fd);
	bool welcome = clients_enter(s);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream_start(&s->stream, smtpd->run->loop, fd, INPUT_MAX, &wire_events, s);
	stream_deadline(&s->stream, session_conf(s)->smtpd_timeout);
	if (session_conf(s)->smtpd_tls_wrappermode) {
		if (!smtpd->keys.server || !clients_event(s, CLIENT_TLS)) {
			session_close(s, (struct reply){ 0 });
			return;
		}
		session_start_tls(s); /* the greeting waits in the stream for the handshake */
		s->tls_started_now = false;
	}
	greet(s, welcome);
	if (!s->closing && session_conf(s)->smtpd_peername_lookup)
		resolverd_name(s);
	else
		log_connect(s);
}

void session_named(struct session *s)
{
	s->busy = false;
	if (s->closing)
		return;
	log_connect(s);
	stream_deadline(&s->stream, session_conf(s)->smtpd_timeout);
	stream_resume(&s->stream);
}

void session_finish_all(struct smtpd *smtpd)
{
	struct session *next;

	if (!smtpd->sessions)
		run_drained(smtpd->run);
	for (struct session *s = smtpd->sessions; s; s = next) {
		next = s->next;
		if (!s->busy && !s->closing && s->state != ST_DATA)
			session_close(s, REPLY(421, 4, 3, 2, "Error: service shutting down"));
	}
}

static void write_reply(struct session *s, const struct reply *r)
{
	scoped_buf struct buf out = { 0 };

	reply_write(r, &out);
	stream_write(&s->stream, buf_str(&out));
}

void session_close(struct session *s, struct reply r)
{
	if (s->closing)
		return;
	s->closing = true;
	call_cancel(&s->call);
	timer_stop(&s->delay);
	if (r.code)
		write_reply(s, &r);
	stream_close(&s->stream, session_free);
}

/* Too many errors, or we are to end: this reply is the last one. */
static bool is_last(struct session *s, const struct reply *r)
{
	if (r->code >= 400)
		s->errors++;
	return s->errors >= (unsigned)session_conf(s)->smtpd_hard_error_limit;
}

void session_reply(struct session *s, struct reply r)
{
	bool was_busy = s->busy;

	s->busy = false;
	if (s->closing)
		return;
	write_reply(s, &r);
	if (is_last(s, &r)) {
		session_close(s, REPLY(421, 4, 7, 0, "Error: too many errors"));
		return;
	}
	if (s->smtpd->run->draining && s->state != ST_DATA) {
		session_close(s, REPLY(421, 4, 3, 2, "Error: service shutting down"));
		return;
	}
	stream_deadline(&s->stream, session_conf(s)->smtpd_timeout);
	if (was_busy)
		stream_resume(&s->stream);
}

void session_busy(struct session *s)
{
	s->busy = true;
	/* The peers have time limits of their own; the client is not to blame for them. */
	stream_deadline(&s->stream, 0);
}

static void delay_over(void *arg)
{
	struct session *s = arg;

	session_reply(s, s->delayed);
}

void session_reply_later(struct session *s, struct reply r, int64_t ms)
{
	if (ms <= 0) {
		session_reply(s, r);
		return;
	}
	session_busy(s);
	s->delayed = r;
	timer_set(&s->delay, s->smtpd->run->loop, ms, delay_over, s);
}

void session_reset(struct session *s)
{
	struct transaction *t = s->mail;

	if (s->state & (ST_MAIL | ST_RCPT | ST_DATA))
		s->state = ST_GREETED;
	if (!t)
		return;
	if (t->spool >= 0)
		qmgr_drop_spool(s);
	else
		qmgr_return_id(s->smtpd, t);
	fd_close(&t->spool);
	buf_free(&t->recipients_raw);
	buf_free(&t->head);
	buf_free(&t->body);
	buf_free(&t->prepend);
	arena_free(&t->arena);
	free(t);
	s->mail = NULL;
}

const char *session_protocol(const struct session *s)
{
	static const char *const smtp[2][2] = { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } };
	static const char *const lmtp[2][2] = { { "LMTP", "LMTPA" }, { "LMTPS", "LMTPSA" } };

	if (session_conf(s)->smtpd_service == SMTPD_LMTP)
		return lmtp[s->tls][s->login[0] != 0];
	return s->esmtp ? smtp[s->tls][s->login[0] != 0] : "SMTP";
}

void session_log_reject(struct session *s, const char *what, struct reply r, struct str recipient)
{
	struct str sender = s->mail ? s->mail->sender : STR("");
	char status[16];

	snprintf(status, sizeof(status), "%d.%d.%d", r.enh[0], r.enh[1], r.enh[2]);
	log_line(&s->smtpd->run->log, LOG_NOTICE, WORDS_REJECT, s->mail && s->mail->id[0] ? s->mail->id : "NOQUEUE",
		 what, s->client, r.code, LOG_ARG(str_from(status)), LOG_ARG(str_from(r.text)), LOG_ARG(sender),
		 LOG_ARG(recipient), session_protocol(s), LOG_ARG(str_from(s->helo)));
}

void session_start_tls(struct session *s)
{
	struct err err = { 0 };

	if (!tls_start(s->smtpd->keys.server, &s->stream, &err)) {
		log_line(&s->smtpd->run->log, LOG_WARNING, WORDS_TLS_FAILED, s->client, err.text);
		session_close(s, (struct reply){ 0 });
		return;
	}
	s->tls = true;
	s->tls_started_now = true;
	s->state = ST_NEW;
	s->esmtp = false;
	s->helo[0] = '\0';
}

void session_log_tls(struct session *s)
{
	struct tls_facts f;

	s->tls_logged = true;
	if (tls_facts(&s->stream, &f) && f.done)
		log_line(&s->smtpd->run->log, LOG_DETAIL, WORDS_TLS, s->client, f.protocol, f.cipher, f.bits,
			 f.bits_most);
	else
		log_line(&s->smtpd->run->log, LOG_NOTICE, WORDS_TLS_FAILED, s->client,
			 f.why ? f.why : "the client left");
}
