/* MAIL and RCPT. */
#include <stdio.h>
#include <stdlib.h>

#include "clients.h"
#include "commands.h"
#include "decide.h"
#include "log/words.h"
#include "lookupd.h"
#include "qmgr.h"
#include "restrict.h"
#include "smtp/command.h"

enum { TRANSACTION_BUDGET = 64 * 1024 };

static void begin(struct session *s, struct str sender, const struct command_mail *m)
{
	struct transaction *t = calloc(1, sizeof(*t));

	ASSERT(t);
	t->spool = -1;
	t->arena.budget = TRANSACTION_BUDGET;
	t->recipients_raw.limit = ENVELOPE_MAX;
	t->sender = arena_str(&t->arena, sender);
	t->declared = m->has_size ? m->size : 0;
	t->flags = m->body == BODY_8BITMIME ? MAIL_8BIT : 0;
	s->mail = t;
	s->state = ST_MAIL;
	s->junk = 0;
}

static void refuse_sender(struct session *s, struct reply r)
{
	session_log_reject(s, "MAIL", r, STR(""));
	session_reset(s);
	session_reply(s, r);
}

static void on_room(struct session *s, struct reply r)
{
	if (r.code != 250)
		refuse_sender(s, r);
	else
		session_reply(s, REPLY(250, 2, 1, 0, "Ok"));
}

static void on_sender(struct session *s, struct reply r)
{
	if (r.code != 250)
		refuse_sender(s, r);
	else if (s->mail->declared > INLINE_MAX)
		qmgr_room(s, s->mail->declared, on_room);
	else
		session_reply(s, REPLY(250, 2, 1, 0, "Ok"));
}

/* From the world any sender may come; our own users answer for theirs. */
static struct reply check_sender(struct session *s)
{
	if (s->login[0])
		lookupd_sender(s, on_sender);
	else if (s->mail->declared > INLINE_MAX)
		qmgr_room(s, s->mail->declared, on_room);
	else
		return REPLY(250, 2, 1, 0, "Ok");
	return (struct reply){ 0 };
}

static void on_sender_allowed(struct session *s, struct reply r)
{
	if (r.code)
		session_reset(s);
	else
		r = check_sender(s);
	if (r.code)
		session_reply(s, r);
}

struct reply cmd_mail(struct session *s, struct str args)
{
	struct command_mail m;
	struct reply why = { 0 };
	scoped_buf struct buf sender = { 0 };

	if (!command_mail_parse(args, &m, &why))
		return why;
	if (!clients_event(s, CLIENT_MESSAGE))
		return reply_make(450, 4, 7, 1, "Error: too much mail from %s", s->address);
	if (m.has_size && (why = decide_size(session_conf(s), m.size)).code)
		return why;
	path_canonical(&m.from, &sender);
	begin(s, buf_str(&sender), &m);
	if (!restrict_wanted(s, STAGE_MAIL))
		return check_sender(s);
	restrict_run(s, STAGE_MAIL, on_sender_allowed);
	return (struct reply){ 0 };
}

static struct reply add_recipient(struct session *s, struct str recipient)
{
	struct transaction *t = s->mail;

	if (!strs_add(&t->recipients_raw, &t->recipients, recipient))
		return REPLY(452, 4, 5, 3, "Error: too many recipients");
	if (t->recipients.n == 1 && s->login[0])
		log_line(&s->smtpd->run->log, LOG_DETAIL, WORDS_CLIENT_LOGIN, LOG_ARG(str_from(t->id)), s->client,
			 s->method, LOG_ARG(str_from(s->login)));
	else if (t->recipients.n == 1)
		log_line(&s->smtpd->run->log, LOG_DETAIL, WORDS_CLIENT, LOG_ARG(str_from(t->id)), s->client);
	s->state = ST_RCPT;
	return REPLY(250, 2, 1, 5, "Ok");
}

static void on_id(struct session *s, struct reply r)
{
	if (r.code == 250)
		r = add_recipient(s, str_from(s->pending));
	session_reply(s, r);
}

static void on_recipient(struct session *s, struct reply r)
{
	if (r.code != 250) {
		session_log_reject(s, "RCPT", r, str_from(s->pending));
		session_reply(s, r);
		return;
	}
	if (!s->mail->id[0] && !qmgr_take_id(s->smtpd, s->mail)) {
		qmgr_ask_id(s, on_id);
		return;
	}
	session_reply(s, add_recipient(s, str_from(s->pending)));
}

static void on_recipient_allowed(struct session *s, struct reply r)
{
	if (r.code)
		session_reply(s, r);
	else
		lookupd_recipient(s, on_recipient);
}

struct reply cmd_rcpt(struct session *s, struct str args)
{
	struct path path;
	struct reply why = { 0 };
	scoped_buf struct buf recipient = { 0 };

	if (!command_rcpt_parse(args, &path, &why))
		return why;
	if (s->mail->recipients.n >= (uint64_t)session_conf(s)->smtpd_recipient_limit)
		return REPLY(452, 4, 5, 3, "Error: too many recipients");
	if (!clients_event(s, CLIENT_RECIPIENT))
		return reply_make(450, 4, 7, 1, "Error: too many recipients from %s", s->address);
	path_canonical(&path, &recipient);
	snprintf(s->pending, sizeof(s->pending), "%.*s", STR_ARG(buf_str(&recipient)));
	if (restrict_wanted(s, STAGE_RCPT))
		restrict_run(s, STAGE_RCPT, on_recipient_allowed);
	else
		lookupd_recipient(s, on_recipient);
	return (struct reply){ 0 };
}
