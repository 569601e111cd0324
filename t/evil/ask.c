/* As one who asks: smtpd for the world, the front of POP3, qmgr. Each question must be answered by a refusal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "base/time.h"
#include "io/fd.h"
#include "ipc/messages.h"
#include "proc/inner.h"
#include "wire.h"

enum { ASK_MS = 10000, GUESSES = 10000, CLOSE_MS = 3000 };

void evil_act(struct evil *e, const char *act, bool succeeded, const char *text)
{
	snprintf(e->detail, sizeof(e->detail), "%s", text);
	evil_tell(e, act, 0, succeeded, EPERM, 0);
}

void evil_must(bool answered, const char *what)
{
	if (!answered)
		panic("no answer: %s", what);
}

/* ---- to qmgr ---- */

static void take_ids(struct evil *e, char ids[][32], size_t n)
{
	struct queue_ids q = { .count = (uint32_t)n };
	struct queue_ids_answer a;
	scoped_buf struct buf frame = { 0 };
	size_t at = 0;
	struct str id;

	evil_must(run_ask(e->run, "qmgr", &queue_ids_schema, &q, &queue_ids_answer_schema, ASK_MS, &frame, &a), "ids");
	for (size_t i = 0; i < n; i++) {
		evil_must(strs_next(&a.ids, &at, &id), "an id");
		snprintf(ids[i], 32, "%.*s", STR_ARG(id));
	}
}

/* A commit that is in order but for what the act changes. */
static uint16_t commit(struct evil *e, struct commit *m, const char *to)
{
	scoped_buf struct buf list = { 0 }, frame = { 0 };
	struct committed a;

	m->recipients = (struct strs){ 0 };
	strs_add(&list, &m->recipients, str_from(to));
	if (m->size == 0 && !m->spooled)
		m->size = m->head.n + m->body.n;
	evil_must(run_ask(e->run, "qmgr", &commit_schema, m, &committed_schema, ASK_MS, &frame, &a), "commit");
	return a.code;
}

static struct commit letter(const char *id)
{
	return (struct commit){ .queue_id = str_from(id),
				.sender = STR("evil@remote.test"),
				.client_name = STR("evil"),
				.client_address = STR("127.0.0.1"),
				.protocol = STR("ESMTP"),
				.head = STR("Subject: evil\n\n"),
				.body = STR("evil\n") };
}

static void try_commit(struct evil *e, const char *act, struct commit m, const char *to)
{
	uint16_t code = commit(e, &m, to);
	char text[20];

	snprintf(text, sizeof(text), "%u", code);
	evil_act(e, act, code < 400, text);
}

static void try_commits(struct evil *e)
{
	char ids[10][32], foreign[32];
	struct commit m;

	take_ids(e, ids, COUNT(ids));
	try_commit(e, "relay", letter(ids[0]), "victim@elsewhere.test");
	m = letter(ids[1]);
	m.login = STR("alice@example.test");
	m.protocol = STR("ESMTPSA");
	try_commit(e, "relay_by_login", m, "victim@elsewhere.test");
	try_commit(e, "relay_by_route", letter(ids[2]), "victim%elsewhere.test@example.test");
	snprintf(foreign, sizeof(foreign), "%s", ids[9]);
	foreign[15] = foreign[15] == 'z' ? 'y' : 'z';
	try_commit(e, "foreign_id", letter(foreign), "bob@example.test");
	try_commit(e, "path_as_id", letter("../../etc/passwd"), "bob@example.test");
	m = letter(ids[3]);
	evil_act(e, "honest_commit_is_taken", commit(e, &m, "bob@example.test") != 250, "the act cannot be trusted");
	try_commit(e, "used_id", letter(ids[3]), "bob@example.test");
	m = letter(ids[4]);
	m.spooled = true;
	m.head = m.body = STR("");
	try_commit(e, "spooled_without_file", m, "bob@example.test");
	m = letter(ids[5]);
	m.size = 4711;
	try_commit(e, "wrong_size", m, "bob@example.test");
	m = letter(ids[6]);
	m.body = STR("a\0b\n");
	try_commit(e, "content_with_nul", m, "bob@example.test");
	m = letter(ids[7]);
	m.sender = STR("a@b\r\nX: y");
	try_commit(e, "sender_with_lines", m, "bob@example.test");
	try_commit(e, "no_recipient", letter(ids[8]), "");
}

