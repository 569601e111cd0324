#include "qmgr.h"

#include <stdio.h>

#include "io/fd.h"
#include "lookupd.h"

enum { QMGR_MS = 20000, COMMIT_MS = 5 * 60 * 1000, LOW_STOCK = 8 };

static struct channel *channel(struct smtpd *smtpd)
{
	return run_server(smtpd->run, "qmgr");
}

/* A qmgr that was started again refuses what the one before it gave. */
static void drop_stale_ids(struct smtpd *smtpd)
{
	if (smtpd->ids_from != channel(smtpd)->peer.pid)
		smtpd->n_ids = 0;
	smtpd->ids_from = channel(smtpd)->peer.pid;
}

static void stock_ids(struct smtpd *smtpd, const struct queue_ids_answer *a)
{
	size_t at = 0;
	struct str id;

	drop_stale_ids(smtpd);
	while (smtpd->n_ids < ID_STOCK && strs_next(&a->ids, &at, &id))
		if (id.n > 0 && id.n < ID_MAX)
			snprintf(smtpd->ids[smtpd->n_ids++], ID_MAX, "%.*s", STR_ARG(id));
}

static void on_stock(void *arg, enum call_result result, void *message)
{
	if (result == CALL_OK)
		stock_ids(arg, message);
}

void qmgr_fill_stock(struct smtpd *smtpd)
{
	struct queue_ids m = { .count = (uint32_t)(ID_STOCK - smtpd->n_ids) };

	if (m.count == 0 || call_is_out(&smtpd->ids_call))
		return;
	channel_call(channel(smtpd), &queue_ids_schema, &m, &queue_ids_answer_schema, QMGR_MS, &smtpd->ids_call, on_stock,
		     smtpd);
}

bool qmgr_take_id(struct smtpd *smtpd, struct transaction *t)
{
	drop_stale_ids(smtpd);
	if (smtpd->n_ids <= LOW_STOCK)
		qmgr_fill_stock(smtpd);
	if (smtpd->n_ids == 0)
		return false;
	memcpy(t->id, smtpd->ids[--smtpd->n_ids], ID_MAX);
	t->id_from = smtpd->ids_from;
	return true;
}

void qmgr_return_id(struct smtpd *smtpd, const struct transaction *t)
{
	if (t->id[0] && !t->spent && t->id_from == smtpd->ids_from && smtpd->n_ids < ID_STOCK)
		memcpy(smtpd->ids[smtpd->n_ids++], t->id, ID_MAX);
}

static const struct reply no_queue = REPLY(451, 4, 3, 0, "Error: queue file write error");

static void give_verdict(struct session *s, struct reply r)
{
	void (*then)(struct session *, struct reply) = s->then;

	s->then = NULL;
	then(s, r);
}

static void on_id(void *arg, enum call_result result, void *message)
{
	struct session *s = arg;

	if (result == CALL_OK)
		stock_ids(s->smtpd, message);
	bool got = qmgr_take_id(s->smtpd, s->mail);
	give_verdict(s, got ? REPLY(250, 2, 0, 0, "") : no_queue);
}

static void ask(struct session *s, const struct ipc_schema *schema, const void *m, const struct ipc_schema *answer,
		int64_t ms, void (*done)(void *, enum call_result, void *),
		void (*then)(struct session *s, struct reply verdict))
{
	s->then = then;
	session_busy(s);
	channel_call(channel(s->smtpd), schema, m, answer, ms, &s->call, done, s);
}

void qmgr_ask_id(struct session *s, void (*then)(struct session *s, struct reply verdict))
{
	ask(s, &queue_ids_schema, &(struct queue_ids){ .count = 2 }, &queue_ids_answer_schema, QMGR_MS, on_id, then);
}

static void on_room(void *arg, enum call_result result, void *message)
{
	const struct verdict *v = message;

	give_verdict(arg, result == CALL_OK ? lookupd_reply(v->code, v->status, v->text) : no_queue);
}

void qmgr_room(struct session *s, uint64_t size, void (*then)(struct session *s, struct reply verdict))
{
	ask(s, &queue_room_schema, &(struct queue_room){ .size = size }, &verdict_schema, QMGR_MS, on_room, then);
}

static void on_spool(void *arg, enum call_result result, void *message)
{
	struct session *s = arg;
	struct spool_opened *m = message;

	if (result != CALL_OK) {
		give_verdict(s, no_queue);
		return;
	}
	s->mail->spool = fd_take(&m->file);
	if (m->code == 250 && s->mail->spool < 0)
		give_verdict(s, no_queue);
	else
		give_verdict(s, lookupd_reply(m->code, m->status, m->text));
}

void qmgr_open_spool(struct session *s, void (*then)(struct session *s, struct reply verdict))
{
	ask(s, &spool_open_schema, &(struct spool_open){ .queue_id = str_from(s->mail->id) }, &spool_opened_schema, QMGR_MS,
	    on_spool, then);
}

void qmgr_drop_spool(struct session *s)
{
	channel_notify(channel(s->smtpd), &spool_drop_schema, &(struct spool_drop){ .queue_id = str_from(s->mail->id) });
}

static void on_committed(void *arg, enum call_result result, void *message)
{
	const struct committed *m = message;

	/* Without an answer nobody knows whether it is in the queue: the client keeps it, and may send it twice. */
	give_verdict(arg, result == CALL_OK ? lookupd_reply(m->code, m->status, m->text) : no_queue);
}

void qmgr_commit(struct session *s, void (*then)(struct session *s, struct reply verdict))
{
	struct transaction *t = s->mail;
	bool spooled = t->spool >= 0;
	struct commit m = {
		.queue_id = str_from(t->id),
		.sender = t->sender,
		.recipients = t->recipients,
		.flags = t->flags | (t->hold ? MAIL_HOLD : 0),
		.client_name = str_from(s->name),
		.client_address = str_from(s->address),
		.helo = str_from(s->helo),
		.protocol = str_from(session_protocol(s)),
		.login = str_from(s->login),
		.spooled = spooled,
		.size = spooled ? t->written : t->head.n + t->body.n,
		.head = spooled ? STR("") : buf_str(&t->head),
		.body = spooled ? STR("") : buf_str(&t->body),
	};

	/* qmgr takes the file only when no writer is left. */
	fd_close(&t->spool);
	t->spent = true;
	ask(s, &commit_schema, &m, &committed_schema, COMMIT_MS, on_committed, then);
}
