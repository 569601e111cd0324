/* As one who is asked: grants that may not be, and answers as no honest daemon gives them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "house/house.h"
#include "ipc/messages.h"
#include "wire.h"

enum { CLIENTS_MAX = 32, HANDLERS_MAX = 80, GRANT_MS = 10000 };

static bool asks(const struct house_daemon *d, const char *server)
{
	if (strcmp(server, "logd") == 0)
		return true;
	for (size_t i = 0; d->servers[i]; i++)
		if (strcmp(d->servers[i], server) == 0)
			return true;
	return false;
}

/* ---- authd, who lets everybody in as whom it likes ---- */

static struct grant choose(const struct evil *e, struct str name, struct buf *home)
{
	const char *mail = evil_env("TAYORI_EVIL_MAIL_UID");
	uint32_t uid = (uint32_t)atoi(mail);
	struct grant g = { .user = name, .uid = uid, .gid = uid, .virtual_user = true };

	if (str_eq(name, STR("root")) || str_eq(name, STR("daemon")) || str_eq(name, STR("group"))) {
		g.uid = str_eq(name, STR("root")) ? 0 : str_eq(name, STR("daemon")) ? 1 : uid;
		g.gid = str_eq(name, STR("group")) ? 0 : g.uid;
		g.virtual_user = false;
		buf_addf(home, "%s/world", e->dir);
	} else if (str_eq(name, STR("etc")) || str_eq(name, STR("folder"))) {
		g.virtual_user = false;
		buf_addf(home, "%s", str_eq(name, STR("etc")) ? "/etc" : e->dir);
	} else if (str_eq(name, STR("outside"))) {
		buf_addf(home, "%s/world", e->dir);
	} else {
		/* "below base" by text alone */
		buf_addf(home, "%s/mail/%.*s", e->dir, STR_ARG(name));
	}
	g.home = buf_str(home);
	return g;
}

static void grant_any(struct channel *ch, uint32_t serial, void *message)
{
	const struct login *m = message;
	struct run *run = ch->arg;
	struct evil *e = run->state;
	scoped_buf struct buf home = { 0 }, frame = { 0 };
	struct login_answer a = { .result = LOGIN_OK, .user = m->user };
	struct grant g = choose(e, m->user, &home);
	struct granted granted = { 0 };
	char ticket[40];

	snprintf(ticket, sizeof(ticket), "evil-ticket-%020u", ++e->tickets);
	g.ticket = a.ticket = str_from(ticket);
	bool answered = run_ask(run, "pop3session", &grant_schema, &g, &granted_schema, GRANT_MS, &frame, &granted);
	dprintf(2, "evil %s grant: %.*s %s\n", e->who, STR_ARG(m->user), answered && granted.ok ? "kept" : "refused");
	channel_answer(ch, serial, &login_answer_schema, &a);
}

static const struct ipc_handler granting[] = { { &login_schema, grant_any } };

/* ---- anybody, who answers with garbage ---- */

static const struct ipc_schema *const answers[] = {
	&queue_ids_answer_schema, &verdict_schema,	     &spool_opened_schema,     &committed_schema,
	&route_answer_schema,	  &login_answer_schema,     &key_chain_answer_schema, &key_sign_answer_schema,
	&session_opened_schema,	  &mailbox_schema,	     &granted_schema,	       &delivered_schema,
};

/* Records of no type's size, and no names at all; in turn found, and a result that there is not. */
static void absurd_names(struct dns_answer *m, uint32_t serial, struct buf *list)
{
	m->result = serial % 2 ? 200 : 0;
	m->ttl = UINT32_MAX;
	m->canonical = STR("\r\n?");
	strs_add(list, &m->records, STR(""));
	strs_add(list, &m->records, STR("\0"));
	strs_add(list, &m->records, STR("a\r\nb\0c"));
}

/* Too few or too many of them, of a class and a status that there are not, with ends of lines. */
static void absurd_results(struct transferred *m, uint32_t serial, struct buf *list)
{
	static const char *const parts[] = { "9", "9.9.9\r\n", "a\r\nb", "2" };

	m->reached = true;
	m->relay = STR("a\r\nb]");
	for (uint32_t i = 0; i < serial % 8; i++)
		strs_add(list, &m->results, str_from(parts[i % COUNT(parts)]));
}

/* Well formed, empty or absurd; with the serial that was asked, so that it is taken for the answer. */
static void absurd(const struct ipc_schema *schema, uint32_t serial, struct buf *out)
{
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX] = { 0 };
	scoped_buf struct buf list = { 0 };

	if (schema == &spool_opened_schema)
		((struct spool_opened *)(void *)message)->file = -1;
	if (schema == &verdict_schema)
		*(struct verdict *)(void *)message = (struct verdict){ 65535, STR("9.9.9\r\nX"), STR("a\r\n250 b\n") };
	if (schema == &committed_schema)
		*(struct committed *)(void *)message = (struct committed){ 1, STR("\0"), STR("\r\n\r\n") };
	if (schema == &delivered_schema)
		*(struct delivered *)(void *)message = (struct delivered){ .result = 200, .status = STR("5.0.0\n"), .text = STR("x\ny") };
	if (schema == &login_answer_schema)
		*(struct login_answer *)(void *)message = (struct login_answer){ 200, STR("\r\n"), STR("\r\n"), ~0u, STR("\r\n") };
	if (schema == &dns_answer_schema)
		absurd_names((struct dns_answer *)(void *)message, serial, &list);
	if (schema == &transferred_schema)
		absurd_results((struct transferred *)(void *)message, serial, &list);
	wire_frame(schema, message, true, serial, out);
}

