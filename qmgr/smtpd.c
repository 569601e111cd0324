/* The side that takes mail in: smtpd's services ask for ids, room and spool files, and commit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "decide.h"
#include "intake.h"
#include "io/fd.h"

enum {
	IDS_A_QUESTION = 64,
	IDS_MOST = 20000, /* given and not used yet: every session of a service may hold one */
};

/* A commit that was not answered yet; it goes on when the client dies. */
struct ask {
	TAILQ_ENTRY(ask) in_client;
	struct client *client; /* NULL: gone */
	uint32_t serial;
};

struct client {
	struct client *next;
	struct qmgr *qmgr;
	struct channel *ch;
	struct table ids; /* given and not used: to ID_GIVEN or ID_SPOOLED */
	size_t n_spools, n_asks;
	TAILQ_HEAD(, ask) asks;
};

/* Values of a table must not be NULL: pointers to these. */
static const char id_given, id_spooled;
#define ID_GIVEN ((void *)(uintptr_t)&id_given)
#define ID_SPOOLED ((void *)(uintptr_t)&id_spooled)

static void joined(struct run *run, struct channel *ch)
{
	struct qmgr *q = run->state;
	struct client *c = calloc(1, sizeof(*c));

	ASSERT(c);
	c->qmgr = q;
	c->ch = ch;
	c->next = q->clients;
	TAILQ_INIT(&c->asks);
	q->clients = c;
	ch->arg = c;
}

static void discard_spools(struct client *c)
{
	struct queue_id id;
	struct str key;
	void *state;
	size_t at = 0;

	while (table_next(&c->ids, &at, &key, &state))
		if (state == ID_SPOOLED && queue_id_parse(key, &id))
			queue_tmp_discard(&c->qmgr->queue, &id);
}

static void left(struct run *run, struct channel *ch)
{
	struct qmgr *q = run->state;
	struct client *c = ch->arg, **at = &q->clients;
	struct ask *a;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	discard_spools(c);
	TAILQ_FOREACH(a, &c->asks, in_client)
	a->client = NULL;
	table_free(&c->ids);
	free(c);
}

static void on_ids(struct channel *ch, uint32_t serial, void *message)
{
	struct client *c = ch->arg;
	const struct queue_ids *m = message;
	struct queue_ids_answer answer = { 0 };
	scoped_buf struct buf list = { 0 };

	for (uint32_t i = 0; i < m->count && i < IDS_A_QUESTION && c->ids.n < IDS_MOST; i++) {
		struct queue_id id = queue_id_new(&c->qmgr->queue);
		table_set(&c->ids, queue_id_str(&id), ID_GIVEN);
		strs_add(&list, &answer.ids, queue_id_str(&id));
	}
	channel_answer(ch, serial, &queue_ids_answer_schema, &answer);
}

/* The enhanced status as text. */
static struct str status_of(const struct reply *r, char out[16])
{
	snprintf(out, 16, "%u.%u.%u", r->enh[0], r->enh[1], r->enh[2]);
	return str_from(out);
}

static struct reply room_for(const struct qmgr *q, uint64_t size)
{
	struct queue_space space;

	if (queue_space(&q->queue, &space) < 0)
		return decide_errno(errno);
	struct reply r = decide_room(&space, size, qmgr_conf(q));
	if (r.code == 452)
		log_line(&q->run->log, LOG_WARNING,
			 "warning: not enough free space in the queue: %llu bytes, %llu files",
			 (unsigned long long)space.bytes, (unsigned long long)space.inodes);
	return r.code ? r : REPLY(250, 2, 0, 0, "Ok");
}

static void on_room(struct channel *ch, uint32_t serial, void *message)
{
	struct client *c = ch->arg;
	const struct queue_room *m = message;
	char status[16];
	struct reply r = room_for(c->qmgr, m->size);

	channel_answer(ch, serial, &verdict_schema,
		       &(struct verdict){ (uint16_t)r.code, status_of(&r, status), str_from(r.text) });
}

static struct reply open_spool(struct client *c, struct str text, int *fd)
{
	struct qmgr *q = c->qmgr;
	struct queue_id id;

	if (!queue_id_parse(text, &id) || table_get(&c->ids, text) != ID_GIVEN)
		return REPLY(451, 4, 3, 0, "Not an id of this service");
	if (c->n_spools >= (size_t)qmgr_conf(q)->qmgr_client_spool_limit)
		return REPLY(452, 4, 3, 1, "Too many large messages at a time");
	struct reply r = room_for(q, 0);
	if (r.code != 250)
		return r;
	*fd = queue_tmp_create(&q->queue, &id);
	if (*fd < 0)
		return decide_errno(errno);
	table_set(&c->ids, text, ID_SPOOLED);
	c->n_spools++;
	return r;
}

static void on_spool_open(struct channel *ch, uint32_t serial, void *message)
{
	const struct spool_open *m = message;
	scoped_fd int fd = -1;
	char status[16];
	struct reply r = open_spool(ch->arg, m->queue_id, &fd);

	channel_answer(ch, serial, &spool_opened_schema,
		       &(struct spool_opened){ (uint16_t)r.code, status_of(&r, status), str_from(r.text), fd });
}

