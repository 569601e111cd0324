/*
 * talk FILE - a conversation with a real smtpd, whose master and peers this program plays. A file is lines:
 *
 *	set NAME VALUE            a parameter
 *	rule KIND PATTERN CODE STATUS TEXT
 *	                          what a peer answers: recipient, sender, commit, room, spool; login USER/PASSWORD 250 - NAME
 *	                          (250: right, 451: no verdict, else refused and held back for CODE ms); address, of a
 *	                          restriction; access NAME 250 - ROW; dns NAME/TYPE 250 - RECORD (451: no answer)
 *	C: text                   the client sends the line with CR LF; \r \n \t \0 \xNN \\ stand for octets
 *	C! text                   the same without CR LF; @N*text is text N times
 *	S: pattern                the server's next line matches (shell pattern)
 *	S- END                    the server closes the connection
 *	Q: WHAT pattern           of the last commit: sender, recipients, login, flags, head or body
 *	N:                        nothing is committed since the start, or since:
 *	forget                    the last commit
 *	shift MS                  the daemon's clocks go on by so much
 *	mute PEER / unmute PEER / restart PEER
 *	asked PEER                the peer has been asked since the last such line, or since it was muted
 *	connect                   a fresh connection (the first is made by itself)
 *	log text                  the daemon has logged that
 *
 * Settings and rules before the first other line hold from the start.
 */
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "talk/peers.h"

enum { WAIT_MS = HARNESS_PATIENCE_MS };

struct talk {
	const char *file;
	size_t line;
	struct harness harness;
	struct peers peers;
	bool running;
	uint16_t port;
	int client;
	struct buf in;
	bool closed;
};

__attribute__((noreturn, format(printf, 2, 3))) static void fail(struct talk *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "%s:%zu: ", t->file, t->line);
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\nlog:\n%.*s\n", STR_ARG(buf_str(&t->harness.log)));
	va_end(ap);
	exit(1);
}

static void start(struct talk *t)
{
	if (t->running)
		return;
	t->port = harness_listen(&t->harness, "smtp");
	if (!harness_run(&t->harness))
		fail(t, "the daemon does not start");
	t->running = true;
	t->client = harness_connect(t->port);
}

/* Lets the peers answer and reads what the daemon says, until `done` or time is up. */
static bool wait_for(struct talk *t, bool (*done)(struct talk *t))
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!done(t)) {
		if (clock_mono_ms() > until)
			return false;
		peers_serve(&t->peers, t->closed ? -1 : t->client, 50);
		if (t->closed)
			continue;
		buf_reserve(&t->in, 4096);
		ssize_t n = recv(t->client, t->in.p + t->in.n, 4096, MSG_DONTWAIT);
		if (n > 0)
			t->in.n += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			t->closed = true;
	}
	return true;
}

static bool have_line(struct talk *t)
{
	return str_find(buf_str(&t->in), '\n') >= 0;
}

static bool have_end(struct talk *t)
{
	return t->closed;
}

static bool have_commit(struct talk *t)
{
	return t->peers.committed;
}

static void unescape(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : 0;
		if (c != '\\' || !next) {
			buf_addc(out, c);
			continue;
		}
		i++;
		if (next == 'x' && i + 2 < text.n) {
			buf_addc(out, (char)(ascii_hex(text.p[i + 1]) * 16 + ascii_hex(text.p[i + 2])));
			i += 2;
		} else {
			buf_addc(out, next == 'r' ? '\r' : next == 'n' ? '\n' : next == 't' ? '\t' : next == '0' ? '\0' : next);
		}
	}
}

