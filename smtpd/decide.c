#include "decide.h"

bool decide_is_http(struct str verb)
{
	static const struct str verbs[] = { STR("GET"), STR("POST"), STR("HEAD"), STR("PUT"), STR("OPTIONS"), STR("CONNECT"), STR("DELETE"), STR("PATCH"), STR("TRACE") };

	for (size_t i = 0; i < COUNT(verbs); i++)
		if (str_eq(verb, verbs[i]))
			return true;
	return false;
}

static bool is_lmtp(const struct session *s)
{
	return session_conf(s)->smtpd_service == SMTPD_LMTP;
}

bool decide_offers_starttls(const struct session *s)
{
	return s->smtpd->keys.server && !s->tls && session_conf(s)->smtpd_tls_security_level != SMTPD_TLS_NONE;
}

bool decide_offers_auth(const struct session *s)
{
	const struct smtpd_conf *conf = session_conf(s);

	return conf->smtpd_sasl_auth_enable && (s->tls || !conf->smtpd_tls_auth_only);
}

static bool lacks_login(const struct session *s)
{
	return session_conf(s)->smtpd_service == SMTPD_SUBMISSION && !s->login[0];
}

unsigned decide_states(const struct session *s, const struct command *c)
{
	return c->run == cmd_mail && !session_conf(s)->smtpd_helo_required ? c->states | ST_NEW : c->states;
}

struct reply decide_needs(const struct session *s, unsigned needs)
{
	const struct smtpd_conf *conf = session_conf(s);

	if ((needs & NEED_LMTP && !is_lmtp(s)) || (needs & NEED_SMTP && is_lmtp(s)))
		return REPLY(500, 5, 5, 1, "Error: this service speaks the other one of SMTP and LMTP");
	if (needs & NEED_PRIVACY && conf->smtpd_tls_security_level == SMTPD_TLS_ENCRYPT && !s->tls)
		return REPLY(530, 5, 7, 0, "Must issue a STARTTLS command first");
	if (needs & NEED_LOGIN && lacks_login(s))
		return s->tls || !conf->smtpd_tls_auth_only ? REPLY(530, 5, 7, 0, "Authentication required")
							    : REPLY(530, 5, 7, 0, "Must issue a STARTTLS command first");
	if (needs & NEED_CLEARTEXT && s->tls)
		return REPLY(503, 5, 5, 1, "Error: TLS already active");
	if (needs & NEED_CLEARTEXT && !decide_offers_starttls(s))
		return REPLY(502, 5, 5, 1, "Error: TLS not available");
	if (needs & NEED_NO_LOGIN && s->login[0])
		return REPLY(503, 5, 5, 1, "Error: already authenticated");
	if (needs & NEED_AUTH_OFFERED && !decide_offers_auth(s))
		return conf->smtpd_sasl_auth_enable ? REPLY(538, 5, 7, 11, "Encryption required for AUTH")
						    : REPLY(503, 5, 5, 1, "Error: authentication not enabled");
	return (struct reply){ 0 };
}

struct reply decide_size(const struct smtpd_conf *conf, uint64_t size)
{
	if (size > (uint64_t)conf->message_size_limit)
		return REPLY(552, 5, 3, 4, "Message size exceeds fixed limit");
	return (struct reply){ 0 };
}

struct reply decide_message(const struct smtpd_conf *conf, const struct data_decoder *data, const struct header_scan *scan)
{
	if (data->flags & (DATA_BARE_LF | DATA_BARE_CR))
		return REPLY(550, 5, 5, 2, "Error: bare <CR> or <LF> received: lines end in <CR><LF>");
	if (data->flags & DATA_NUL)
		return REPLY(550, 5, 6, 0, "Error: NUL octet in the message");
	if (data->flags & DATA_TOO_LONG || data->size > (uint64_t)conf->message_size_limit)
		return REPLY(552, 5, 3, 4, "Message size exceeds fixed limit");
	if (scan->length > (size_t)conf->header_size_limit)
		return REPLY(552, 5, 3, 4, "Message header is too large");
	if (scan->count[HEADER_RECEIVED] > (size_t)conf->hopcount_limit)
		return REPLY(554, 5, 4, 6, "Error: too many hops");
	return (struct reply){ 0 };
}
