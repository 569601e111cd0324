#include "authd.h"

#include <stdio.h>

#include "log/words.h"

enum { AUTHD_MS = 30000 };

static void refuse(struct session *s, struct str user, const struct login_answer *a)
{
	log_line(&s->smtpd->run->log, LOG_NOTICE, WORDS_LOGIN_FAILED, s->client, s->method, LOG_ARG(a->why), LOG_ARG(user));
	if (++s->auth_failures >= (unsigned)session_conf(s)->smtpd_auth_limit) {
		session_close(s, REPLY(421, 4, 7, 0, "Error: too many failed logins"));
		return;
	}
	session_reply_later(s, REPLY(535, 5, 7, 8, "Error: authentication failed"), a->delay_ms);
}

static void on_answer(void *arg, enum call_result result, void *message)
{
	struct session *s = arg;
	const struct login_answer *a = message;
	struct str user = str_from(s->pending);

	if (result != CALL_OK || a->result == LOGIN_LATER || a->user.n >= sizeof(s->login)) {
		log_line(&s->smtpd->run->log, LOG_WARNING, "warning: %s: no verdict on login <%.*s>", s->client, LOG_ARG(user));
		session_reply(s, REPLY(454, 4, 7, 0, "Temporary authentication failure"));
		return;
	}
	if (a->result != LOGIN_OK) {
		refuse(s, user, a);
		return;
	}
	snprintf(s->login, sizeof(s->login), "%.*s", STR_ARG(a->user));
	session_reply(s, REPLY(235, 2, 7, 0, "Authentication successful"));
}

void authd_ask(struct session *s, struct str user, struct str password)
{
	struct login m = { .client = str_from(s->address), .protocol = STR("smtp"), .user = user, .password = password };

	snprintf(s->pending, sizeof(s->pending), "%.*s", STR_ARG(user));
	session_busy(s);
	channel_call(run_server(s->smtpd->run, "authd"), &login_schema, &m, &login_answer_schema, AUTHD_MS, &s->call,
		     on_answer, s);
}
