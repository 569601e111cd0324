/*
 * The daemon towards remote hosts that this test plays, good ones and bad ones: what comes back for each recipient. The
 * test is qmgr, lookupd and resolverd too.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/harness.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "unit.h"

enum { WAIT_MS = HARNESS_PATIENCE_MS };
#define BODY "Subject: x\n\n.dot\nline\n"

/* ---- the remote host: a script of lines "S text", "C prefix", "X" (hang up), "W" (say nothing more), "M" (take a message), "B" (wait for an octet) ---- */

static bool read_line(FILE *f, char line[2000])
{
	return fgets(line, 2000, f) != NULL;
}

static bool play_line(FILE *f, FILE *out, const char *step)
{
	char line[2000];

	switch (step[0]) {
	case 'S': /* '|': a line end within one write */
		for (const char *c = step + 2; *c; c++)
			*c == '|' ? fputs("\r\n", out) : fputc(*c, out);
		return fputs("\r\n", out) >= 0 && fflush(out) == 0;
	case 'B': return fgetc(f) != EOF;
	case 'C': return read_line(f, line) && strncmp(line, step + 2, strlen(step + 2)) == 0;
	case 'M':
		while (read_line(f, line))
			if (strcmp(line, ".\r\n") == 0)
				return true;
		return false;
	case 'W': pause(); return false;
	default: return false;
	}
}

static void play(int fd, const char *script)
{
	FILE *f = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char step[600];

	for (struct str rest = str_from(script); rest.n > 0;) {
		struct str one = str_cut(&rest, '\n');
		snprintf(step, sizeof(step), "%.*s", STR_ARG(one));
		if (!play_line(f, out, step))
			break;
	}
	fclose(out);
	fclose(f);
}

/* Serves one script a connection, the last one again and again. */
static pid_t serve(const char *const scripts[], uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&a, &n);
	*port = ntohs(a.sin_port);
	pid_t pid = fork();
	if (pid) {
		close(fd);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	for (size_t i = 0;; i += scripts[i + 1] != NULL) {
		int client = accept(fd, NULL, NULL);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			play(client, scripts[i]);
			_exit(0);
		}
		close(client);
	}
}

/* ---- the bed ---- */

struct bed {
	struct harness h;
	int qmgr, lookupd, resolverd;
	struct buf frame;
	const char *tls, *user;
	size_t more_lines; /* of the message */
};

static void begin(struct bed *b, const char *const settings[])
{
	*b = (struct bed){ .tls = "may" };
	harness_begin(&b->h, "smtp");
	harness_set(&b->h, "myhostname", "me.test");
	for (size_t i = 0; settings && settings[i]; i += 2)
		harness_set(&b->h, settings[i], settings[i + 1]);
	b->qmgr = harness_client(&b->h, "qmgr", "qmgr", 0);
	b->lookupd = harness_server(&b->h, "lookupd");
	b->resolverd = harness_server(&b->h, "resolverd");
	ck_assert(harness_run(&b->h));
}

static void finish(struct bed *b)
{
	ck_assert_int_eq(harness_end(&b->h), 0);
	close(b->qmgr);
	close(b->lookupd);
	close(b->resolverd);
	buf_free(&b->frame);
}

static void send_transfer(struct bed *b, uint16_t port, const char *transport, const char *hop, const char *to)
{
	char nexthop[100];
	scoped_buf struct buf raw = { 0 }, body = { 0 };
	int fd = memfd_create("message", MFD_CLOEXEC);

	buf_add(&body, STR(BODY));
	for (size_t i = 0; i < b->more_lines; i++)
		buf_add(&body, STR(".a line of forty octets is much the same\n"));
	struct transfer m = { .queue_id = STR("ID"), .transport = str_from(transport), .sender = STR("from@v.test"), .size = body.n, .content = fd };

	snprintf(nexthop, sizeof(nexthop), "%s:%u", hop, port);
	m.nexthop = str_from(nexthop);
	ck_assert_int_eq(write(fd, body.p, body.n), (ssize_t)body.n);
	for (struct str rest = str_from(to); rest.n > 0;)
		strs_add(&raw, &m.recipients, str_cut(&rest, ' '));
	ck_assert_int_eq(frame_send(b->qmgr, &transfer_schema, false, 7, &m), 0);
	close(fd);
}

