#include "sasl/sasl.h"

#include "base/err.h"
#include "base/utf8.h"

static bool is_name(struct str s)
{
	if (s.n > SASL_NAME_MAX || !utf8_valid(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool fail(struct sasl *s, const char *why)
{
	s->why = why;
	return false;
}

static bool take_authcid(struct sasl *s, struct str name)
{
	s->authcid = name;
	return (name.n > 0 && is_name(name)) || fail(s, "bad user name");
}

/* An empty password would be an anonymous bind to some directories, hence a success. */
static bool take_password(struct sasl *s, struct str password)
{
	s->password = password;
	return (password.n > 0 && password.n <= SASL_PASSWORD_MAX && str_find(password, '\0') < 0 &&
		utf8_valid(password)) ||
	       fail(s, "bad password text");
}

/* [authzid] NUL authcid NUL password */
static bool plain_take(struct sasl *s, struct str answer)
{
	s->authzid = str_cut(&answer, '\0');
	if (str_find(answer, '\0') < 0)
		return fail(s, "malformed PLAIN message");
	struct str authcid = str_cut(&answer, '\0');
	return (is_name(s->authzid) || fail(s, "bad authorization name")) && take_authcid(s, authcid) &&
	       take_password(s, answer);
}

static bool login_take(struct sasl *s, struct str answer)
{
	return s->step == 0 ? take_authcid(s, answer) : take_password(s, answer);
}

const struct sasl_mechanism sasl_mechanisms[SASL_MECHANISMS] = {
	{ { "PLAIN", 5 }, { { "", 0 } }, plain_take },
	/* "Username:" and "Password:" */
	{ { "LOGIN", 5 }, { { "VXNlcm5hbWU6", 12 }, { "UGFzc3dvcmQ6", 12 } }, login_take },
};

const struct sasl_mechanism *sasl_find(struct str name)
{
	for (size_t i = 0; i < SASL_MECHANISMS; i++)
		if (str_ieq(name, sasl_mechanisms[i].name))
			return &sasl_mechanisms[i];
	return NULL;
}

static enum sasl_result give_up(struct sasl *s, enum sasl_result result, const char *why)
{
	sasl_end(s);
	s->why = why;
	return result;
}

/* Decodes into the store. Its limit is its room, so the buf never allocates and no copy of a password is left behind. */
static bool decode(struct sasl *s, struct str line, struct str *out)
{
	ASSERT(s->used < sizeof(s->store));
	size_t room = sizeof(s->store) - s->used;
	struct buf b = { .p = s->store + s->used, .room = room, .limit = room };

	if (!base64_decode(line, &b))
		return false;
	*out = buf_str(&b);
	s->used += b.n;
	return true;
}

static enum sasl_result ask(struct sasl *s)
{
	s->challenge = s->mechanism->challenges[s->step];
	return s->challenge.p ? SASL_CONTINUE : SASL_DONE;
}

static enum sasl_result take(struct sasl *s, struct str line)
{
	struct str answer;

	if (!decode(s, line, &answer))
		return give_up(s, SASL_FAILED, "no base64, or too long");
	if (!s->mechanism->take(s, answer))
		return give_up(s, SASL_FAILED, s->why);
	s->step++;
	return ask(s);
}

enum sasl_result sasl_start(struct sasl *s, struct str mechanism, struct str initial)
{
	*s = (struct sasl){ .mechanism = sasl_find(mechanism) };
	if (!s->mechanism)
		return give_up(s, SASL_FAILED, "unknown mechanism");
	if (initial.n == 0)
		return ask(s);
	return take(s, str_eq(initial, STR("=")) ? STR("") : initial);
}

enum sasl_result sasl_step(struct sasl *s, struct str line)
{
	if (!s->mechanism || !s->challenge.p)
		return give_up(s, SASL_FAILED, "no login under way");
	if (str_eq(line, STR("*")))
		return give_up(s, SASL_CANCELLED, "cancelled");
	return take(s, line);
}

void sasl_end(struct sasl *s)
{
	explicit_bzero(s, sizeof(*s));
}
