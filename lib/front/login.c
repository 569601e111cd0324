/* The login: SASL, authd's verdict, and the hand-over to a session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/inner.h"
#include "io/fd.h"
#include "log/words.h"

enum { AUTHD_MS = 40000, SPAWNER_MS = 20000 };

static void idle_again(struct front_conn *c)
{
	c->busy = false;
	stream_deadline(&c->stream, front_rules(c).login_timeout);
	stream_resume(&c->stream);
}

static void refuse_now(void *arg)
{
	struct front_conn *c = arg;

	c->front->protocol->refused(c);
	if (++c->failures >= (unsigned)front_rules(c).auth_limit) {
		c->front->protocol->goodbye(c, "too many failed logins");
		front_close(c);
		return;
	}
	idle_again(c);
}

static void try_later(struct front_conn *c)
{
	c->front->protocol->later(c);
	idle_again(c);
}

static void on_opened(void *arg, enum call_result result, void *message)
{
	struct front_conn *c = arg;
	const struct session_opened *m = message;

	if (c->has_session) { /* under TLS: the pair's end was put into `session` before the question */
		if (result == CALL_OK && m->ok)
			return;
		stream_abort(&c->session);
		c->has_session = false;
		try_later(c);
		return;
	}
	if (result == CALL_OK && m->ok && c->front->protocol->sleeps && sleep_hold(c))
		return;
	/* The descriptor itself has been handed over; our copy says nothing more, whatever came of it. */
	if (result == CALL_OK && m->ok) {
		c->closing = true;
		stream_abort(&c->stream);
		conn_free(c);
		return;
	}
	try_later(c);
}

/* What the client has sent already belongs to the session. */
static void open_session(struct front_conn *c)
{
	int pair[2] = { -1, -1 };
	struct session_open m = { .ticket = str_from(c->ticket),
				  .client = str_from(c->address),
				  .tag = str_from(c->tag),
				  .tls = c->tls };

	m.id = c->id = ++c->front->last_id;
	if (c->front->protocol->sleeps)
		table_set(&c->front->by_id, str_of(&c->id, sizeof(c->id)), c);
	if (c->tls && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		try_later(c);
		return;
	}
	m.socket = c->tls ? pair[1] : c->stream.fd;
	m.input = c->tls ? STR("") : stream_input(&c->stream);
	if (c->tls)
		proxy_start(c, pair[0]);
	channel_call(run_server(c->front->run, c->front->protocol->spawner), &session_open_schema, &m,
		     &session_opened_schema, SPAWNER_MS, &c->call, on_opened, c);
	fd_close(&pair[1]);
}

static void on_verdict(void *arg, enum call_result result, void *message)
{
	struct front_conn *c = arg;
	const struct login_answer *a = message;
	struct log *log = &c->front->run->log;
	struct str user = str_from(c->user);

	if (result == CALL_OK && a->result == LOGIN_OK && a->ticket.n < sizeof(c->ticket)) {
		snprintf(c->ticket, sizeof(c->ticket), "%.*s", STR_ARG(a->ticket));
		log_line(log, LOG_DETAIL, WORDS_LOGIN, c->client, LOG_ARG(a->user), c->method, c->tls ? ", TLS" : "");
		open_session(c);
	} else if (result == CALL_OK && a->result == LOGIN_REFUSED) {
		log_line(log, LOG_NOTICE, WORDS_LOGIN_FAILED, c->client, c->method, LOG_ARG(a->why), LOG_ARG(user));
		timer_set(&c->delay, c->front->run->loop, a->delay_ms, refuse_now, c);
	} else {
		log_line(log, LOG_WARNING, "warning: %s: no verdict on login <%.*s>", c->client, LOG_ARG(user));
		try_later(c);
	}
}

void front_login(struct front_conn *c, struct str user, struct str password)
{
	struct login m = { .client = str_from(c->address),
			   .protocol = str_from(c->front->protocol->name),
			   .user = user,
			   .password = password };

	c->busy = true;
	stream_deadline(&c->stream, 0);
	if (user.p != c->user)
		snprintf(c->user, sizeof(c->user), "%.*s", STR_ARG(user));
	channel_call(run_server(c->front->run, "authd"), &login_schema, &m, &login_answer_schema, AUTHD_MS, &c->call,
		     on_verdict, c);
}

static void sasl_over(struct front_conn *c)
{
	sasl_end(c->sasl);
	free(c->sasl);
	c->sasl = NULL;
}

static void sasl_go_on(struct front_conn *c, enum sasl_result result)
{
	char text[512];

	switch (result) {
	case SASL_CONTINUE:
		snprintf(text, sizeof(text), "+ %.*s\r\n", STR_ARG(c->sasl->challenge));
		front_write(c, text);
		return;
	case SASL_CANCELLED: c->front->protocol->sasl_failed(c, "authentication cancelled"); break;
	case SASL_FAILED: c->front->protocol->sasl_failed(c, c->sasl->why); break;
	case SASL_DONE:
		/* To act for another user is not offered: the two names must be one. */
		if (c->sasl->authzid.n > 0 && !str_eq(c->sasl->authzid, c->sasl->authcid))
			c->front->protocol->sasl_failed(c, "you cannot act for another user");
		else
			front_login(c, c->sasl->authcid, c->sasl->password);
		break;
	}
	sasl_over(c);
}

bool front_sasl(struct front_conn *c, struct str mechanism, struct str initial)
{
	const struct sasl_mechanism *known = sasl_find(mechanism);

	if (!known)
		return false;
	snprintf(c->method, sizeof(c->method), "%.*s", STR_ARG(known->name));
	c->sasl = calloc(1, sizeof(*c->sasl));
	ASSERT(c->sasl);
	sasl_go_on(c, sasl_start(c->sasl, mechanism, initial));
	return true;
}

void login_sasl_line(struct front_conn *c, struct str line)
{
	sasl_go_on(c, sasl_step(c->sasl, line));
}
