#include "talk/peers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fd.h"

static const char *const names[] = { "qmgr", "lookupd", "authd", "resolverd" };

/* keyd is asked before the daemon is ready: a process of its own answers that there is no certificate. */
static pid_t fork_keyd(int fd)
{
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	int got[IPC_FDS_MAX];
	size_t n;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (frame_receive(fd, &frame, &head, &payload, got, &n) > 0)
		frame_send(fd, &key_chain_answer_schema, true, head.serial, &(struct key_chain_answer){ .found = false });
	_exit(0);
}

void peers_begin(struct peers *p, struct harness *h)
{
	*p = (struct peers){ .harness = h, .spool = -1 };
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(p->list[i].name, sizeof(p->list[i].name), "%s", names[i]);
		p->list[i].fd = harness_server(h, names[i]);
		p->n++;
	}
	int keyd = harness_server(h, "keyd");
	p->keyd = fork_keyd(keyd);
	close(keyd);
}

static const struct rule *find_rule(const struct peers *p, const char *kind, struct str text)
{
	char word[512];

	snprintf(word, sizeof(word), "%.*s", STR_ARG(text));
	for (size_t i = 0; i < p->n_rules; i++)
		if (strcmp(p->rules[i].kind, kind) == 0 && fnmatch(p->rules[i].pattern, word, 0) == 0)
			return &p->rules[i];
	return NULL;
}

static void send_verdict(const struct peers *p, int fd, uint32_t serial, const char *kind, struct str text)
{
	const struct rule *r = find_rule(p, kind, text);
	struct verdict v = { .code = 250, .status = STR("2.0.0"), .text = STR("Ok") };

	if (r)
		v = (struct verdict){ (uint16_t)r->code, str_from(r->status), str_from(r->text) };
	frame_send(fd, &verdict_schema, true, serial, &v);
}

static void send_ids(struct peers *p, int fd, uint32_t serial, uint32_t count)
{
	struct queue_ids_answer a = { 0 };
	scoped_buf struct buf raw = { 0 };
	char id[32];

	for (uint32_t i = 0; i < count; i++) {
		int n = snprintf(id, sizeof(id), "TESTID%010u", ++p->ids);
		strs_add(&raw, &a.ids, str_of(id, (size_t)n));
	}
	frame_send(fd, &queue_ids_answer_schema, true, serial, &a);
}

static void send_spool(struct peers *p, int fd, uint32_t serial)
{
	char name[] = "/tmp/tayori-talk.XXXXXX";
	const struct rule *r = find_rule(p, "spool", STR("file"));
	struct spool_opened m = { .code = 250, .status = STR("2.0.0"), .file = -1 };

	if (r)
		m = (struct spool_opened){ (uint16_t)r->code, str_from(r->status), str_from(r->text), -1 };
	else if ((m.file = mkstemp(name)) >= 0)
		unlink(name);
	frame_send(fd, &spool_opened_schema, true, serial, &m);
	fd_close(&p->spool);
	p->spool = m.file;
}

static void keep(struct buf *b, struct str s)
{
	buf_reset(b);
	buf_add(b, s);
}

static void take_commit(struct peers *p, int fd, uint32_t serial, const struct commit *m)
{
	const struct rule *r = find_rule(p, "commit", m->sender);
	struct committed done = { .code = 250, .status = STR("2.0.0"), .text = STR("Ok") };
	size_t at = 0;
	struct str s;

	p->committed = true;
	keep(&p->sender, m->sender);
	keep(&p->login, m->login);
	keep(&p->head, m->head);
	keep(&p->body, m->body);
	buf_reset(&p->flags);
	buf_addf(&p->flags, "%u", m->flags);
	buf_reset(&p->recipients);
	while (strs_next(&m->recipients, &at, &s))
		buf_addf(&p->recipients, "%s%.*s", p->recipients.n ? "," : "", STR_ARG(s));
	if (m->spooled && p->spool >= 0) {
		buf_reset(&p->body);
		lseek(p->spool, 0, SEEK_SET);
		fd_read_rest(p->spool, &p->body);
	}
	if (r)
		done = (struct committed){ (uint16_t)r->code, str_from(r->status), str_from(r->text) };
	frame_send(fd, &committed_schema, true, serial, &done);
}

static void check_login(const struct peers *p, int fd, uint32_t serial, const struct login *m)
{
	scoped_buf struct buf both = { 0 };
	struct login_answer a = { .result = LOGIN_REFUSED, .why = STR("wrong password") };

	buf_addf(&both, "%.*s/%.*s", STR_ARG(m->user), STR_ARG(m->password));
	const struct rule *r = find_rule(p, "login", buf_str(&both));
	if (r && r->code == 250) {
		a.result = LOGIN_OK;
		a.user = str_from(r->text);
	} else if (r && r->code == 451) {
		a.result = LOGIN_LATER;
	} else if (r) {
		a.delay_ms = (uint32_t)r->code;
	}
	frame_send(fd, &login_answer_schema, true, serial, &a);
}