/* The id stays the client's, and may be used again. */
static void on_spool_drop(struct channel *ch, uint32_t serial, void *message)
{
	struct client *c = ch->arg;
	const struct spool_drop *m = message;
	struct queue_id id;

	(void)serial;
	if (!queue_id_parse(m->queue_id, &id) || table_get(&c->ids, m->queue_id) != ID_SPOOLED)
		return;
	queue_tmp_discard(&c->qmgr->queue, &id);
	table_set(&c->ids, m->queue_id, ID_GIVEN);
	c->n_spools--;
}

static void answer_commit(struct channel *ch, uint32_t serial, const struct reply *r)
{
	char status[16];

	channel_answer(ch, serial, &committed_schema,
		       &(struct committed){ (uint16_t)r->code, status_of(r, status), str_from(r->text) });
}

static void taken(void *arg, const struct intake *in, const struct reply *r)
{
	struct ask *a = arg;
	struct client *c = a->client;

	(void)in;
	if (c) {
		TAILQ_REMOVE(&c->asks, a, in_client);
		c->n_asks--;
		answer_commit(c->ch, a->serial, r);
	}
	free(a);
}

static void fill_env(struct env *env, const struct commit *m, const struct channel_peer *peer, struct arena *a)
{
	env->arrival_us = env->next_try_us = clock_wall_us();
	env->held = m->flags & MAIL_HOLD;
	env->sender = arena_str(a, m->sender);
	env->service = arena_str(a, str_from(peer->service));
	env->client_name = arena_str(a, m->client_name);
	env->client_address = arena_str(a, m->client_address);
	env->login = arena_str(a, m->login);
	env->flags = (m->flags & (MAIL_8BIT | MAIL_UTF8)) | peer->authority << AUTHORITY_SHIFT;
}

static void take(struct client *c, uint32_t serial, const struct commit *m, const struct queue_id *id)
{
	struct intake *in = intake_new(c->qmgr);
	struct ask *a = calloc(1, sizeof(*a));
	struct arena *arena = &in->work->arena;

	ASSERT(a);
	*a = (struct ask){ .client = c, .serial = serial };
	TAILQ_INSERT_TAIL(&c->asks, a, in_client);
	c->n_asks++;
	in->work->env.id = *id;
	fill_env(&in->work->env, m, &c->ch->peer, arena);
	in->authority = c->ch->peer.authority;
	in->given = (struct strs){ m->recipients.n, arena_str(arena, m->recipients.raw) };
	in->spooled = m->spooled;
	in->size = m->size;
	buf_reserve(&in->content, m->head.n + m->body.n);
	buf_add(&in->content, m->head);
	buf_add(&in->content, m->body);
	in->done = taken;
	in->arg = a;
	intake_start(in);
}

static struct reply check_id(struct client *c, const struct commit *m, struct queue_id *id)
{
	void *want = m->spooled ? ID_SPOOLED : ID_GIVEN;

	if (!queue_id_parse(m->queue_id, id) || table_get(&c->ids, m->queue_id) != want)
		return REPLY(451, 4, 3, 0, "Not an id of this service");
	return REPLY(250, 2, 0, 0, "Ok");
}

static struct reply check_commit(const struct client *c, const struct commit *m)
{
	if (c->n_asks >= (size_t)qmgr_conf(c->qmgr)->qmgr_client_commit_limit)
		return REPLY(452, 4, 3, 1, "Too many messages at a time");
	struct reply r = decide_commit(m, qmgr_conf(c->qmgr));
	return r.code ? r : room_for(c->qmgr, 0);
}

static void on_commit(struct channel *ch, uint32_t serial, void *message)
{
	struct client *c = ch->arg;
	const struct commit *m = message;
	struct queue_id id;
	struct reply r = check_id(c, m, &id);

	if (r.code == 250) {
		/* used up, whatever comes of it */
		table_remove(&c->ids, m->queue_id);
		c->n_spools -= m->spooled;
		r = check_commit(c, m);
		if (r.code != 250 && m->spooled)
			queue_tmp_discard(&c->qmgr->queue, &id);
	}
	if (r.code == 250) {
		take(c, serial, m, &id);
		return;
	}
	log_line(&c->qmgr->run->log, LOG_WARNING, "warning: %.*s: commit of %s refused: %d %s", LOG_ARG(m->queue_id),
		 ch->peer.service, r.code, r.text);
	answer_commit(ch, serial, &r);
}

static const struct ipc_handler handlers[] = {
	{ &queue_ids_schema, on_ids },	       { &queue_room_schema, on_room }, { &spool_open_schema, on_spool_open },
	{ &spool_drop_schema, on_spool_drop }, { &commit_schema, on_commit },
};

const struct daemon_client smtpd_client = { "smtpd", handlers, COUNT(handlers), joined, left };
