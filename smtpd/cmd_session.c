/* EHLO, HELO, LHLO, STARTTLS, and the commands that change nothing. */
#include <stdio.h>

#include "clients.h"
#include "commands.h"
#include "decide.h"
#include "restrict.h"
#include "smtp/command.h"

static struct reply take_name(struct session *s, struct str args)
{
	struct reply why = { 0 };
	struct str name;

	if (!command_helo_parse(args, &name, &why))
		return why;
	session_reset(s);
	snprintf(s->helo, sizeof(s->helo), "%.*s", STR_ARG(name));
	s->state = ST_GREETED;
	return why;
}

static struct reply answer_helo(struct session *s)
{
	return reply_make(250, 0, 0, 0, "%.*s", STR_ARG(session_conf(s)->myhostname));
}

/* It has not introduced itself then. */
static void refuse_name(struct session *s, struct reply r)
{
	s->state = ST_NEW;
	s->helo[0] = '\0';
	session_reply(s, r);
}

static void on_helo_allowed(struct session *s, struct reply r)
{
	if (r.code)
		refuse_name(s, r);
	else
		session_reply(s, answer_helo(s));
}

struct reply cmd_helo(struct session *s, struct str args)
{
	struct reply why = take_name(s, args);

	if (why.code)
		return why;
	s->esmtp = false;
	if (!restrict_wanted(s, STAGE_HELO))
		return answer_helo(s);
	restrict_run(s, STAGE_HELO, on_helo_allowed);
	return (struct reply){ 0 };
}

static void line(struct session *s, struct buf *out, const char *text, bool last)
{
	struct reply r = REPLY(250, 0, 0, 0, "");

	(void)s;
	reply_write_line(&r, str_from(text), last, out);
}

static void answer_ehlo(struct session *s)
{
	const struct smtpd_conf *conf = session_conf(s);
	scoped_buf struct buf out = { 0 };
	char text[128];

	snprintf(text, sizeof(text), "%.100s", conf->myhostname.p);
	line(s, &out, text, false);
	line(s, &out, "PIPELINING", false);
	snprintf(text, sizeof(text), "SIZE %lld", (long long)conf->message_size_limit);
	line(s, &out, text, false);
	if (decide_offers_starttls(s))
		line(s, &out, "STARTTLS", false);
	if (decide_offers_auth(s)) {
		size_t n = (size_t)snprintf(text, sizeof(text), "AUTH");
		for (size_t i = 0; i < SASL_MECHANISMS; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %.*s", STR_ARG(sasl_mechanisms[i].name));
		line(s, &out, text, false);
	}
	line(s, &out, "ENHANCEDSTATUSCODES", false);
	line(s, &out, "8BITMIME", true);
	stream_write(&s->stream, buf_str(&out));
	stream_deadline(&s->stream, conf->smtpd_timeout);
}

static void on_ehlo_allowed(struct session *s, struct reply r)
{
	bool was_busy = s->busy;

	if (r.code) {
		refuse_name(s, r);
		return;
	}
	answer_ehlo(s);
	s->busy = false;
	if (s->smtpd->run->draining)
		session_close(s, REPLY(421, 4, 3, 2, "Error: service shutting down"));
	if (was_busy && !s->closing)
		stream_resume(&s->stream);
}

struct reply cmd_ehlo(struct session *s, struct str args)
{
	struct reply why = take_name(s, args);

	if (why.code)
		return why;
	s->esmtp = true;
	if (restrict_wanted(s, STAGE_HELO))
		restrict_run(s, STAGE_HELO, on_ehlo_allowed);
	else
		answer_ehlo(s);
	return (struct reply){ 0 };
}

struct reply cmd_starttls(struct session *s, struct str args)
{
	if (args.n > 0)
		return REPLY(501, 5, 5, 4, "Syntax: STARTTLS");
	if (!clients_event(s, CLIENT_TLS))
		return reply_make(454, 4, 7, 0, "Error: too many new TLS sessions from %s", s->address);
	session_reset(s);
	session_reply(s, REPLY(220, 2, 0, 0, "Ready to start TLS"));
	if (!s->closing)
		session_start_tls(s);
	return (struct reply){ 0 };
}

struct reply cmd_rset(struct session *s, struct str args)
{
	if (args.n > 0)
		return REPLY(501, 5, 5, 4, "Syntax: RSET");
	session_reset(s);
	return REPLY(250, 2, 0, 0, "Ok");
}

struct reply cmd_noop(struct session *s, struct str args)
{
	(void)s, (void)args;
	return REPLY(250, 2, 0, 0, "Ok");
}

/* Tells nothing about who exists (RFC 5321, 7.3). */
struct reply cmd_vrfy(struct session *s, struct str args)
{
	if (session_conf(s)->disable_vrfy_command)
		return REPLY(502, 5, 5, 1, "VRFY command is disabled");
	if (args.n == 0)
		return REPLY(501, 5, 5, 4, "Syntax: VRFY address");
	return REPLY(252, 2, 0, 0, "Cannot VRFY user, but will take a message for it and try to deliver");
}

struct reply cmd_expn(struct session *s, struct str args)
{
	(void)s, (void)args;
	return REPLY(502, 5, 5, 1, "EXPN command is disabled");
}

struct reply cmd_help(struct session *s, struct str args)
{
	(void)s, (void)args;
	return REPLY(214, 2, 0, 0, "See RFC 5321; commands: EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY QUIT");
}

struct reply cmd_quit(struct session *s, struct str args)
{
	if (args.n > 0)
		return REPLY(501, 5, 5, 4, "Syntax: QUIT");
	snprintf(s->last_verb, sizeof(s->last_verb), "QUIT");
	session_close(s, REPLY(221, 2, 0, 0, "Bye"));
	return (struct reply){ 0 };
}
