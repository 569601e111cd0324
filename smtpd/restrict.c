#include "restrict.h"

#include <stdio.h>
#include <stdlib.h>

#include "log/words.h"
#include "lookupd.h"
#include "smtp/checks.h"

enum { LOOKUPD_MS = 20000, DNS_MS = 5000 };

struct restrictions {
	unsigned uses;
	struct arena arena;
	bool delay;
	struct restrict_program lists[RESTRICT_LISTS];
};

/* A session on its way. */
struct way {
	struct checks checks;
	struct restrictions *lists;
	enum stage stage;
	bool input_waits, asked_again;
	enum checks_next asking;
	struct check_ask ask;
	void (*then)(struct session *s, struct reply r);
};

/* ---- lists ---- */

static void release(struct restrictions *r)
{
	if (!r || --r->uses > 0)
		return;
	arena_free(&r->arena);
	free(r);
}

static bool parse_all(struct restrictions *r, const struct smtpd_conf *conf, struct err *err)
{
	const struct str texts[RESTRICT_LISTS] = {
		[RESTRICT_CLIENT] = conf->smtpd_client_restrictions,
		[RESTRICT_HELO] = conf->smtpd_helo_restrictions,
		[RESTRICT_SENDER] = conf->smtpd_sender_restrictions,
		[RESTRICT_RELAY] = conf->smtpd_relay_restrictions,
		[RESTRICT_RECIPIENT] = conf->smtpd_recipient_restrictions,
		[RESTRICT_DATA] = conf->smtpd_data_restrictions,
	};

	r->delay = conf->smtpd_delay_reject;
	/* sendmail(1) is no client of the world: as in Postfix, where it does not come through smtpd */
	for (unsigned i = 0; i < RESTRICT_LISTS && conf->smtpd_service != SMTPD_SENDMAIL; i++)
		if (!restrict_parse(texts[i], i, true, &r->arena, &r->lists[i], err))
			return false;
	return true;
}

bool restrict_load(struct smtpd *smtpd, struct err *err)
{
	for (unsigned i = 0; i < smtpd->run->n_confs; i++) {
		struct restrictions *r = calloc(1, sizeof(*r));
		ASSERT(r);
		r->uses = 1;
		if (!parse_all(r, run_conf(smtpd->run, i), err)) {
			release(r);
			return false;
		}
		release(smtpd->restrictions[i]);
		smtpd->restrictions[i] = r;
	}
	return true;
}

/* Which lists have their turn. */
static unsigned turn(const struct session *s, const struct restrictions *r, enum stage stage)
{
	static const unsigned now[2][STAGES] = {
		{ [STAGE_HELO] = 1 << RESTRICT_CLIENT | 1 << RESTRICT_HELO,
		  [STAGE_MAIL] = 1 << RESTRICT_SENDER,
		  [STAGE_RCPT] = 1 << RESTRICT_RELAY | 1 << RESTRICT_RECIPIENT,
		  [STAGE_DATA] = 1 << RESTRICT_DATA },
		{ [STAGE_RCPT] = 1 << RESTRICT_CLIENT | 1 << RESTRICT_HELO | 1 << RESTRICT_SENDER |
				 1 << RESTRICT_RELAY | 1 << RESTRICT_RECIPIENT,
		  [STAGE_DATA] = 1 << RESTRICT_DATA },
	};
	bool greeted = s->helo[0] != 0;

	return now[r->delay][stage] | (stage == STAGE_MAIL && !r->delay && !greeted ? 1u << RESTRICT_CLIENT : 0);
}

bool restrict_wanted(const struct session *s, enum stage stage)
{
	const struct restrictions *r = s->smtpd->restrictions[s->service];
	unsigned mask = r ? turn(s, r, stage) : 0;

	for (unsigned i = 0; i < RESTRICT_LISTS; i++)
		if (mask & 1u << i && r->lists[i].n > 0)
			return true;
	return false;
}

/* ---- the way ---- */

void restrict_end(struct session *s)
{
	struct way *w = s->way;

	if (!w)
		return;
	checks_end(&w->checks);
	release(w->lists);
	free(w);
	s->way = NULL;
}