static void say(struct talk *t, struct str text, bool end)
{
	scoped_buf struct buf once = { 0 }, out = { 0 };
	uint64_t times = 1;

	if (str_eat(&text, '@') && !str_u64(str_cut(&text, '*'), 10000000, &times))
		fail(t, "@N*text");
	unescape(text, &once);
	for (uint64_t i = 0; i < times; i++)
		buf_add(&out, buf_str(&once));
	if (end)
		buf_add(&out, STR("\r\n"));
	struct str rest = buf_str(&out);
	while (rest.n > 0) {
		ssize_t n = send(t->client, rest.p, rest.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			rest = str_skip(rest, (size_t)n);
		else if (errno == EAGAIN)
			peers_serve(&t->peers, -1, 5);
		else
			return; /* closed meanwhile: the script looks at that */
	}
}

static bool matches(struct str text, struct str pattern)
{
	scoped_buf struct buf a = { 0 }, b = { 0 };

	buf_add(&a, text);
	unescape(pattern, &b);
	return fnmatch(buf_cstr(&b), buf_cstr(&a), 0) == 0;
}

static void expect(struct talk *t, struct str pattern)
{
	if (!wait_for(t, have_line))
		fail(t, "the server says nothing%s, wanted: %.*s", t->closed ? " and has closed" : "", STR_ARG(pattern));
	struct str all = buf_str(&t->in);
	struct str line = str_cut(&all, '\n');
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		fail(t, "a line without CR: %.*s", STR_ARG(line));
	line.n--;
	if (!matches(line, pattern))
		fail(t, "the server says '%.*s', wanted '%.*s'", STR_ARG(line), STR_ARG(pattern));
	buf_consume(&t->in, t->in.n - all.n);
}

static void expect_commit(struct talk *t, struct str what, struct str pattern)
{
	if (!wait_for(t, have_commit))
		fail(t, "nothing is committed");
	struct peers *p = &t->peers;
	const struct buf *b = str_eq(what, STR("sender"))	? &p->sender
			      : str_eq(what, STR("recipients")) ? &p->recipients
			      : str_eq(what, STR("login"))	? &p->login
			      : str_eq(what, STR("flags"))	? &p->flags
			      : str_eq(what, STR("head"))	? &p->head
								: &p->body;
	if (!matches(buf_str(b), pattern))
		fail(t, "%.*s is '%.*s', wanted '%.*s'", STR_ARG(what), STR_ARG(buf_str(b)), STR_ARG(pattern));
}

static void add_rule(struct talk *t, struct str rest)
{
	struct rule *r = &t->peers.rules[t->peers.n_rules];
	uint64_t code = 0;

	if (t->peers.n_rules == RULES_MAX)
		fail(t, "too many rules");
	struct str kind = str_cut(&rest, ' '), pattern = str_cut(&rest, ' ');
	if (!str_u64(str_cut(&rest, ' '), INT32_MAX, &code))
		fail(t, "rule KIND PATTERN CODE STATUS TEXT");
	struct str status = str_cut(&rest, ' ');
	snprintf(r->kind, sizeof(r->kind), "%.*s", STR_ARG(kind));
	snprintf(r->pattern, sizeof(r->pattern), "%.*s", STR_ARG(pattern));
	r->code = (int)code;
	snprintf(r->status, sizeof(r->status), "%.*s", STR_ARG(status));
	snprintf(r->text, sizeof(r->text), "%.*s", STR_ARG(rest));
	t->peers.n_rules++;
}

static const char *word(struct talk *t, struct str s)
{
	return arena_str(&t->harness.arena, s).p;
}

static void await_question(struct talk *t, const char *peer)
{
	int64_t until = clock_mono_ms() + WAIT_MS;

	while (!peers_asked(&t->peers, peer)) {
		if (clock_mono_ms() > until)
			fail(t, "%s was not asked", peer);
		peers_serve(&t->peers, -1, 50);
	}
}

static void reconnect(struct talk *t)
{
	if (t->client >= 0)
		close(t->client);
	t->client = harness_connect(t->port);
	t->closed = false;
	buf_reset(&t->in);
}

static void step(struct talk *t, struct str line)
{
	struct str whole = line, verb = str_cut(&line, ' ');

	if (str_eq(verb, STR("set"))) {
		struct str name = str_cut(&line, ' ');
		harness_set(&t->harness, word(t, name), word(t, line));
		if (t->running)
			harness_reload(&t->harness);
		return;
	}
	if (str_eq(verb, STR("rule"))) {
		add_rule(t, line);
		return;
	}
	start(t);
	if (str_eq(verb, STR("C:")))
		say(t, line, true);
	else if (str_eq(verb, STR("C!")))
		say(t, line, false);
	else if (str_eq(verb, STR("S:")))
		expect(t, line);
	else if (str_eq(whole, STR("S- END"))) {
		if (!wait_for(t, have_end) || t->in.n > 0)
			fail(t, "the connection stands, or there is more: '%.*s'", STR_ARG(buf_str(&t->in)));
	} else if (str_eq(verb, STR("Q:")))
		expect_commit(t, str_cut(&line, ' '), line);
	else if (str_eq(verb, STR("N:"))) {
		if (t->peers.committed)
			fail(t, "a message was committed");
	} else if (str_eq(verb, STR("forget")))
		t->peers.committed = false;
	else if (str_eq(verb, STR("shift"))) {
		harness_shift(&t->harness, atoll(word(t, line)));
	} else if (str_eq(verb, STR("asked"))) {
		await_question(t, word(t, line));
	} else if (str_eq(verb, STR("mute")) || str_eq(verb, STR("unmute")))
		peers_mute(&t->peers, word(t, line), verb.p[0] == 'm');
	else if (str_eq(verb, STR("restart")))
		peers_restart(&t->peers, word(t, line));
	else if (str_eq(verb, STR("connect")))
		reconnect(t);
	else if (str_eq(verb, STR("log"))) {
		if (!harness_logged(&t->harness, word(t, line), WAIT_MS))
			fail(t, "not logged: %.*s", STR_ARG(line));
	} else
		fail(t, "not understood: %.*s", STR_ARG(whole));
}

static void run_file(const char *file)
{
	struct talk t = { .file = file, .client = -1 };
	FILE *f = fopen(file, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (!f)
		fail(&t, "%s", strerror(errno));
	harness_begin(&t.harness, "smtpd");
	harness_set(&t.harness, "smtpd_peername_lookup", "no");
	peers_begin(&t.peers, &t.harness);
	while ((n = getline(&line, &room, f)) > 0) {
		struct str s = str_of(line, (size_t)n - (line[n - 1] == '\n'));
		t.line++;
		if (s.n > 0 && s.p[0] != '#')
			step(&t, s);
	}
	free(line);
	fclose(f);
	if (t.client >= 0)
		close(t.client);
	int status = harness_end(&t.harness);
	if (status)
		fail(&t, "the daemon ended with %d", status);
	peers_end(&t.peers);
	buf_free(&t.in);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	printf("%d conversations\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