static void answer_policy(struct bed *b, uint32_t serial)
{
	struct remote_policy_answer a = { .code = 250, .tls = str_from(b->tls), .user = str_from(b->user), .password = STR("secret") };

	frame_send(b->lookupd, &remote_policy_answer_schema, true, serial, &a);
}

static void answer_dns(struct bed *b, uint32_t serial, const struct dns_ask *q)
{
	struct dns_answer a = { .result = DNS_NO_DATA };
	scoped_buf struct buf raw = { 0 };

	if (str_eq(q->name, STR("gone.test")))
		a.result = DNS_NO_NAME;
	else if (str_eq(q->name, STR("broken.test")))
		a = (struct dns_answer){ .result = DNS_FAILED, .why = STR("SERVFAIL") };
	else if (q->type == 15 && str_eq(q->name, STR("null.test")))
		strs_add(&raw, &a.records, str_of("\0\0", 2));
	else if (q->type == 15 && str_eq(q->name, STR("self.test")))
		strs_add(&raw, &a.records, str_of("\0\12me.test", 9));
	else if (q->type == 15 && str_eq(q->name, STR("two.test"))) {
		strs_add(&raw, &a.records, str_of("\0\24b.test", 8));
		strs_add(&raw, &a.records, str_of("\0\12dead.test", 11));
	} else if (q->type == 15 && str_eq(q->name, STR("many.test"))) {
		for (int i = 0; i < 50; i++) /* more than are looked at, and the only one of use is not among the first */
			strs_add(&raw, &a.records, i == 40 ? str_of("\0\12b.test", 8) : str_of("\0\24none.test", 11));
	} else if (q->type == 1 && str_eq(q->name, STR("none.test"))) {
		a.result = DNS_NO_DATA;
	} else if (q->type == 1 && str_eq(q->name, STR("dead.test")))
		strs_add(&raw, &a.records, str_of("\177\0\0\3", 4)); /* nobody listens there */
	else if (q->type == 1)
		strs_add(&raw, &a.records, str_of("\177\0\0\1", 4));
	if (a.records.n > 0)
		a.result = DNS_FOUND;
	frame_send(b->resolverd, &dns_answer_schema, true, serial, &a);
}

/* Plays the servers until the transfer is answered. */
static void await(struct bed *b, struct transferred *t)
{
	for (;;) {
		struct pollfd p[] = { { .fd = b->qmgr, .events = POLLIN }, { .fd = b->lookupd, .events = POLLIN }, { .fd = b->resolverd, .events = POLLIN } };
		struct frame_head head;
		struct str payload;
		int fds[IPC_FDS_MAX];
		size_t n_fds;
		ck_assert_msg(poll(p, COUNT(p), WAIT_MS) > 0, "no answer");
		int fd = p[1].revents ? b->lookupd : p[2].revents ? b->resolverd : b->qmgr;
		ck_assert_int_eq(frame_receive(fd, &b->frame, &head, &payload, fds, &n_fds), 1);
		if (fd == b->lookupd) {
			answer_policy(b, head.serial);
		} else if (fd == b->resolverd) {
			struct dns_ask q;
			ck_assert(ipc_decode(&dns_ask_schema, payload, fds, n_fds, &q));
			answer_dns(b, head.serial, &q);
		} else {
			ck_assert(ipc_decode(&transferred_schema, payload, fds, n_fds, t));
			return;
		}
	}
}

/* "2 5": the classes of all recipients; the first one's status and text. */
static void results(const struct transferred *t, char classes[40], struct str *status, struct str *text)
{
	struct str part[TRANSFER_PARTS];
	size_t at = 0, n = 0;

	*status = *text = (struct str){ 0 };
	for (size_t i = 0; strs_next(&t->results, &at, &part[0]); i++) {
		strs_next(&t->results, &at, &part[1]);
		strs_next(&t->results, &at, &part[2]);
		if (i == 0) {
			*status = part[1];
			*text = part[2];
		}
		classes[n++] = part[0].p[0];
	}
	classes[n] = '\0';
}