static const char *stage_name(const struct session *s, enum stage stage)
{
	static const char *const names[] = { [STAGE_MAIL] = "MAIL", [STAGE_RCPT] = "RCPT", [STAGE_DATA] = "DATA" };

	return stage == STAGE_HELO ? s->last_verb : names[stage];
}

static struct str recipient_of(const struct session *s, enum stage stage)
{
	size_t at = 0;
	struct str only = STR("");

	if (stage == STAGE_RCPT)
		return str_from(s->pending);
	/* of several recipients none is the one */
	if (stage == STAGE_DATA && s->mail->recipients.n == 1)
		strs_next(&s->mail->recipients, &at, &only);
	return only;
}

static void note(void *arg, const char *word, struct str text)
{
	struct session *s = arg;
	enum stage stage = s->way->stage;

	log_line(&s->smtpd->run->log, LOG_NOTICE, WORDS_RESTRICTION,
		 s->mail && s->mail->id[0] ? s->mail->id : "NOQUEUE", word, stage_name(s, stage), s->client,
		 LOG_ARG(text), LOG_ARG(s->mail ? s->mail->sender : STR("")), LOG_ARG(recipient_of(s, stage)),
		 session_protocol(s), LOG_ARG(str_from(s->helo)));
}

static struct check_facts facts_of(struct session *s)
{
	enum stage stage = s->way->stage;
	struct str recipient = recipient_of(s, stage);

	return (struct check_facts){
		.client = str_from(s->client),
		.name = str_from(s->name),
		.address = str_from(s->address),
		.reverse = str_from(s->candidate),
		.helo = str_from(s->helo),
		.sender = s->mail ? s->mail->sender : STR(""),
		.recipient = recipient,
		.login = str_from(s->login),
		.has_sender = s->mail != NULL,
		.has_recipient = recipient.n > 0,
		.esmtp = s->esmtp,
		.at_data = stage == STAGE_DATA,
		.input_waits = s->way->input_waits,
		.mynetworks = session_conf(s)->mynetworks,
		.note = note,
		.arg = s,
	};
}

/* What it has decided about the message goes with the message. */
static void take_outcome(struct transaction *t, const struct checks *c)
{
	t->discard = t->discard || c->discard;
	t->hold = t->hold || c->hold;
	for (struct str rest = buf_str(&c->prepend); rest.n > 0;) {
		struct str field = str_cut(&rest, '\n'), have = buf_str(&t->prepend);
		bool there = false;
		while (have.n > 0)
			there = str_eq(str_cut(&have, '\n'), field) || there;
		if (!there && t->prepend.n + field.n < CHECKS_PREPEND_MAX)
			buf_addf(&t->prepend, "%.*s\n", STR_ARG(field));
	}
}

static void arrive(struct session *s)
{
	struct way *w = s->way;
	void (*then)(struct session *, struct reply) = w->then;
	struct reply r = w->checks.reply;

	if (r.code)
		session_log_reject(s, stage_name(s, w->stage), r, recipient_of(s, w->stage));
	else if (s->mail)
		take_outcome(s->mail, &w->checks);
	restrict_end(s);
	if (r.code == 421 || r.code == 521)
		session_close(s, r);
	else
		then(s, r);
}

static void ask(struct session *s);

static void go_on(struct session *s, const struct check_answer *answer)
{
	struct way *w = s->way;
	struct check_facts f = facts_of(s);

	w->asked_again = false;
	w->asking = checks_next(&w->checks, &f, answer, &w->ask);
	if (w->asking == CHECKS_DONE)
		arrive(s);
	else
		ask(s);
}

/* ---- questions ---- */

/* It died over the question, or before it read it: its successor is asked, once. */
static bool asks_again(struct session *s, enum call_result result)
{
	if (result != CALL_BROKEN || s->way->asked_again)
		return false;
	s->way->asked_again = true;
	ask(s);
	return true;
}

