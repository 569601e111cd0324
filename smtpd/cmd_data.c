/* DATA: the message comes in, small ones in memory, large ones in a spool file, and is committed. */
#include <errno.h>
#include <stdio.h>

#include "base/time.h"
#include "commands.h"
#include "decide.h"
#include "io/fd.h"
#include "log/words.h"
#include "mail/trace.h"
#include "qmgr.h"
#include "restrict.h"

/* Who the client is, as the Received header tells it. */
static void tell_client(const struct session *s, struct trace_received *t)
{
	const struct smtpd_conf *conf = session_conf(s);

	if (s->login[0] && conf->smtpd_hide_client)
		return;
	t->helo = str_from(s->helo[0] ? s->helo : s->name);
	t->client_name = str_from(s->name);
	t->client_address = str_from(s->address);
}

static bool add_trace(struct session *s, struct buf *head)
{
	struct transaction *t = s->mail;
	struct tls_facts tls = { 0 };
	char date[DATE_MAX];
	size_t at = 0;
	struct trace_received r = {
		.login = str_from(s->login),
		.host = session_conf(s)->myhostname,
		.protocol = str_from(session_protocol(s)),
		.queue_id = str_from(t->id),
	};

	tell_client(s, &r);
	if (s->tls && tls_facts(&s->stream, &tls) && tls.done) {
		r.tls_protocol = str_from(tls.protocol);
		r.cipher = str_from(tls.cipher);
		r.bits = (unsigned)tls.bits;
		r.bits_most = (unsigned)tls.bits_most;
	}
	if (t->recipients.n == 1)
		strs_next(&t->recipients, &at, &r.rcpt);
	date_rfc5322(clock_wall_us(), date);
	r.date = str_from(date);
	if (trace_received(&r, head))
		return true;
	/* A name or address that has no place in a header is left out, not the message refused. */
	r.helo = STR("unknown");
	r.rcpt = r.login = STR("");
	return trace_received(&r, head);
}

static struct reply begin_data(struct session *s)
{
	struct transaction *t = s->mail;

	buf_add(&t->head, buf_str(&t->prepend));
	t->began_ms = clock_mono_ms();
	add_trace(s, &t->head);
	s->state = ST_DATA;
	return REPLY(354, 0, 0, 0, "End data with <CR><LF>.<CR><LF>");
}

static void on_allowed(struct session *s, struct reply r)
{
	session_reply(s, r.code ? r : begin_data(s));
}

struct reply cmd_data(struct session *s, struct str args)
{
	if (args.n > 0)
		return REPLY(501, 5, 5, 4, "Syntax: DATA");
	if (!restrict_wanted(s, STAGE_DATA))
		return begin_data(s);
	restrict_run(s, STAGE_DATA, on_allowed);
	return (struct reply){ 0 };
}

/* From our own users a message may lack what others must have (RFC 6409, 8). */
static void fix_header(struct session *s)
{
	struct transaction *t = s->mail;
	const struct smtpd_conf *conf = session_conf(s);
	bool ours = conf->smtpd_service == SMTPD_SUBMISSION || conf->smtpd_service == SMTPD_SENDMAIL;
	char text[DATE_MAX + SESSION_NAME_MAX];

	if (!ours || t->fixed)
		return;
	t->fixed = true;
	if (t->scan.count[HEADER_DATE] == 0) {
		date_rfc5322(clock_wall_us(), text);
		trace_date(str_from(text), &t->head);
	}
	if (t->scan.count[HEADER_MESSAGE_ID] == 0) {
		snprintf(text, sizeof(text), "%lld.%s", (long long)clock_wall_us(), t->id);
		trace_message_id(str_from(text), conf->myhostname, &t->head);
	}
	if (t->scan.count[HEADER_FROM] == 0 && t->sender.n > 0)
		buf_addf(&t->head, "From: <%.*s>\n", STR_ARG(t->sender));
}

