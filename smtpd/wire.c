#include "wire.h"

#include <stdio.h>

#include "commands.h"
#include "log/words.h"

/* The end of a line lies behind `used`: was it CR LF? */
static bool ends_in_crlf(struct str input, size_t used)
{
	return used >= 2 && input.p[used - 2] == '\r';
}

static bool has_nul(struct str line)
{
	return str_find(line, '\0') >= 0;
}

static struct reply run_line(struct session *s, struct str line, bool crlf)
{
	if (!crlf)
		return REPLY(500, 5, 5, 2, "Error: a command line ends in <CR><LF>");
	if (has_nul(line))
		return REPLY(500, 5, 5, 2, "Error: NUL octet in a command");
	if (s->state == ST_AUTH)
		return auth_line(s, line);
	return command_dispatch(s, line);
}

/* One command line; false: there is none yet. */
static bool take_line(struct session *s)
{
	size_t most = s->state == ST_AUTH ? AUTH_LINE_MAX : COMMAND_MAX, used;
	struct str line;

	switch (stream_line(&s->stream, most, &line, &used)) {
	case LINE_NONE: return false;
	case LINE_TOO_LONG:
		session_close(s, REPLY(500, 5, 5, 2, "Error: command line too long"));
		return false;
	case LINE_WHOLE: break;
	}
	struct reply r = run_line(s, line, ends_in_crlf(stream_input(&s->stream), used));
	if (s->stream.fd >= 0 && !s->tls_started_now)
		stream_consume(&s->stream, used);
	s->tls_started_now = false;
	if (r.code)
		session_reply(s, r);
	return true;
}

static void on_input(void *arg)
{
	struct session *s = arg;

	if (s->tls && !s->tls_logged)
		session_log_tls(s);
	while (!s->busy && !s->closing && stream_input(&s->stream).n > 0) {
		if (s->state == ST_DATA) {
			stream_consume(&s->stream, data_input(s, stream_input(&s->stream)));
			stream_deadline(&s->stream, session_conf(s)->smtpd_timeout);
		} else if (!take_line(s)) {
			break;
		}
	}
	if (s->busy)
		stream_pause(&s->stream);
}

static void on_ended(void *arg, enum stream_end how)
{
	struct session *s = arg;
	const char *after = s->state == ST_DATA ? "DATA" : s->last_verb[0] ? s->last_verb : "CONNECT";

	if (how == STREAM_TIMEOUT) {
		log_line(&s->smtpd->run->log, LOG_DETAIL, WORDS_TIMEOUT, after, s->client);
		session_close(s, REPLY(421, 4, 4, 2, "Error: timeout exceeded"));
		return;
	}
	if (s->tls && !s->tls_logged)
		session_log_tls(s);
	else if (strcmp(after, "QUIT") != 0)
		log_line(&s->smtpd->run->log, LOG_DETAIL, WORDS_LOST, after, s->client);
	session_close(s, (struct reply){ 0 });
}

const struct stream_events wire_events = { .input = on_input, .ended = on_ended };
