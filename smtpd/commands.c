#include "commands.h"

#include <stdio.h>

#include "decide.h"

const struct command commands[] = {
	/* verb       states               needs                                        junk   handler */
	{ "EHLO",     ST_ANY,		   NEED_SMTP,					false, cmd_ehlo },
	{ "HELO",     ST_ANY,		   NEED_SMTP,					false, cmd_helo },
	{ "LHLO",     ST_ANY,		   NEED_LMTP,					false, cmd_ehlo },
	{ "STARTTLS", ST_GREETED,	   NEED_CLEARTEXT,				false, cmd_starttls },
	{ "AUTH",     ST_GREETED,	   NEED_AUTH_OFFERED | NEED_NO_LOGIN,		false, cmd_auth },
	{ "MAIL",     ST_GREETED,	   NEED_PRIVACY | NEED_LOGIN,			false, cmd_mail },
	{ "RCPT",     ST_MAIL | ST_RCPT,   0,						false, cmd_rcpt },
	{ "DATA",     ST_RCPT,		   0,						false, cmd_data },
	{ "RSET",     ST_ANY,		   0,						true,  cmd_rset },
	{ "NOOP",     ST_ANY,		   0,						true,  cmd_noop },
	{ "VRFY",     ST_ANY,		   NEED_PRIVACY,				true,  cmd_vrfy },
	{ "EXPN",     ST_ANY,		   0,						true,  cmd_expn },
	{ "HELP",     ST_ANY,		   0,						true,  cmd_help },
	{ "QUIT",     ST_ANY,		   0,						false, cmd_quit },
};
const size_t commands_n = COUNT(commands);

static struct reply wrong_state(const struct session *s)
{
	if (s->state == ST_NEW)
		return REPLY(503, 5, 5, 1, "Error: send EHLO first");
	if (s->state == ST_MAIL)
		return REPLY(503, 5, 5, 1, "Error: need RCPT command");
	if (s->state == ST_RCPT)
		return REPLY(503, 5, 5, 1, "Error: nested MAIL command");
	return REPLY(503, 5, 5, 1, "Error: need MAIL command");
}

static struct reply unknown(struct session *s, struct str verb)
{
	/* A browser or a script that talks HTTP to us is on the wrong port: nothing of it may be taken for mail. */
	if (decide_is_http(verb)) {
		session_close(s, REPLY(554, 5, 5, 2, "Error: this is a mail server"));
		return (struct reply){ 0 };
	}
	if (++s->unknown >= 3) {
		session_close(s, REPLY(421, 4, 7, 0, "Error: too many unknown commands"));
		return (struct reply){ 0 };
	}
	return REPLY(500, 5, 5, 2, "Error: command not recognized");
}

struct reply command_dispatch(struct session *s, struct str line)
{
	struct str rest = line;
	struct str verb = str_cut(&rest, ' ');

	s->commands++;
	for (size_t i = 0; i < COUNT(commands); i++) {
		const struct command *c = &commands[i];
		if (!str_ieq(verb, str_from(c->verb)))
			continue;
		struct reply missing = decide_needs(s, c->needs);
		if (missing.code)
			return missing;
		if ((s->state & decide_states(s, c)) == 0)
			return wrong_state(s);
		snprintf(s->last_verb, sizeof(s->last_verb), "%s", c->verb);
		if (c->junk && ++s->junk > (unsigned)session_conf(s)->smtpd_junk_command_limit)
			s->errors++;
		return c->run(s, str_trim(rest));
	}
	return unknown(s, verb);
}