/* "rule dns NAME/TYPE 250 - 127.0.0.2" (or text): found; 451: no answer now; without a rule there is no such name. */
static void send_dns(const struct peers *p, int fd, uint32_t serial, const struct dns_ask *m)
{
	scoped_buf struct buf key = { 0 }, raw = { 0 };
	struct dns_answer a = { .result = DNS_NO_NAME };
	char octets[4];

	buf_addf(&key, "%.*s/%u", STR_ARG(m->name), m->type);
	const struct rule *r = find_rule(p, "dns", buf_str(&key));
	if (r)
		a.result = r->code == 250 ? DNS_FOUND : DNS_FAILED;
	if (a.result == DNS_FOUND)
		strs_add(&raw, &a.records,
			 inet_pton(AF_INET, r->text, octets) == 1 ? str_of(octets, 4) : str_from(r->text));
	frame_send(fd, &dns_answer_schema, true, serial, &a);
}

/* "rule access WHAT 250 - ROW", WHAT a host's name or an address; 451: trouble; without a rule there is no row. */
static void send_row(const struct peers *p, int fd, uint32_t serial, const struct check_access *m)
{
	const struct rule *r = find_rule(p, "access", m->name.n > 0 ? m->name : m->address);
	struct access_answer a = { .result = ACCESS_NO_ROW };

	if (r && r->code == 250)
		a = (struct access_answer){ ACCESS_ROW, str_from(r->text) };
	else if (r)
		a.result = ACCESS_TROUBLE;
	frame_send(fd, &access_answer_schema, true, serial, &a);
}

static void answer(struct peers *p, int fd, const struct frame_head *head, struct str payload)
{
	union {
		struct queue_ids ids;
		struct queue_room room;
		struct commit commit;
		struct login login;
		struct check_sender sender;
		struct check_recipient recipient;
		struct check_address address;
		struct check_access access;
		struct dns_ask dns;
	} m;
	int none[1];

	if (head->type == queue_ids_schema.type && ipc_decode(&queue_ids_schema, payload, none, 0, &m))
		send_ids(p, fd, head->serial, m.ids.count);
	else if (head->type == queue_room_schema.type)
		send_verdict(p, fd, head->serial, "room", STR("room"));
	else if (head->type == spool_open_schema.type)
		send_spool(p, fd, head->serial);
	else if (head->type == commit_schema.type && ipc_decode(&commit_schema, payload, none, 0, &m))
		take_commit(p, fd, head->serial, &m.commit);
	else if (head->type == login_schema.type && ipc_decode(&login_schema, payload, none, 0, &m))
		check_login(p, fd, head->serial, &m.login);
	else if (head->type == check_sender_schema.type && ipc_decode(&check_sender_schema, payload, none, 0, &m))
		send_verdict(p, fd, head->serial, "sender", m.sender.sender);
	else if (head->type == check_recipient_schema.type && ipc_decode(&check_recipient_schema, payload, none, 0, &m))
		send_verdict(p, fd, head->serial, "recipient", m.recipient.recipient);
	else if (head->type == check_address_schema.type && ipc_decode(&check_address_schema, payload, none, 0, &m))
		send_verdict(p, fd, head->serial, "address", m.address.address);
	else if (head->type == check_access_schema.type && ipc_decode(&check_access_schema, payload, none, 0, &m))
		send_row(p, fd, head->serial, &m.access);
	else if (head->type == dns_ask_schema.type && ipc_decode(&dns_ask_schema, payload, none, 0, &m))
		send_dns(p, fd, head->serial, &m.dns);
}

bool peers_serve(struct peers *p, int more_fd, int64_t ms)
{
	struct pollfd fds[PEERS_MAX + 1];
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	int got[IPC_FDS_MAX];
	size_t n_got;

	for (size_t i = 0; i < p->n; i++)
		fds[i] = (struct pollfd){ .fd = p->list[i].fd, .events = POLLIN };
	fds[p->n] = (struct pollfd){ .fd = more_fd, .events = POLLIN };
	if (poll(fds, p->n + 1, (int)ms) <= 0)
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (!fds[i].revents)
			continue;
		if (frame_receive(p->list[i].fd, &frame, &head, &payload, got, &n_got) <= 0) {
			fd_close(&p->list[i].fd);
			continue;
		}
		p->list[i].asked++;
		if (!p->list[i].mute)
			answer(p, p->list[i].fd, &head, payload);
		frame_close_fds(got, n_got);
	}
	return true;
}

void peers_restart(struct peers *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->list[i].name, name) == 0) {
			fd_close(&p->list[i].fd);
			p->list[i].fd = harness_server(p->harness, name);
			p->list[i].mute = false;
		}
}

bool peers_asked(struct peers *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->list[i].name, name) == 0 && p->list[i].asked) {
			p->list[i].asked = 0;
			return true;
		}
	return false;
}

void peers_mute(struct peers *p, const char *name, bool mute)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->list[i].name, name) == 0) {
			p->list[i].mute = mute;
			p->list[i].asked = 0;
		}
}

void peers_end(struct peers *p)
{
	kill(p->keyd, SIGKILL);
	waitpid(p->keyd, NULL, 0);
	for (size_t i = 0; i < p->n; i++)
		fd_close(&p->list[i].fd);
	fd_close(&p->spool);
	buf_free(&p->sender);
	buf_free(&p->recipients);
	buf_free(&p->head);
	buf_free(&p->body);
	buf_free(&p->login);
	buf_free(&p->flags);
}