/* ---- remote hosts ---- */

#define HELLO "S 220 there\nC EHLO me.test\nS 250 there\n"
#define PIPE "S 220 there\nC EHLO me.test\nS 250-there\nS 250 PIPELINING\n"
#define ENVELOPE HELLO "C MAIL FROM:<from@v.test>\nS 250 ok\nC RCPT TO:<a@r.test>\nS 250 ok\n"

static const struct row {
	const char *name, *script, *to, *classes, *says;
	bool reached;
} rows[] = {
	/* hosts that say nothing good: no mail is returned for it */
	{ "hangs up at once", "X\n", "a@r.test", "4", "lost connection with", false },
	{ "hangs up after the greeting", "S 220 hi\nX\n", "a@r.test", "4", "lost connection with", false },
	{ "greets with 4xx", "S 421 too busy\n", "a@r.test", "4", "refused to talk to me: 421 too busy", false },
	{ "greets with 5xx", "S 554 go away\n", "a@r.test", "4", "refused to talk to me: 554 go away", false },
	{ "greets with 3xx", "S 354 go on\n", "a@r.test", "4", "refused to talk to me", false },
	{ "no SMTP at all", "S SSH-2.0-OpenSSH\n", "a@r.test", "4", "makes no sense", false },
	{ "a code without blank", "S 220hello\n", "a@r.test", "4", "makes no sense", false },
	{ "codes that differ", "S 220-a\nS 250 b\n", "a@r.test", "4", "makes no sense", false },
	{ "greets twice", "S 220 a|220 b\nW\n", "a@r.test", "4", "makes no sense", false },
	{ "hangs up at EHLO", "S 220 hi\nC EHLO\nX\n", "a@r.test", "4", "lost connection with", false },
	{ "EHLO 4xx", "S 220 hi\nC EHLO\nS 450 no\n", "a@r.test", "4", "refused to talk to me", false },
	{ "HELO 5xx", "S 220 hi\nC EHLO\nS 502 what\nC HELO\nS 550 blocked\n", "a@r.test", "5", "550 blocked", false },
	{ "an answer too many at EHLO", "S 220 hi\nC EHLO\nS 250 ok|250 ok\nW\n", "a@r.test", "4", "makes no sense", false },
	{ "MAIL 3xx", HELLO "C MAIL\nS 354 go on\n", "a@r.test", "4", "makes no sense", true },
	{ "MAIL 4xx", HELLO "C MAIL\nS 451 4.3.0 later\nC QUIT\n", "a@r.test", "4", "451 4.3.0 later (in reply to MAIL FROM command)", true },
	{ "hangs up at MAIL", HELLO "C MAIL\nX\n", "a@r.test", "4", "lost connection with", true },
	{ "RCPT 3xx", HELLO "C MAIL\nS 250 ok\nC RCPT\nS 354 go\n", "a@r.test", "4", "makes no sense", true },
	{ "RCPT 4xx", HELLO "C MAIL\nS 250 ok\nC RCPT\nS 450 4.2.0 grey\n", "a@r.test", "4", "450 4.2.0 grey (in reply to RCPT TO command)", true },
	{ "too many recipients", HELLO "C MAIL\nS 250 ok\nC RCPT\nS 552 too many\n", "a@r.test", "4", "552 too many", true },
	{ "DATA 2xx", ENVELOPE "C DATA\nS 250 done\n", "a@r.test", "4", "makes no sense", true },
	{ "DATA 4xx", ENVELOPE "C DATA\nS 451 no\n", "a@r.test", "4", "451 no (in reply to DATA command)", true },
	{ "hangs up at DATA", ENVELOPE "C DATA\nX\n", "a@r.test", "4", "lost connection with", true },
	{ "says yes before the end", ENVELOPE "C DATA\nS 354 go|250 ok\nM\nW\n", "a@r.test", "4", "makes no sense", true },
	{ "hangs up in the message", ENVELOPE "C DATA\nS 354 go\nX\n", "a@r.test", "4", "lost connection with", true },
	{ "hangs up at the dot", ENVELOPE "C DATA\nS 354 go\nM\nX\n", "a@r.test", "4", "lost connection with", true },
	{ "dot 3xx", ENVELOPE "C DATA\nS 354 go\nM\nS 354 more\n", "a@r.test", "4", "makes no sense", true },
	{ "dot 4xx", ENVELOPE "C DATA\nS 354 go\nM\nS 451 4.3.0 disk\n", "a@r.test", "4", "451 4.3.0 disk (in reply to end of DATA command)", true },
	{ "answers run one ahead", PIPE "C MAIL\nC RCPT\nC DATA\nS 250 a|250 b|250 c|354 d\nM\nS 250 e\n", "a@r.test", "4", "makes no sense", true },
	/* what a host decides */
	{ "MAIL 5xx", HELLO "C MAIL\nS 550 5.7.1 no\nC QUIT\n", "a@r.test", "5", "host 127.0.0.1[127.0.0.1] said: 550 5.7.1 no (in reply to MAIL FROM command)", true },
	{ "RCPT 5xx", HELLO "C MAIL\nS 250 ok\nC RCPT\nS 550 5.1.1 who\nC QUIT\n", "a@r.test", "5", "550 5.1.1 who", true },
	{ "dot 5xx", ENVELOPE "C DATA\nS 354 go\nM\nS 554 5.6.0 spam\n", "a@r.test", "5", "554 5.6.0 spam", true },
	{ "size", "S 220 hi\nC EHLO\nS 250-there\nS 250 SIZE 5\nC QUIT\n", "a@r.test", "5", "exceeds size limit 5", true },
	{ "plain", ENVELOPE "C DATA\nS 354 go\nC Subject: x\nC \r\nC ..dot\nC line\nC .\r\nS 250 2.0.0 taken\nC QUIT\nS 221 bye\n", "a@r.test", "2", "250 2.0.0 taken", true },
	{ "HELO is enough", "S 220 hi\nC EHLO\nS 500 what\nC HELO me.test\nS 250 ok\nC MAIL FROM:<from@v.test>\r\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nM\nS 250 taken\n", "a@r.test", "2", "taken", true },
	{ "pipelined", PIPE "C MAIL\nC RCPT\nC DATA\nS 250 a|250 b|354 d\nM\nS 250 taken\n", "a@r.test", "2", "taken", true },
	{ "pipelined, some refused", PIPE "C MAIL\nC RCPT\nC RCPT\nC RCPT\nC DATA\nS 250 a\nS 550 no\nS 250 b\nS 450 later\nS 354 d\nM\nS 250 taken\n", "a@r.test b@r.test c@r.test", "524", "550 no", true },
	{ "pipelined, all refused, and yet 354", PIPE "C MAIL\nC RCPT\nC DATA\nS 250 a\nS 550 no\nS 354 d\nC .\r\nS 554 nobody\n", "a@r.test", "5", "550 no", true },
	{ "pipelined, sender refused", PIPE "C MAIL\nC RCPT\nC RCPT\nC DATA\nS 550 no\nS 503 a\nS 503 b\nS 503 c\n", "a@r.test b@r.test", "55", "550 no", true },
	{ "long answers", "S 220-a|220-b|220 c\nC EHLO\nS 250-x|250-8BITMIME|250 y\nC MAIL\nS 250 ok\nC RCPT\nS 550-5.1.1 one|550 5.1.1 two\n", "a@r.test", "5", "550 5.1.1 one 5.1.1 two", true },
	{ "says no early", ENVELOPE "C DATA\nS 354 go\nC Subject\nS 552 5.3.4 too big\nM\nX\n", "a@r.test", "5", "552 5.3.4 too big", true },
};

