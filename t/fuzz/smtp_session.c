/*
 * A whole session of smtpd: the input is what the client sends, cut into pieces by its first octets. The peers answer
 * at once and by simple rules; what must hold: nothing crashes, replies are well-formed lines, and a message is
 * committed only with a sender, recipients and content without CR and NUL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/fd.h"
#include "smtpd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what lib/proc and lib/keys give a daemon, without a master ---- */

enum { QMGR, LOOKUPD, AUTHD, PEERS };
static struct channel asking[PEERS], answering[PEERS];

struct channel *run_server(struct run *run, const char *daemon)
{
	(void)run;
	return &asking[strcmp(daemon, "qmgr") == 0 ? QMGR : strcmp(daemon, "lookupd") == 0 ? LOOKUPD : AUTHD];
}

void run_drained(struct run *run)
{
	(void)run;
}

void run_resume_accept(struct run *run)
{
	(void)run;
}

/* ---- the peers ---- */

static void on_ids(struct channel *ch, uint32_t serial, void *message)
{
	struct queue_ids_answer a = { 0 };
	scoped_buf struct buf raw = { 0 };

	(void)message;
	for (int i = 0; i < 4; i++)
		strs_add(&raw, &a.ids, STR("0dZJ5Mf9qy9Cjwq1"));
	channel_answer(ch, serial, &queue_ids_answer_schema, &a);
}

static void on_yes(struct channel *ch, uint32_t serial, void *message)
{
	(void)message;
	channel_answer(ch, serial, &verdict_schema, &(struct verdict){ 250, STR("2.0.0"), STR("Ok") });
}

static void on_recipient(struct channel *ch, uint32_t serial, void *message)
{
	const struct check_recipient *m = message;
	bool yes = m->recipient.n % 5 != 0;
	struct verdict v = { yes ? 250 : 550, yes ? STR("2.0.0") : STR("5.1.1"), STR("verdict") };

	channel_answer(ch, serial, &verdict_schema, &v);
}

static void on_spool(struct channel *ch, uint32_t serial, void *message)
{
	FILE *f = tmpfile();
	struct spool_opened m = { 250, STR("2.0.0"), STR("Ok"), f ? fileno(f) : -1 };

	(void)message;
	channel_answer(ch, serial, &spool_opened_schema, &m);
	if (f)
		fclose(f);
}

static void on_drop(struct channel *ch, uint32_t serial, void *message)
{
	(void)ch, (void)serial, (void)message;
}

static void on_commit(struct channel *ch, uint32_t serial, void *message)
{
	const struct commit *m = message;

	if (m->recipients.n == 0 || str_find(m->body, '\r') >= 0 || str_find(m->body, '\0') >= 0 ||
	    str_find(m->head, '\r') >= 0 || m->sender.n > 320)
		abort();
	channel_answer(ch, serial, &committed_schema, &(struct committed){ 250, STR("2.0.0"), STR("Ok") });
}

static void on_login(struct channel *ch, uint32_t serial, void *message)
{
	const struct login *m = message;
	struct login_answer a = { .result = m->password.n % 2 ? LOGIN_OK : LOGIN_REFUSED, .user = STR("a@b.test") };

	channel_answer(ch, serial, &login_answer_schema, &a);
}

static const struct ipc_handler handlers[] = {
	{ &queue_ids_schema, on_ids },	   { &queue_room_schema, on_yes }, { &check_sender_schema, on_yes },
	{ &check_recipient_schema, on_recipient }, { &spool_open_schema, on_spool }, { &spool_drop_schema, on_drop },
	{ &commit_schema, on_commit },	   { &login_schema, on_login },
};

static void settle(struct loop *loop, int rounds)
{
	while (rounds-- > 0)
		loop_once(loop, 0);
}

/* Every reply is a line of digits and text that ends in CR LF. */
static void check_replies(int fd)
{
	static char text[1 << 20];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	struct str rest = str_of(text, n > 0 ? (size_t)n : 0);

	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');
		if (line.n < 4 || !ascii_digit(line.p[0]) || line.p[line.n - 1] != '\r' || str_find(line, '\0') >= 0)
			abort();
	}
}

static struct smtpd_conf conf = {
	.myhostname = { "mx.test", 7 }, .myorigin = { "test", 4 }, .smtpd_banner = { "mx.test ESMTP", 13 },
	.message_size_limit = 200000, .smtpd_timeout = 1000000, .smtpd_data_timeout = 1000000, .smtpd_recipient_limit = 50,
	.smtpd_hard_error_limit = 30, .smtpd_junk_command_limit = 50, .smtpd_client_connection_count_limit = 10,
	.smtpd_session_limit = 10, .smtpd_auth_limit = 5, .header_size_limit = 100000, .hopcount_limit = 50,
	.smtpd_sasl_auth_enable = true, .smtpd_tls_security_level = SMTPD_TLS_MAY,
};

static void talk(struct smtpd *smtpd, struct loop *loop, const uint8_t *data, size_t size)
{
	int pair[2], big = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	/* the first octets say where the stream is cut */
	size_t cut = (size_t)data[1] * 4 + data[2] + 1;
	conf.smtpd_service = data[0] % 3;
	data += 3;
	size -= 3;
	session_start(smtpd, pair[0], 0);
	for (size_t at = 0; at < size; at += cut) {
		size_t n = size - at < cut ? size - at : cut;
		if (send(pair[1], data + at, n, MSG_NOSIGNAL) < 0)
			break;
		settle(loop, cut > 100 ? 12 : 3);
		check_replies(pair[1]);
	}
	settle(loop, 20);
	check_replies(pair[1]);
	close(pair[1]);
	for (int i = 0; smtpd->sessions && i < 50; i++)
		settle(loop, 4);
	if (smtpd->sessions)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loop *loop = loop_new();
	struct run run = { .loop = loop, .conf = &conf, .confs = { &conf }, .n_confs = 1 };
	struct smtpd smtpd = { .run = &run };
	int log[2];

	if (size < 4 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, log) < 0) {
		loop_free(loop);
		return 0;
	}
	run.log.fd = log[0]; /* nobody reads it: lines are dropped, as with a logd that is behind */
	for (int i = 0; i < PEERS; i++) {
		int pair[2];
		if (channel_pair(pair) < 0)
			abort();
		channel_start(&asking[i], loop, pair[0], NULL, NULL, 0, NULL, NULL);
		channel_start(&answering[i], loop, pair[1], NULL, handlers, COUNT(handlers), NULL, NULL);
	}
	talk(&smtpd, loop, data, size);
	for (int i = 0; i < PEERS; i++) {
		channel_stop(&asking[i]);
		channel_stop(&answering[i]);
	}
	settle(loop, 4);
	table_free(&smtpd.clients);
	close(log[0]);
	close(log[1]);
	loop_free(loop);
	return 0;
}
