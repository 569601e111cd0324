#include "commands.h"

#include <stdio.h>

struct command {
	const char *verb;
	void (*run)(struct front_conn *c, struct str args);
};

void commands_greet(struct front_conn *c)
{
	front_write(c, "+OK Tayori POP3 ready\r\n");
}

static bool login_refused(struct front_conn *c)
{
	if (front_may_login(c))
		return false;
	front_write(c, "-ERR [AUTH] log in under TLS only: STLS first\r\n");
	return true;
}

static void cmd_capa(struct front_conn *c, struct str args)
{
	(void)args;
	front_write(c, "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
	if (front_offers_tls(c))
		front_write(c, "STLS\r\n");
	if (front_may_login(c))
		front_write(c, "USER\r\nSASL PLAIN LOGIN\r\n");
	front_write(c, "IMPLEMENTATION Tayori\r\n.\r\n");
}

static void cmd_stls(struct front_conn *c, struct str args)
{
	if (args.n > 0 || !front_offers_tls(c)) {
		front_write(c, c->tls ? "-ERR TLS is active already\r\n" : "-ERR TLS is not offered\r\n");
		return;
	}
	front_write(c, "+OK begin TLS\r\n");
	front_start_tls(c);
}

static void cmd_user(struct front_conn *c, struct str args)
{
	if (login_refused(c))
		return;
	if (args.n == 0 || args.n > FRONT_NAME_MAX) {
		front_write(c, "-ERR USER needs a name\r\n");
		return;
	}
	snprintf(c->user, sizeof(c->user), "%.*s", STR_ARG(args));
	front_write(c, "+OK\r\n");
}

/* A password may hold and end in blanks: it is all that stands behind "PASS ". */
static void cmd_pass(struct front_conn *c, struct str args)
{
	if (login_refused(c))
		return;
	if (!c->user[0]) {
		front_write(c, "-ERR USER first\r\n");
		return;
	}
	snprintf(c->method, sizeof(c->method), "USER");
	front_login(c, str_from(c->user), args);
}

static void cmd_auth(struct front_conn *c, struct str args)
{
	struct str mechanism = str_cut(&args, ' ');

	if (mechanism.n == 0) {
		front_write(c, "+OK\r\nPLAIN\r\nLOGIN\r\n.\r\n");
		return;
	}
	if (login_refused(c))
		return;
	if (!front_sasl(c, mechanism, str_trim(args)))
		front_write(c, "-ERR no such mechanism\r\n");
}

static void cmd_noop(struct front_conn *c, struct str args)
{
	(void)args;
	front_write(c, "-ERR log in first\r\n");
}

static void cmd_quit(struct front_conn *c, struct str args)
{
	(void)args;
	front_write(c, "+OK bye\r\n");
	front_close(c);
}

static const struct command commands[] = {
	{ "CAPA", cmd_capa }, { "STLS", cmd_stls }, { "USER", cmd_user }, { "PASS", cmd_pass },
	{ "AUTH", cmd_auth }, { "NOOP", cmd_noop }, { "QUIT", cmd_quit },
};

void commands_line(struct front_conn *c, struct str line)
{
	struct str rest = line;
	struct str verb = str_cut(&rest, ' ');

	for (size_t i = 0; i < COUNT(commands); i++)
		if (str_ieq(verb, str_from(commands[i].verb))) {
			commands[i].run(c, commands[i].run == cmd_pass ? rest : str_trim(rest));
			return;
		}
	front_write(c, "-ERR unknown command, or log in first\r\n");
	front_bad_command(c);
}