START_TEST(remote_hosts)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	const struct row *r = &rows[_i];
	const char *const scripts[] = { r->script, NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, NULL);
	send_transfer(&b, port, "smtp", "[127.0.0.1]", r->to);
	await(&b, &t);
	results(&t, classes, &status, &text);
	ck_assert_msg(strcmp(classes, r->classes) == 0, "%s: %s, %.*s", r->name, classes, STR_ARG(text));
	ck_assert_msg(memmem(text.p, text.n, r->says, strlen(r->says)) != NULL, "%s: %.*s", r->name, STR_ARG(text));
	ck_assert_msg(t.reached == r->reached, "%s: reached %d", r->name, t.reached);
	ck_assert_msg(status.n > 4 && status.p[0] == classes[0], "%s: %.*s", r->name, STR_ARG(status));
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(lmtp)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	const char *const scripts[] = { "S 220 hi\nC LHLO me.test\nS 250 ok\nC MAIL\nS 250 ok\nC RCPT\nS 250 a\nC RCPT\nS 550 b\nC RCPT\nS 250 c\nC DATA\nS 354 go\nM\nS 250 2.0.0 one\nS 452 4.2.2 full\n", NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, NULL);
	send_transfer(&b, port, "lmtp", "[127.0.0.1]", "a@r.test b@r.test c@r.test");
	await(&b, &t);
	results(&t, classes, &status, &text);
	ck_assert_str_eq(classes, "254");
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* A second message goes over the same connection; one that the host has closed meanwhile is no harm. */
START_TEST(reuse)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
#define LETTER "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nM\nS 250 taken\n"
	const char *const scripts[] = { HELLO LETTER LETTER "X\n", HELLO "C MAIL\nS 250 ok\nC RCPT\nS 550 no\nC RSET\nS 250 ok\n" LETTER, NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, (const char *const[]){ "smtp_connection_reuse_time", "60s", NULL });
	for (int i = 0; i < 4; i++) {
		send_transfer(&b, port, "smtp", "[127.0.0.1]", "a@r.test");
		await(&b, &t);
		results(&t, classes, &status, &text);
		ck_assert_msg(strcmp(classes, i == 2 ? "5" : "2") == 0, "%d: %.*s", i, STR_ARG(text));
	}
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* As fast as the kernel takes it, and with one end: an end too many would be the next command. */
START_TEST(large)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	const char *const scripts[] = { HELLO LETTER LETTER LETTER "X\n", "S 421 once is enough\n", NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, (const char *const[]){ "smtp_connection_reuse_time", "60s", NULL });
	for (size_t i = 0; i < 3; i++) {
		b.more_lines = (size_t[]){ 2000, 50000, 0 }[i];
		send_transfer(&b, port, "smtp", "[127.0.0.1]", "a@r.test");
		await(&b, &t);
		results(&t, classes, &status, &text);
		ck_assert_msg(strcmp(classes, "2") == 0, "%zu: %.*s", i, STR_ARG(text));
	}
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