static int open_spool(struct evil *e, const char *id)
{
	struct spool_open q = { .queue_id = str_from(id) };
	struct spool_opened a;
	scoped_buf struct buf frame = { 0 };

	evil_must(run_ask(e->run, "qmgr", &spool_open_schema, &q, &spool_opened_schema, ASK_MS, &frame, &a), "spool");
	return a.code == 250 ? a.file : -1;
}

/* Whoever could still write the file after the answer would change mail that was signed, scanned and acknowledged. */
static void try_spools(struct evil *e)
{
	char ids[2][32];
	struct commit m;

	take_ids(e, ids, COUNT(ids));
	evil_act(e, "spool_of_no_id", open_spool(e, "0000000000000000") >= 0, "a file");
	for (size_t i = 0; i < COUNT(ids); i++) {
		int fd = open_spool(e, ids[i]);
		evil_must(fd >= 0 && write(fd, "x\n", 2) == 2, "spool file");
		if (i == 1) {
			int pair[2];
			evil_act(e, "map_spool", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED, "mapped");
			evil_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 &&
				     wire_send(pair[0], STR("x"), fd, 1), "socketpair");
			close(fd);
		}
		m = letter(ids[i]);
		m.spooled = true;
		m.head = m.body = STR("");
		m.size = 2;
		try_commit(e, i ? "spool_in_flight" : "spool_still_open", m, "bob@example.test");
		if (i == 0)
			close(fd);
	}
}

/* ---- to lookupd, authd, keyd ---- */

static void try_lookup(struct evil *e)
{
	struct check_recipient q = { .login = STR("alice@example.test"),
				     .sender = STR("alice@example.test"),
				     .recipient = STR("victim@elsewhere.test") };
	struct verdict a;
	scoped_buf struct buf frame = { 0 };

	evil_must(run_ask(e->run, "lookupd", &check_recipient_schema, &q, &verdict_schema, ASK_MS, &frame, &a), "lookupd");
	evil_act(e, "relay_by_lookup", a.code < 400, "allowed");
}

bool evil_log_in(struct evil *e, const char *user, const char *password, char ticket[80])
{
	bool imap = strcmp(e->daemon, "imapd") == 0;
	struct login q = { .client = STR("192.0.2.1"),
			   .protocol = imap ? STR("imap") : STR("pop3"),
			   .user = str_from(user),
			   .password = str_from(password) };
	struct login_answer a;
	scoped_buf struct buf frame = { 0 };

	evil_must(run_ask(e->run, "authd", &login_schema, &q, &login_answer_schema, ASK_MS, &frame, &a), "authd");
	snprintf(ticket, 80, "%.*s", STR_ARG(a.ticket));
	return a.result == LOGIN_OK;
}

static void try_logins(struct evil *e, bool front)
{
	static const char *const passwords[] = { "", "wrong", "tayori ", "$6$" };
	char ticket[80];

	for (size_t i = 0; i < COUNT(passwords); i++)
		evil_act(e, "login_without_password", evil_log_in(e, "alice@example.test", passwords[i], ticket), passwords[i]);
	evil_act(e, "login_as_path", evil_log_in(e, "../alice@example.test", "tayori", ticket), "");
	if (front)
		return;
	evil_must(evil_log_in(e, "alice@example.test", "tayori", ticket), "a login in order");
	evil_act(e, "ticket_for_no_front", ticket[0] != '\0', ticket);
}

/* keyd signs what it builds itself; none of this is what a server signs in a handshake. */
static void try_signatures(struct evil *e)
{
	static const char noise[200];
	const struct key_sign bad[] = {
		{ .scheme = 0x0403, .tls13 = true, .transcript = str_of(noise, 20) },
		{ .scheme = 0x0403, .tls13 = true, .transcript = str_of(noise, 64) },
		{ .scheme = 0x0403, .tls13 = true, .transcript = str_of(noise, 33) },
		{ .scheme = 0x0403, .tls13 = true, .transcript = str_of(noise, 32), .params = str_of(noise, 1) },
		{ .scheme = 0, .tls13 = true, .transcript = str_of(noise, 32) },
		{ .scheme = 0x0401, .tls13 = true, .transcript = str_of(noise, 32) },
		{ .scheme = 0x0603, .tls13 = true, .transcript = str_of(noise, 32) },
		{ .number = 99, .scheme = 0x0403, .tls13 = true, .transcript = str_of(noise, 32) },
		{ .scheme = 0x0403, .transcript = str_of(noise, 32) },
		{ .scheme = 0x0403, .client_random = str_of(noise, 32), .server_random = str_of(noise, 32), .params = str_of(noise, 69) },
		{ .scheme = 0x0403, .client_random = str_of(noise, 32), .server_random = str_of(noise, 32) },
		{ .scheme = 0x0403, .client_random = str_of(noise, 200) },
	};
	struct key_sign_answer a;

	for (size_t i = 0; i < COUNT(bad); i++) {
		scoped_buf struct buf frame = { 0 };
		evil_must(run_ask(e->run, "keyd", &key_sign_schema, &bad[i], &key_sign_answer_schema, ASK_MS, &frame, &a), "keyd");
		evil_act(e, "sign_anything", a.ok, "a signature");
	}
}

