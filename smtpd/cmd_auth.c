/* AUTH: RFC 4954. */
#include <stdio.h>
#include <stdlib.h>

#include "authd.h"
#include "clients.h"
#include "commands.h"

static struct reply finish(struct session *s, struct reply r)
{
	if (s->sasl)
		sasl_end(s->sasl);
	free(s->sasl);
	s->sasl = NULL;
	s->state = ST_GREETED;
	return r;
}

static struct reply go_on(struct session *s, enum sasl_result result)
{
	scoped_buf struct buf out = { 0 };

	switch (result) {
	case SASL_CONTINUE:
		s->state = ST_AUTH;
		buf_addf(&out, "334 %.*s\r\n", STR_ARG(s->sasl->challenge));
		stream_write(&s->stream, buf_str(&out));
		return (struct reply){ 0 };
	case SASL_DONE: break;
	case SASL_CANCELLED: return finish(s, REPLY(501, 5, 7, 0, "Authentication cancelled"));
	case SASL_FAILED: return finish(s, reply_make(501, 5, 5, 2, "Authentication failed: %s", s->sasl->why));
	}
	/* To act for another user is not offered: the two names must be one. */
	if (s->sasl->authzid.n > 0 && !str_eq(s->sasl->authzid, s->sasl->authcid))
		return finish(s, REPLY(535, 5, 7, 8, "Error: authentication failed"));
	authd_ask(s, s->sasl->authcid, s->sasl->password);
	return finish(s, (struct reply){ 0 });
}

struct reply cmd_auth(struct session *s, struct str args)
{
	struct str mechanism = str_cut(&args, ' ');
	const struct sasl_mechanism *known = sasl_find(mechanism);

	if (mechanism.n == 0)
		return REPLY(501, 5, 5, 4, "Syntax: AUTH mechanism");
	if (!known)
		return REPLY(504, 5, 5, 4, "Unrecognized authentication type");
	if (!clients_event(s, CLIENT_AUTH))
		return reply_make(450, 4, 7, 1, "Error: too many AUTH commands from %s", s->address);
	snprintf(s->method, sizeof(s->method), "%.*s", STR_ARG(known->name));
	s->sasl = calloc(1, sizeof(*s->sasl));
	ASSERT(s->sasl);
	return go_on(s, sasl_start(s->sasl, mechanism, str_trim(args)));
}

struct reply auth_line(struct session *s, struct str line)
{
	return go_on(s, sasl_step(s->sasl, line));
}