static const struct {
	const char *hop, *classes, *status;
	bool reached;
} hops[] = {
	{ "broken.test", "4", "4.4.3", false }, { "a b", "4", "4.4.3", false },	   { "[1.2.3", "4", "4.4.3", false },
	{ "gone.test", "5", "5.4.4", true },	{ "null.test", "5", "5.1.10", true }, { "[gone.test]", "5", "5.4.4", true },
	{ "two.test", "2", "2.0.0", true },	{ "r.test", "2", "2.0.0", true },	   { "[r.test]", "2", "2.0.0", true },
	{ "many.test", "2", "2.0.0", true },
};

START_TEST(next_hops)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	const char *const scripts[] = { HELLO LETTER, NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, NULL);
	send_transfer(&b, port, "smtp", hops[_i].hop, "a@r.test");
	await(&b, &t);
	results(&t, classes, &status, &text);
	ck_assert_msg(strcmp(classes, hops[_i].classes) == 0, "%s: %.*s", hops[_i].hop, STR_ARG(text));
	ck_assert_str_is(status, str_from(hops[_i].status));
	ck_assert_int_eq(t.reached, hops[_i].reached);
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* The best host is this one, at the port where mail is taken. */
START_TEST(loop_to_self)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;

	begin(&b, (const char *const[]){ "smtp_port", "2525", NULL });
	send_transfer(&b, 2525, "smtp", "self.test", "a@r.test");
	await(&b, &t);
	results(&t, classes, &status, &text);
	ck_assert_str_eq(classes, "5");
	ck_assert(memmem(text.p, text.n, "loops back to myself", 20) != NULL);
	finish(&b);
}
END_TEST

