#include "smtp/command.h"

static bool refuse(struct reply *why, struct reply r)
{
	*why = r;
	return false;
}

static void skip_spaces(struct str *s)
{
	while (str_eat(s, ' '))
		;
}

struct param {
	struct str key, value;
	bool has_value;
};

/* esmtp-param of RFC 5321, 4.1.2. */
static bool param_valid(const struct param *p)
{
	if (p->key.n == 0 || p->key.p[0] == '-' || (p->has_value && p->value.n == 0))
		return false;
	for (size_t i = 0; i < p->key.n; i++)
		if (!ascii_alnum(p->key.p[i]) && p->key.p[i] != '-')
			return false;
	for (size_t i = 0; i < p->value.n; i++)
		if (p->value.p[i] <= ' ' || p->value.p[i] > '~' || p->value.p[i] == '=')
			return false;
	return true;
}

/* Takes " KEY[=value]" from what stands behind the path. False at the end, or with why->code set. */
static bool take_param(struct str *rest, struct param *out, struct reply *why)
{
	if (rest->n > 0 && rest->p[0] != ' ')
		return refuse(why, REPLY(501, 5, 5, 4, "Expected a space after the address"));
	skip_spaces(rest);
	if (rest->n == 0)
		return false;
	struct str word = str_head(*rest, 0);
	while (word.n < rest->n && rest->p[word.n] != ' ')
		word.n++;
	*rest = str_skip(*rest, word.n);
	out->has_value = str_find(word, '=') >= 0;
	out->key = str_cut(&word, '=');
	out->value = word;
	return param_valid(out) || refuse(why, REPLY(501, 5, 5, 4, "Malformed parameter"));
}

static bool set_size(struct command_mail *m, struct str value)
{
	if (value.n == 0 || value.n > 20)
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (!ascii_digit(value.p[i]))
			return false;
	if (!str_u64(value, UINT64_MAX, &m->size))
		m->size = UINT64_MAX;
	m->has_size = true;
	return true;
}

static bool set_body(struct command_mail *m, struct str value)
{
	if (str_ieq(value, STR("7BIT")))
		m->body = BODY_7BIT;
	else if (str_ieq(value, STR("8BITMIME")))
		m->body = BODY_8BITMIME;
	return m->body != BODY_UNSTATED;
}

static bool set_auth(struct command_mail *m, struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '+' &&
		    (value.n - i < 3 || ascii_hex(value.p[i + 1]) < 0 || ascii_hex(value.p[i + 2]) < 0))
			return false;
	m->auth = value;
	m->has_auth = true;
	return value.n > 0;
}

static const struct {
	struct str key;
	bool (*set)(struct command_mail *m, struct str value);
} mail_params[] = {
	{ { "SIZE", 4 }, set_size },
	{ { "BODY", 4 }, set_body },
	{ { "AUTH", 4 }, set_auth },
};

static bool unknown_param(const struct param *p, struct reply *why)
{
	return refuse(why, reply_make(555, 5, 5, 4, "Unsupported option: %.*s", STR_ARG(str_head(p->key, 40))));
}

static bool set_mail_param(const struct param *p, unsigned *seen, struct command_mail *m, struct reply *why)
{
	for (size_t i = 0; i < COUNT(mail_params); i++) {
		if (!str_ieq(p->key, mail_params[i].key))
			continue;
		if (*seen & 1u << i)
			return refuse(why, reply_make(501, 5, 5, 4, "%s given twice", mail_params[i].key.p));
		*seen |= 1u << i;
		return mail_params[i].set(m, p->value) ||
		       refuse(why, reply_make(501, 5, 5, 4, "Bad value for %s", mail_params[i].key.p));
	}
	return unknown_param(p, why);
}

bool command_mail_parse(struct str args, struct command_mail *out, struct reply *why)
{
	struct err err = { 0 };
	struct param p;
	unsigned seen = 0;

	*out = (struct command_mail){ 0 };
	*why = (struct reply){ 0 };
	if (!str_eat_word(&args, STR("FROM:")))
		return refuse(why, REPLY(501, 5, 5, 4, "Syntax: MAIL FROM:<address>"));
	skip_spaces(&args);
	if (!path_parse(&args, PATH_NULL, &out->from, &err))
		return refuse(why, reply_make(501, 5, 1, 7, "Bad sender address syntax: %s", err.text));
	while (take_param(&args, &p, why))
		if (!set_mail_param(&p, &seen, out, why))
			return false;
	return why->code == 0;
}

bool command_rcpt_parse(struct str args, struct path *out, struct reply *why)
{
	struct err err = { 0 };
	struct param p;

	*out = (struct path){ 0 };
	*why = (struct reply){ 0 };
	if (!str_eat_word(&args, STR("TO:")))
		return refuse(why, REPLY(501, 5, 5, 4, "Syntax: RCPT TO:<address>"));
	skip_spaces(&args);
	if (!path_parse(&args, PATH_POSTMASTER, out, &err))
		return refuse(why, reply_make(501, 5, 1, 3, "Bad recipient address syntax: %s", err.text));
	if (take_param(&args, &p, why))
		return unknown_param(&p, why);
	return why->code == 0;
}

static bool helo_literal(struct str s)
{
	if (!str_eat(&s, '[') || !str_ends(s, STR("]")) || s.n < 2)
		return false;
	for (size_t i = 0; i + 1 < s.n; i++)
		if (!ascii_alnum(s.p[i]) && !(s.p[i] != '\0' && strchr(".:-_%", s.p[i])))
			return false;
	return true;
}

static bool helo_domain(struct str s)
{
	struct str domain;

	if (str_ends(s, STR(".")))
		s.n--;
	return path_take_domain(&s, 0, &domain) && s.n == 0;
}

bool command_helo_parse(struct str args, struct str *name, struct reply *why)
{
	*name = str_trim(args);
	*why = (struct reply){ 0 };
	if (name->n == 0)
		return refuse(why, REPLY(501, 5, 5, 4, "Syntax: EHLO hostname"));
	if (name->n > PATH_DOMAIN_MAX || (!helo_literal(*name) && !helo_domain(*name)))
		return refuse(why, REPLY(501, 5, 5, 4, "Invalid host name"));
	return true;
}