static void on_row(void *arg, enum call_result result, void *message)
{
	struct session *s = arg;
	const struct access_answer *m = message;
	struct check_answer a = { .found = CHECK_TROUBLE };

	if (asks_again(s, result))
		return;
	if (result == CALL_OK && m->result == ACCESS_ROW)
		a = (struct check_answer){ .found = CHECK_FOUND, .value = m->value };
	else if (result == CALL_OK && m->result == ACCESS_NO_ROW)
		a.found = CHECK_NOTHING;
	go_on(s, &a);
}

static void on_verdict(void *arg, enum call_result result, void *message)
{
	struct session *s = arg;
	const struct verdict *m = message;
	struct check_answer a = { .verdict = REPLY(451, 4, 3, 0, "Error: address lookup failed, try again later") };

	if (asks_again(s, result))
		return;
	if (result == CALL_OK)
		a.verdict = lookupd_reply(m->code, m->status, m->text);
	go_on(s, &a);
}

static void on_dns(void *arg, const struct dns_reply *r)
{
	static const enum check_found found[] = { [DNS_FOUND] = CHECK_FOUND,
						  [DNS_NO_DATA] = CHECK_NOTHING,
						  [DNS_NO_NAME] = CHECK_NO_NAME,
						  [DNS_FAILED] = CHECK_TROUBLE };
	struct session *s = arg;
	struct check_answer a = { .found = r->result <= DNS_FAILED ? found[r->result] : CHECK_TROUBLE };
	size_t at = 0;

	if (s->closing)
		return;
	while (a.n_records < CHECKS_RECORDS_MAX && strs_next(&r->records, &at, &a.records[a.n_records]))
		a.n_records++;
	go_on(s, &a);
}

static void call_lookupd(struct session *s, const struct ipc_schema *schema, const void *m,
			 const struct ipc_schema *answer, void (*done)(void *, enum call_result, void *))
{
	channel_call(run_server(s->smtpd->run, "lookupd"), schema, m, answer, LOOKUPD_MS, &s->call, done, s);
}

static void ask(struct session *s)
{
	const struct check_ask *a = &s->way->ask;

	session_busy(s);
	switch (s->way->asking) {
	case CHECKS_ASK_TABLE: {
		struct check_access m = {
			.table = a->table, .kind = (uint8_t)a->kind, .name = a->name, .address = a->address
		};
		call_lookupd(s, &check_access_schema, &m, &access_answer_schema, on_row);
		return;
	}
	case CHECKS_ASK_ADDRESS: {
		struct check_address m = { .what = (uint8_t)a->what, .address = a->address };
		call_lookupd(s, &check_address_schema, &m, &verdict_schema, on_verdict);
		return;
	}
	case CHECKS_ASK_LOGIN: {
		struct check_sender m = { .client = str_from(s->address),
					  .login = str_from(s->login),
					  .sender = s->mail->sender };
		call_lookupd(s, &check_sender_schema, &m, &verdict_schema, on_verdict);
		return;
	}
	default: dns_ask(&s->dns, run_server(s->smtpd->run, "resolverd"), a->name, a->type, DNS_MS, on_dns, s);
	}
}

/* The line that is being answered is in the buffer still, and ends with its first LF. */
static bool input_waits(struct session *s)
{
	struct str input = stream_input(&s->stream);

	return str_find(input, '\n') >= 0 && (size_t)str_find(input, '\n') + 1 < input.n;
}

void restrict_run(struct session *s, enum stage stage, void (*then)(struct session *s, struct reply r))
{
	struct restrictions *r = s->smtpd->restrictions[s->service];
	const struct restrict_program *lists[RESTRICT_LISTS] = { 0 };
	struct way *w = calloc(1, sizeof(*w));
	unsigned mask = turn(s, r, stage);

	ASSERT(w);
	*w = (struct way){ .lists = r, .stage = stage, .then = then, .input_waits = input_waits(s) };
	r->uses++;
	for (unsigned i = 0; i < RESTRICT_LISTS; i++)
		if (mask & 1u << i)
			lists[i] = &r->lists[i];
	checks_begin(&w->checks, lists);
	s->way = w;
	go_on(s, NULL);
}