START_TEST(logins)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	/* user alice, password secret; the challenge is <1@r> */
	const char *const scripts[] = { "S 220 hi\nC EHLO\nS 250-ok\nS 250 AUTH PLAIN LOGIN\n",
					"S 220 hi\nC EHLO\nS 250-ok\nS 250 AUTH CRAM-MD5\nC AUTH CRAM-MD5\nS 334 PDFAcj4=\nC YWxpY2Ug\nS 535 5.7.8 wrong\n",
					"S 220 hi\nC EHLO\nS 250-ok\nS 250 AUTH CRAM-MD5\nC AUTH CRAM-MD5\nS 334 PDFAcj4=\nC YWxpY2Ug\nS 235 2.7.0 welcome\n" LETTER, NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, NULL);
	b.user = "alice";
	for (int i = 0; i < 3; i++) {
		send_transfer(&b, port, "smtp", "[127.0.0.1]", "a@r.test");
		await(&b, &t);
		results(&t, classes, &status, &text);
		ck_assert_msg(strcmp(classes, i == 2 ? "2" : "4") == 0, "%d: %.*s", i, STR_ARG(text));
		ck_assert(i == 2 || memmem(text.p, text.n, "SASL authentication failed", 26));
	}
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(tls_is_needed)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	const char *const scripts[] = { HELLO, "S 220 hi\nC EHLO\nS 250-ok\nS 250 STARTTLS\nC STARTTLS\nS 454 not now\n",
					"S 220 hi\nC EHLO\nS 250-ok\nS 250 STARTTLS\nC STARTTLS\nS 220 go|250 injected\nW\n",
					"S 220 hi\nC EHLO\nS 250-ok\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nB\nS garbage garbage garbage\nW\n", NULL };
	static const char *const says[] = { "TLS is required", "refused STARTTLS", "sent something behind", "Cannot start TLS" };
	pid_t pid = serve(scripts, &port);

	begin(&b, NULL);
	b.tls = "encrypt";
	for (size_t i = 0; i < COUNT(says); i++) {
		send_transfer(&b, port, "smtp", "[127.0.0.1]", "a@r.test");
		await(&b, &t);
		results(&t, classes, &status, &text);
		ck_assert_str_eq(classes, "4");
		ck_assert_msg(memmem(text.p, text.n, says[i], strlen(says[i])) != NULL, "%.*s", STR_ARG(text));
	}
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* A handshake that fails must not keep mail back that may go in clear. */
START_TEST(tls_falls_back)
{
	struct bed b;
	struct transferred t;
	char classes[40];
	struct str status, text;
	uint16_t port;
	const char *const scripts[] = { "S 220 hi\nC EHLO\nS 250-ok\nS 250 STARTTLS\nC STARTTLS\nS 220 go\nB\nS garbage garbage garbage\nX\n", HELLO LETTER, NULL };
	pid_t pid = serve(scripts, &port);

	begin(&b, NULL);
	send_transfer(&b, port, "smtp", "[127.0.0.1]", "a@r.test");
	await(&b, &t);
	results(&t, classes, &status, &text);
	ck_assert_msg(strcmp(classes, "2") == 0, "%.*s", STR_ARG(text));
	finish(&b);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* What qmgr must never ask: it breaks the channel, and only it. */
START_TEST(bad_transfers)
{
	struct bed b;
	static const char *const to[] = { "", "a@b.test\r\nDATA", "a\001@b.test" };

	for (size_t i = 0; i < COUNT(to); i++) {
		begin(&b, NULL);
		send_transfer(&b, 1, "smtp", "[127.0.0.1]", to[i]);
		ck_assert(harness_logged(&b.h, "a transfer that makes no sense", HARNESS_PATIENCE_MS));
		finish(&b);
	}
}
END_TEST

TEST_MAIN("smtp", tcase_add_loop_test(tc, remote_hosts, 0, COUNT(rows)); tcase_add_test(tc, lmtp); tcase_add_test(tc, reuse); tcase_add_test(tc, large);
	  tcase_add_loop_test(tc, next_hops, 0, COUNT(hops)); tcase_add_test(tc, loop_to_self); tcase_add_test(tc, logins);
	  tcase_add_test(tc, tls_is_needed); tcase_add_test(tc, tls_falls_back); tcase_add_test(tc, bad_transfers))