/* ---- to the sessions' spawner ---- */

/* Each under a number of its own: an open one is refused for that alone. */
static bool open_session(struct evil *e, const char *parent, const char *ticket, int fd)
{
	struct session_open q = { .id = ++e->tickets,
				  .ticket = str_from(ticket),
				  .client = STR("192.0.2.1"),
				  .tag = STR("+OK"),
				  .socket = fd };
	struct session_opened a;
	scoped_buf struct buf frame = { 0 };

	evil_must(run_ask(e->run, parent, &session_open_schema, &q, &session_opened_schema, ASK_MS, &frame, &a), "session");
	return a.ok;
}

static bool says_ok(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[4] = "";

	return poll(&p, 1, 5000) > 0 && recv(fd, text, 3, 0) == 3 && strcmp(text, "+OK") == 0;
}

static void try_tickets(struct evil *e, const char *parent)
{
	char ticket[80], guess[80];
	uint8_t octets[16];
	bool opened = false;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		panic("socketpair: %m");
	for (int i = 0; i < GUESSES; i++) {
		random_bytes(octets, sizeof(octets));
		hex_encode(octets, sizeof(octets), guess);
		opened = opened || open_session(e, parent, guess, pair[1]);
	}
	evil_act(e, "guessed_ticket", opened, guess);
	evil_act(e, "empty_ticket", open_session(e, parent, "", pair[1]), "");
	evil_must(evil_log_in(e, "alice@example.test", "tayori", ticket), "a login in order");
	snprintf(guess, sizeof(guess), "%s", ticket);
	guess[0] = guess[0] == '0' ? '1' : '0';
	evil_act(e, "changed_ticket", open_session(e, parent, guess, pair[1]), guess);
	evil_act(e, "cut_ticket", open_session(e, parent, ticket + 1, pair[1]), "");
	evil_act(e, "honest_ticket_opens", !open_session(e, parent, ticket, pair[1]) || !says_ok(pair[0]), "the act cannot be trusted");
	evil_act(e, "used_ticket", open_session(e, parent, ticket, pair[1]), ticket);
	evil_must(evil_log_in(e, "alice@example.test", "tayori", ticket), "a login in order");
	evil_act(e, "ticket_without_socket", open_session(e, parent, ticket, -1), ticket);
	evil_must(evil_log_in(e, "alice@example.test", "tayori", ticket), "a login in order");
	evil_act(e, "ticket_with_file", open_session(e, parent, ticket, STDERR_FILENO), ticket);
	close(pair[0]);
	close(pair[1]);
}

/* ---- as qmgr, to local ---- */

static void try_target(struct evil *e, const char *act, struct str user, const char *target, int content, uint64_t size)
{
	const char *server = target[0] == '|' ? "commandd" : "local";
	struct deliver q = { .user = user,
			     .target = str_from(target),
			     .queue_id = STR("evil"),
			     .recipient = STR("bob@example.test"),
			     .size = size,
			     .content = content };
	struct delivered a;
	scoped_buf struct buf frame = { 0 };
	char text[32];

	evil_must(run_ask(e->run, server, &deliver_schema, &q, &delivered_schema, ASK_MS, &frame, &a), server);
	snprintf(text, sizeof(text), "result %u", a.result);
	evil_act(e, act, a.result == DELIVERY_DONE, text);
}

static void try_delivery(struct evil *e, const char *act, struct str user, int content, uint64_t size)
{
	try_target(e, act, user, "", content, size);
}