static void finish(struct session *s, struct reply r)
{
	struct transaction *t = s->mail;

	if (r.code == 250) {
		s->messages++;
		r = reply_make(250, 2, 0, 0, "Ok: queued as %s", t->id);
	} else {
		log_line(&s->smtpd->run->log, LOG_NOTICE, "%s: reject: END-OF-MESSAGE from %s: %d %d.%d.%d %s; from=<%.*s>",
			 t->id, s->client, r.code, r.enh[0], r.enh[1], r.enh[2], r.text, LOG_ARG(t->sender));
	}
	uint32_t answers = session_conf(s)->smtpd_service == SMTPD_LMTP ? t->recipients.n : 1;
	session_reset(s);
	/* LMTP: an answer for each recipient (RFC 2033, 4.2); what was accepted here is accepted for all. */
	scoped_buf struct buf out = { 0 };
	for (; answers > 1; answers--)
		reply_write(&r, &out);
	stream_write(&s->stream, buf_str(&out));
	session_reply(s, r);
}

static void on_committed(struct session *s, struct reply r)
{
	finish(s, r);
}

static void write_spool(struct session *s, struct str bytes)
{
	struct transaction *t = s->mail;

	if (t->spool_failed || fd_write_all(t->spool, bytes) == 0) {
		t->written += bytes.n;
		return;
	}
	t->spool_failed = true;
	t->spool_reply = errno == ENOSPC || errno == EDQUOT || errno == EFBIG
				 ? REPLY(452, 4, 3, 1, "Insufficient system storage")
				 : REPLY(451, 4, 3, 0, "Error: queue file write error");
}

static void commit(struct session *s)
{
	struct transaction *t = s->mail;
	struct reply bad = decide_message(session_conf(s), &t->data, &t->scan);

	if (!bad.code && t->spool_failed)
		bad = t->spool_reply;
	if (bad.code)
		finish(s, bad);
	else if (t->discard)
		finish(s, REPLY(250, 2, 0, 0, ""));
	else
		qmgr_commit(s, on_committed);
}

static void on_spool(struct session *s, struct reply r)
{
	struct transaction *t = s->mail;

	if (r.code == 250) {
		write_spool(s, buf_str(&t->head));
		write_spool(s, buf_str(&t->body));
	} else {
		t->spool_failed = true;
		t->spool_reply = r;
	}
	buf_free(&t->body);
	if (t->ended) {
		commit(s);
		return;
	}
	s->busy = false;
	stream_deadline(&s->stream, session_conf(s)->smtpd_timeout);
	stream_resume(&s->stream);
}

/* What a commit carries beside head and body; the schema's own few octets are in COMMIT_MAX. */
static bool fits_commit(const struct transaction *t)
{
	return t->head.n + t->body.n + t->recipients_raw.n + t->sender.n + 4 * SESSION_NAME_MAX < COMMIT_MAX &&
	       t->body.n <= INLINE_MAX;
}

static void finish_data(struct session *s)
{
	struct transaction *t = s->mail;

	t->ended = true;
	header_scan_end(&t->scan);
	if (t->spool >= 0 || t->spool_failed) {
		commit(s);
		return;
	}
	fix_header(s);
	if (fits_commit(t) || decide_message(session_conf(s), &t->data, &t->scan).code)
		commit(s);
	else
		qmgr_open_spool(s, on_spool);
}

/* Takes the decoded octets of this chunk on: to the header scanner, and to the spool file once there is one. */
static void pass_on(struct session *s, size_t before)
{
	struct transaction *t = s->mail;

	header_scan(&t->scan, str_skip(buf_str(&t->body), before));
	if (t->spool >= 0 || t->spool_failed) {
		if (!t->spool_failed)
			write_spool(s, buf_str(&t->body));
		buf_reset(&t->body);
	}
}

size_t data_input(struct session *s, struct str wire)
{
	struct transaction *t = s->mail;
	const struct smtpd_conf *conf = session_conf(s);
	bool too_long = t->data.size > (uint64_t)conf->message_size_limit;
	size_t before = t->body.n;

	/* Over the limit nothing is kept; the client hears of it at the end of its data. */
	size_t used = data_decode(&t->data, wire, too_long ? NULL : &t->body);
	if (!too_long)
		pass_on(s, before);
	if (t->data.place == DATA_END) {
		finish_data(s);
		return used;
	}
	if (clock_mono_ms() - t->began_ms > conf->smtpd_data_timeout) {
		session_close(s, REPLY(421, 4, 4, 2, "Error: timeout exceeded"));
		return used;
	}
	if (t->spool < 0 && !t->spool_failed && !too_long && t->body.n > INLINE_MAX) {
		if (t->scan.stop != HEADER_GOES_ON)
			fix_header(s);
		qmgr_open_spool(s, on_spool);
	}
	return used;
}
