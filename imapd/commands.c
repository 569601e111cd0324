#include "commands.h"

#include <stdio.h>

enum { PASSWORD_MAX = 1024 };

struct command {
	const char *verb;
	void (*run)(struct front_conn *c, struct str args);
};

void commands_answer(struct front_conn *c, const char *text)
{
	char line[400];

	snprintf(line, sizeof(line), "%s %s\r\n", c->tag, text);
	front_write(c, line);
}

/* What may be said before the login: a client asks again after it. */
static void add_capabilities(struct front_conn *c)
{
	front_write(c, "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE"); /* the last two after it; some ask only once */
	if (front_offers_tls(c))
		front_write(c, " STARTTLS");
	front_write(c, front_may_login(c) ? " AUTH=PLAIN AUTH=LOGIN" : " LOGINDISABLED");
}

void commands_greet(struct front_conn *c)
{
	front_write(c, "* OK [CAPABILITY ");
	add_capabilities(c);
	front_write(c, "] Tayori IMAP ready\r\n");
}

static void cmd_capability(struct front_conn *c, struct str args)
{
	(void)args;
	front_write(c, "* CAPABILITY ");
	add_capabilities(c);
	front_write(c, "\r\n");
	commands_answer(c, "OK capabilities told");
}

static void cmd_noop(struct front_conn *c, struct str args)
{
	(void)args;
	commands_answer(c, "OK nothing done");
}

static void cmd_id(struct front_conn *c, struct str args)
{
	(void)args;
	front_write(c, "* ID (\"name\" \"Tayori\")\r\n");
	commands_answer(c, "OK nice to meet you");
}

static void cmd_logout(struct front_conn *c, struct str args)
{
	(void)args;
	front_write(c, "* BYE see you\r\n");
	commands_answer(c, "OK logged out");
	front_close(c);
}

static void cmd_starttls(struct front_conn *c, struct str args)
{
	if (args.n > 0 || !front_offers_tls(c)) {
		commands_answer(c, c->tls ? "BAD TLS is active already" : "BAD TLS is not offered");
		return;
	}
	commands_answer(c, "OK begin TLS");
	front_start_tls(c);
}

static bool login_refused(struct front_conn *c)
{
	if (front_may_login(c))
		return false;
	commands_answer(c, "NO [PRIVACYREQUIRED] log in under TLS only");
	return true;
}

static bool is_atom(char c)
{
	return c > ' ' && c < 0x7f && !strchr("(){%*\"\\", c);
}

static bool take_quoted(struct str *in, struct buf *out)
{
	while (in->n > 0 && *in->p != '"') {
		if (*in->p == '\\')
			*in = str_skip(*in, 1);
		if (in->n == 0 || *in->p == '\r' || *in->p == '\n' || !buf_addc(out, *in->p))
			return false;
		*in = str_skip(*in, 1);
	}
	return str_eat(in, '"');
}

/* "{n}" CR LF and n octets, as lib/front gathered them. */
static bool take_literal(struct str *in, struct buf *out)
{
	struct str digits = str_cut(in, '}');
	uint64_t n;

	if (str_ends(digits, STR("+")))
		digits.n--;
	if (!str_u64(digits, in->n, &n) || !str_eat(in, '\r') || !str_eat(in, '\n') || n > in->n)
		return false;
	bool ok = buf_add(out, str_head(*in, (size_t)n));
	*in = str_skip(*in, (size_t)n);
	return ok;
}

/* astring (RFC 3501, 9); 8-bit octets are taken in quoted strings, as users type them. */
static bool take_astring(struct str *in, struct buf *out)
{
	size_t n = 0;

	if (str_eat(in, '"'))
		return take_quoted(in, out);
	if (str_eat(in, '{'))
		return take_literal(in, out);
	while (n < in->n && is_atom(in->p[n]))
		n++;
	bool ok = n > 0 && buf_add(out, str_head(*in, n));
	*in = str_skip(*in, n);
	return ok;
}

static void cmd_login(struct front_conn *c, struct str args)
{
	scoped_buf struct buf user = { .limit = FRONT_NAME_MAX }, password = { .limit = PASSWORD_MAX };

	if (!take_astring(&args, &user) || !str_eat(&args, ' ') || !take_astring(&args, &password) || args.n > 0) {
		commands_answer(c, "BAD LOGIN needs a name and a password");
		front_bad_command(c);
		return;
	}
	if (login_refused(c))
		return;
	snprintf(c->method, sizeof(c->method), "LOGIN");
	front_login(c, buf_str(&user), buf_str(&password));
	explicit_bzero(password.p, password.n);
}

static void cmd_authenticate(struct front_conn *c, struct str args)
{
	struct str mechanism = str_cut(&args, ' ');

	if (login_refused(c))
		return;
	if (!front_sasl(c, mechanism, str_trim(args)))
		commands_answer(c, "NO [CANNOT] no such mechanism");
}

static const struct command commands[] = {
	{ "CAPABILITY", cmd_capability }, { "NOOP", cmd_noop },	  { "ID", cmd_id },
	{ "LOGOUT", cmd_logout },	  { "STARTTLS", cmd_starttls }, { "LOGIN", cmd_login },
	{ "AUTHENTICATE", cmd_authenticate },
};

static bool tag_ok(struct front_conn *c, struct str tag)
{
	if (tag.n == 0 || tag.n >= sizeof(c->tag))
		return false;
	for (size_t i = 0; i < tag.n; i++)
		if (!is_atom(tag.p[i]) || tag.p[i] == '+')
			return false;
	return true;
}

void commands_line(struct front_conn *c, struct str line)
{
	struct str rest = line;
	struct str tag = str_cut(&rest, ' ');
	struct str verb = str_cut(&rest, ' ');

	if (!tag_ok(c, tag)) {
		front_write(c, "* BAD a command begins with a tag\r\n");
		front_bad_command(c);
		return;
	}
	snprintf(c->tag, sizeof(c->tag), "%.*s", STR_ARG(tag));
	for (size_t i = 0; i < COUNT(commands); i++)
		if (str_ieq(verb, str_from(commands[i].verb))) {
			commands[i].run(c, rest);
			return;
		}
	commands_answer(c, "BAD unknown command, or log in first");
	front_bad_command(c);
}