/* What neither an alias nor a .forward has. */
static void try_targets(struct evil *e, int content)
{
	static const char *const targets[] = { "|id", "/tmp/tayori-evil", "/etc/passwd", ":include:/etc/passwd" };
	static const char *const users[] = { "nobody", "root", "daemon", "bob", "bob@example.test", "../bob" };

	for (size_t i = 0; i < COUNT(targets); i++)
		for (size_t k = 0; k < COUNT(users); k++)
			try_target(e, "target_of_nobody", str_from(users[k]), targets[i], content, 0);
}

/* What is no file is not handed to the child: the channel breaks. */
static void try_folder(struct evil *e)
{
	struct deliver q = { .user = STR("bob@example.test"), .content = e->run->inner->folders->fd };
	scoped_buf struct buf frame = { 0 };
	int fd = run_server(e->run, "local")->fd;

	wire_frame(&deliver_schema, &q, false, 7, &frame);
	evil_must(wire_send(fd, buf_str(&frame), q.content, 1), "a folder");
	evil_act(e, "deliver_folder", !wire_closed(fd, CLOSE_MS), "the channel stays open");
}

/* The name of one user for the eye, of another for the table. */
static void try_nul(struct evil *e)
{
	struct deliver q = { .user = STR("bob@example.test\0/.."), .content = STDERR_FILENO };
	scoped_buf struct buf frame = { 0 };
	int fd = run_server(e->run, "local")->fd;

	wire_frame(&deliver_schema, &q, false, 7, &frame);
	evil_must(wire_send(fd, buf_str(&frame), STDERR_FILENO, 1), "a file");
	evil_act(e, "deliver_to_nul", !wire_closed(fd, CLOSE_MS), "the channel stays open");
}

