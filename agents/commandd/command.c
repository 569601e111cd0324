#include "command.h"

#include <stdio.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "mail/addr.h"

/* ---- environment ---- */

/* Postfix's command_expansion_filter without the blanks that split words, and UTF-8. */
static const char safe[] = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static char *variable(struct arena *arena, const char *name, struct str value)
{
	char *text = arena_printf(arena, "%s=%.*s", name, STR_ARG(value));

	for (char *p = text + strlen(name) + 1; *p; p++)
		if (!strchr(safe, *p) && (unsigned char)*p < 0x80)
			*p = '_';
	return text;
}

char **command_environment(const struct job_order *order, struct arena *arena)
{
	const struct deliver *m = order->m;
	struct str local, domain, user, extension;

	addr_split(m->recipient, &local, &domain);
	addr_extension(local, order->conf->recipient_delimiter, &user, &extension);
	const struct {
		const char *name;
		struct str value;
	} all[] = {
		{ "PATH", STR("/usr/bin:/bin") },
		{ "HOME", order->home },
		{ "SHELL", STR("/bin/sh") },
		{ "LOGNAME", m->user },
		{ "USER", m->user },
		{ "LANG", STR("C.UTF-8") },
		{ "SENDER", m->sender },
		{ "RECIPIENT", m->recipient },
		{ "ORIGINAL_RECIPIENT", m->original },
		{ "LOCAL", local },
		{ "EXTENSION", extension },
		{ "DOMAIN", domain },
		{ "CLIENT_ADDRESS", m->client_address },
		{ "CLIENT_HOSTNAME", m->client_name },
		{ "QUEUE_ID", m->queue_id },
	};
	char **list = arena_array(arena, COUNT(all) + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < COUNT(all); i++)
		if (all[i].value.n > 0 || i < 5)
			list[n++] = variable(arena, all[i].name, all[i].value);
	return list;
}

/* ---- words ---- */

static bool needs_shell(struct str command)
{
	/* words that are the shell's own */
	static const char *const own[] = { "exit", "exec",   "test", "read", "cd",    "set",  "export", "umask", "eval",
					   "trap", "ulimit", "if",   "for",  "while", "case", ":",	"." };
	struct str rest = command, first = str_cut(&rest, ' ');

	for (size_t i = 0; i < command.n; i++)
		if (!ascii_alnum(command.p[i]) && str_find(STR(" \t-_+=:,./@%^"), command.p[i]) < 0)
			return true;
	for (size_t i = 0; i < COUNT(own); i++)
		if (str_eq(first, str_from(own[i])))
			return true;
	return str_find(first, '=') >= 0; /* an assignment before the command */
}

char **command_words(struct str command, struct arena *arena)
{
	char **words = arena_array(arena, command.n / 2 + 4, sizeof(*words));
	char *text = arena_printf(arena, "%.*s", STR_ARG(command)), *at = text, *word;
	size_t n = 0;

	if (needs_shell(command)) {
		words[0] = arena_printf(arena, "/bin/sh");
		words[1] = arena_printf(arena, "-c");
		words[2] = text;
		return words;
	}
	while ((word = strsep(&at, " \t")))
		if (*word)
			words[n++] = word;
	return words;
}

/* ---- what its end means ---- */

/* sysexits.h, as Postfix has them. */
static const struct {
	int exit;
	const char *status, *text;
} exits[] = {
	{ EX_USAGE, "5.3.0", "command line usage error" }, /* 64 */
	{ EX_DATAERR, "5.6.0", "data format error" },
	{ EX_NOINPUT, "5.3.0", "cannot open input" },
	{ EX_NOUSER, "5.1.1", "user unknown" },
	{ EX_NOHOST, "5.1.2", "host name unknown" },
	{ EX_UNAVAILABLE, "5.3.0", "service unavailable" },
	{ EX_SOFTWARE, "5.3.0", "internal software error" },
	{ EX_OSERR, "4.3.0", "system resource problem" },
	{ EX_OSFILE, "5.3.0", "critical OS file missing" },
	{ EX_CANTCREAT, "5.2.0", "can't create user output file" },
	{ EX_IOERR, "5.3.0", "input/output error" },
	{ EX_TEMPFAIL, "4.3.0", "temporary failure" },
	{ EX_PROTOCOL, "5.5.0", "remote error in protocol" },
	{ EX_NOPERM, "5.7.0", "permission denied" },
	{ EX_CONFIG, "5.3.5", "local configuration error" },
};

static void add_output(struct buf *text, struct str output)
{
	bool blank = true;

	if (output.n == 0)
		return;
	buf_add(text, STR(". Command output:"));
	for (size_t i = 0; i < output.n; i++) {
		char c = output.p[i];
		bool space = c == '\n' || c == ' ' || c == '\t' || c == '\r';
		if (space) {
			blank = true;
			continue;
		}
		if (blank)
			buf_addc(text, ' ');
		blank = false;
		buf_addc(text, (unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
	}
}

static void fill(uint8_t result, const char *status, struct buf *text, struct delivered *out)
{
	*out = (struct delivered){ .result = result, .status = str_from(status), .text = buf_str(text) };
}

static void verdict_of_exit(int code, struct str command, struct str output, struct buf *text, struct delivered *out)
{
	size_t i = 0;

	while (i < COUNT(exits) && exits[i].exit != code)
		i++;
	if (i < COUNT(exits))
		buf_addf(text, "%s", exits[i].text);
	else
		buf_addf(text, "Command died with status %d: \"%.*s\"", code, STR_ARG(str_head(command, 200)));
	add_output(text, output);
	const char *status = i < COUNT(exits) ? exits[i].status : "5.3.0";
	fill(status[0] == '4' ? DELIVERY_DEFERRED : DELIVERY_FAILED, status, text, out);
}

void command_verdict(int status, struct str command, struct str output, struct buf *text, struct delivered *out)
{
	buf_reset(text);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		buf_addf(text, "delivered to command: %.*s", STR_ARG(str_head(command, 200)));
		fill(DELIVERY_DONE, "2.0.0", text, out);
	} else if (WIFEXITED(status)) {
		verdict_of_exit(WEXITSTATUS(status), command, output, text, out);
	} else {
		buf_addf(text, "Command died with signal %d: \"%.*s\"", WTERMSIG(status),
			 STR_ARG(str_head(command, 200)));
		add_output(text, output);
		fill(DELIVERY_DEFERRED, "4.3.0", text, out);
	}
}

void command_too_slow(struct str command, struct str output, struct buf *text, struct delivered *out)
{
	buf_reset(text);
	buf_addf(text, "Command time limit exceeded: \"%.*s\"", STR_ARG(str_head(command, 200)));
	add_output(text, output);
	fill(DELIVERY_FAILED, "5.3.0", text, out);
}