static const struct ipc_schema *answer_to(const struct ipc_schema *question)
{
	static const struct {
		const struct ipc_schema *question, *answer;
	} pairs[] = {
		{ &queue_ids_schema, &queue_ids_answer_schema }, { &queue_room_schema, &verdict_schema },
		{ &spool_open_schema, &spool_opened_schema },	  { &commit_schema, &committed_schema },
		{ &check_sender_schema, &verdict_schema },	  { &check_recipient_schema, &verdict_schema },
		{ &route_schema, &route_answer_schema },	  { &login_schema, &login_answer_schema },
		{ &key_chain_schema, &key_chain_answer_schema },  { &key_sign_schema, &key_sign_answer_schema },
		{ &session_open_schema, &session_opened_schema }, { &mailbox_find_schema, &mailbox_schema },
		{ &grant_schema, &granted_schema },		  { &deliver_schema, &delivered_schema },
		{ &session_wake_schema, &session_opened_schema }, { &alias_check_schema, &verdict_schema },
		{ &dns_ask_schema, &dns_answer_schema },	  { &transfer_schema, &transferred_schema },
	};

	for (size_t i = 0; i < COUNT(pairs); i++)
		if (pairs[i].question == question)
			return pairs[i].answer;
	return NULL;
}

/* In turn: absurd, of another's type, spoilt in each way; twice, and for a serial that nobody asked. */
static void answer_badly(struct channel *ch, uint32_t serial, const struct ipc_schema *schema)
{
	struct run *run = ch->arg;
	struct evil *e = run->state;
	unsigned turn = e->turn++ % (WIRE_SPOILS + 3);
	scoped_buf struct buf frame = { 0 };

	if (turn == 1)
		schema = answers[e->turn % COUNT(answers)];
	absurd(schema, turn == 2 ? serial + 1000 : serial, &frame);
	if (turn < 3)
		wire_send(ch->fd, buf_str(&frame), -1, 0);
	else
		wire_spoil(ch->fd, (int)turn - 3, buf_str(&frame));
	wire_send(ch->fd, buf_str(&frame), -1, 0);
	e->answered++;
}

#define ANSWER(question)                                                                                               \
	static void on_##question(struct channel *ch, uint32_t serial, void *message)                                  \
	{                                                                                                              \
		(void)message;                                                                                         \
		answer_badly(ch, serial, answer_to(&question##_schema));                                               \
	}
ANSWER(queue_ids)
ANSWER(queue_room)
ANSWER(spool_open)
ANSWER(commit)
ANSWER(check_sender)
ANSWER(check_recipient)
ANSWER(route)
ANSWER(login)
ANSWER(key_chain)
ANSWER(key_sign)
ANSWER(session_wake)
ANSWER(mailbox_find)
ANSWER(grant)
ANSWER(deliver)
ANSWER(dns_ask)
ANSWER(transfer)

/* Tells and asks the front what nobody has said, about connections that are there and that are not. */
static void disturb(struct channel *ch, uint64_t id)
{
	static const char noise[70000];
	const struct session_sleep asks[] = { { .id = id, .idle = true },
					      { .id = id, .sent = 1, .state = str_of(noise, 100) },
					      { .id = id, .received = ~0ull, .sent = ~0ull, .state = str_of(noise, sizeof(noise)) } };

	for (size_t i = 0; i < COUNT(asks); i++) {
		scoped_buf struct buf frame = { 0 };
		wire_frame(&session_sleep_schema, &asks[i], false, 1 + (uint32_t)i, &frame);
		wire_send(ch->fd, buf_str(&frame), -1, 0);
		channel_notify(ch, &session_stir_schema, &(struct session_stir){ id });
	}
	channel_notify(ch, &session_over_schema, &(struct session_over){ id });
}

static void on_session_open(struct channel *ch, uint32_t serial, void *message)
{
	uint64_t id = ((const struct session_open *)message)->id;

	if (((struct evil *)((struct run *)ch->arg)->state)->daemon[0] == 'i') {
		disturb(ch, id + 1);
		disturb(ch, id);
	}
	answer_badly(ch, serial, &session_opened_schema);
}

#define ROW(question) { &question##_schema, on_##question },
static const struct ipc_handler garbage[] = { ROW(queue_ids) ROW(queue_room) ROW(spool_open) ROW(commit) ROW(check_sender)
						      ROW(check_recipient) ROW(route) ROW(login) ROW(key_chain)
							      ROW(key_sign) ROW(session_open) ROW(session_wake)
								      ROW(mailbox_find) ROW(grant) ROW(deliver)
									      ROW(dns_ask) ROW(transfer) };

/* The client has closed the channel: a new start gives it another, and the next turn comes. */
static void left(struct run *run, struct channel *ch)
{
	struct evil *e = run->state;

	(void)ch;
	if (e->answered > 0)
		_exit(0);
}

const struct daemon_client *evil_clients(const char *daemon, size_t *n)
{
	static struct daemon_client clients[CLIENTS_MAX];
	bool grants = strcmp(evil_env("TAYORI_EVIL"), "grant") == 0, bad = strcmp(evil_env("TAYORI_EVIL"), "garbage") == 0;
	struct daemon_client any = { .daemon = "master" };

	if (grants)
		any = (struct daemon_client){ .handlers = granting, .n_handlers = COUNT(granting) };
	if (bad)
		any = (struct daemon_client){ .handlers = garbage, .n_handlers = COUNT(garbage), .left = left };
	*n = 0;
	clients[(*n)++].daemon = "master";
	for (size_t i = 0; i < house_daemons_n && *n < CLIENTS_MAX; i++) {
		if (!asks(&house_daemons[i], daemon))
			continue;
		clients[*n] = any;
		clients[(*n)++].daemon = house_daemons[i].name;
	}
	return clients;
}