/* A file of the queue that is empty. */
static int empty_file(struct evil *e)
{
	int fd = openat(e->run->inner->folders->fd, "evil", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	evil_must(fd >= 0, "a file");
	return fd;
}

static void try_deliveries(struct evil *e)
{
	int file = empty_file(e);
	static const char *const users[] = { "..", ".", "../bob", "example.test/bob", "../../../etc@example.test", "root",
					     "bob@../../../etc", "/etc/passwd", "bob@example.test/../..", "bob\n@example.test",
					     "nobody@elsewhere.test", "bob@.", "@example.test" };

	for (size_t i = 0; i < COUNT(users); i++)
		try_delivery(e, "deliver_to_path", str_from(users[i]), file, 0);
	try_targets(e, file);
	try_delivery(e, "deliver_too_short", STR("bob@example.test"), file, (uint64_t)1 << 62);
	close(file);
	try_folder(e);
}

/* ---- to resolverd; smtp to lookupd ---- */

/* What is no host name is asked of nobody: the channel breaks. */
static void try_name(struct evil *e)
{
	struct dns_ask q = { .name = STR("a\0.test"), .type = 1, .most_ms = UINT32_MAX };
	int fd = run_server(e->run, "resolverd")->fd;

	evil_must(frame_send(fd, &dns_ask_schema, false, 1, &q) == 0, "resolverd");
	evil_act(e, "ask_for_no_name", !wire_closed(fd, CLOSE_MS), "the channel stays open");
}

/* Only sockets that the admin has listed. */
static void try_dial(struct evil *e)
{
	struct dial q = { .path = STR("/run/systemd/private") };
	int fd = run_server(e->run, "dialer")->fd;

	evil_must(fd >= 0 && frame_send(fd, &dial_schema, false, 1, &q) == 0, "dialer");
	evil_act(e, "dial_anywhere", !wire_closed(fd, CLOSE_MS), "the channel stays open");
}

/* Passwords are for the next hops that the admin has written down. */
static void try_policies(struct evil *e)
{
	const struct str hops[] = { STR(""), STR("*"), STR("\n"), STR("\0"), STR("../users"), STR("alice@example.test") };

	for (size_t i = 0; i < COUNT(hops); i++) {
		struct remote_policy q = { .transport = STR("smtp"), .nexthop = hops[i], .host = hops[i], .sender = STR("alice@example.test") };
		scoped_buf struct buf frame = { 0 };
		struct remote_policy_answer a;
		evil_must(run_ask(e->run, "lookupd", &remote_policy_schema, &q, &remote_policy_answer_schema, ASK_MS, &frame, &a), "lookupd");
		evil_act(e, "password_of_no_hop", a.password.n > 0, "a password");
	}
}

/* ---- what breaks a channel: everything else that may stand on it ---- */

static const struct {
	const char *server, *may; /* names of the messages that it takes from this daemon */
} servers[] = {
	{ "qmgr", "queue_ids queue_room spool_open spool_drop commit" },
	{ "lookupd", "check_sender check_recipient check_address check_access route remote_policy alias_check" },
	{ "authd", "login mailbox_find" },
	{ "keyd", "key_chain key_sign" },
	{ "pop3session", "session_open session_wake session_gone" },
	{ "imapsession", "session_open session_wake session_gone" },
	{ "local", "deliver" },
	{ "commandd", "deliver" },
	{ "smtp", "transfer" },
	{ "resolverd", "dns_ask" },
	{ "dialer", "dial" },
	{ "logd", "log_line" },
};

static bool asks(const struct evil *e, const char *server)
{
	if (strcmp(server, "logd") == 0)
		return true;
	for (const char *const *s = e->run->daemon->servers; *s; s++)
		if (strcmp(*s, server) == 0)
			return true;
	return false;
}

static bool takes(const char *may, const char *name)
{
	struct str rest = str_from(may);

	while (rest.n > 0)
		if (str_eq(str_cut(&rest, ' '), str_from(name)))
			return true;
	return false;
}

static bool begins_with_length(const struct ipc_schema *schema)
{
	return schema->fields[0].kind == IPC_str || schema->fields[0].kind == IPC_strs;
}

/* The next one from the nth on. NULL: none is so. */
static const struct ipc_schema *find_message(const char *may, bool wanted, bool length, unsigned nth)
{
	for (size_t n = 0; n < ipc_messages_n; n++) {
		const struct ipc_schema *schema = ipc_messages[(nth + n) % ipc_messages_n];
		if (takes(may, schema->name) == wanted && (!length || begins_with_length(schema)))
			return schema;
	}
	return NULL;
}

/*
 * The nth start: every server is sent one thing that it must not take. First each way of spoiling a message that it
 * takes, then messages that are others' to send.
 */
static void break_all(struct evil *e, unsigned nth)
{
	for (size_t i = 0; i < COUNT(servers); i++) {
		scoped_buf struct buf frame = { 0 };
		char act[80];
		if (!asks(e, servers[i].server))
			continue;
		bool log = strcmp(servers[i].server, "logd") == 0;
		int fd = log ? e->run->log.fd : run_server(e->run, servers[i].server)->fd;
		if (fd < 0) /* it does not run here */
			continue;
		bool spoil = nth < WIRE_SPOILS;
		const struct ipc_schema *schema =
			find_message(servers[i].may, spoil, nth == WIRE_LENGTH, nth * 5 + (unsigned)i * 3);
		if (!schema)
			continue;
		wire_blank(schema, &frame);
		bool sent = spoil ? wire_spoil(fd, (int)nth, buf_str(&frame)) : wire_send(fd, buf_str(&frame), -1, 0);
		snprintf(act, sizeof(act), "%s_%s_to_%s", spoil ? wire_spoils[nth] : "foreign", schema->name, servers[i].server);
		evil_act(e, act, !sent || !wire_closed(fd, CLOSE_MS), "the channel stays open");
	}
}

void evil_channels(struct evil *e)
{
	const char *daemon = e->daemon;
	bool out = strcmp(daemon, "smtp") == 0;
	bool pop3 = strcmp(daemon, "pop3d") == 0, imap = strcmp(daemon, "imapd") == 0, smtp = strcmp(daemon, "smtpd") == 0;

	if (e->start == EVIL_BREAKS && strcmp(daemon, "qmgr") == 0)
		try_nul(e);
	else if (e->start > 0 && e->start <= EVIL_BREAKS)
		break_all(e, e->start - 1);
	if (e->start > 0)
		return;
	if (smtp) {
		try_commits(e);
		try_spools(e);
		try_lookup(e);
	}
	if (smtp || pop3 || imap) {
		try_logins(e, !smtp);
		try_signatures(e);
	}
	if (smtp || out)
		try_name(e);
	if (out) {
		try_policies(e);
		try_dial(e);
	}
	if (pop3 || imap)
		try_tickets(e, pop3 ? "pop3session" : "imapsession");
	if (imap)
		evil_sleepers(e);
	if (strcmp(daemon, "qmgr") == 0)
		try_deliveries(e);
}
