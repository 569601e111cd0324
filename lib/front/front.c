#include "front/front.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "front/inner.h"
#include "io/fd.h"
#include "log/words.h"

enum { DRAIN_GRACE_MS = 1000 };

struct address {
	unsigned conns;
};

struct front_rules front_rules(const struct front_conn *c)
{
	return c->front->protocol->rules(run_conf(c->front->run, c->service));
}

void front_write(struct front_conn *c, const char *text)
{
	stream_write(&c->stream, str_from(text));
}

bool front_offers_tls(const struct front_conn *c)
{
	return c->front->keys.server && !c->tls && front_rules(c).tls != FRONT_TLS_NONE;
}

bool front_may_login(const struct front_conn *c)
{
	struct front_rules r = front_rules(c);

	return c->tls || (!r.tls_auth_only && r.tls != FRONT_TLS_REQUIRED);
}

static void name_client(struct front_conn *c, int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);

	getpeername(fd, (struct sockaddr *)&a, &n);
	if (a.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, c->address, sizeof(c->address));
	else if (a.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, c->address, sizeof(c->address));
	else
		snprintf(c->address, sizeof(c->address), "local");
	snprintf(c->client, sizeof(c->client), "unknown[%s]", c->address);
}

static unsigned count_address(struct front_conn *c)
{
	struct address *a = table_get(&c->front->addresses, str_from(c->address));

	if (!a) {
		a = calloc(1, sizeof(*a));
		ASSERT(a);
		table_set(&c->front->addresses, str_from(c->address), a);
	}
	return ++a->conns;
}

static void uncount_address(struct front_conn *c)
{
	struct address *a = table_get(&c->front->addresses, str_from(c->address));

	if (a && --a->conns == 0)
		free(table_remove(&c->front->addresses, str_from(c->address)));
}

void conn_free(void *arg)
{
	struct front_conn *c = arg;
	struct front *f = c->front;

	call_cancel(&c->call);
	timer_stop(&c->delay);
	timer_stop(&c->drain);
	if (c->sasl)
		sasl_end(c->sasl);
	free(c->sasl);
	if (c->has_session)
		stream_abort(&c->session);
	if (c->id && f->protocol->sleeps) {
		table_remove(&f->by_id, str_of(&c->id, sizeof(c->id)));
		channel_notify(run_server(f->run, f->protocol->spawner), &session_gone_schema, &(struct session_gone){ c->id });
	}
	fd_close(&c->held);
	buf_free(&c->state);
	buf_free(&c->command);
	uncount_address(c);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	f->n -= !c->refused;
	free(c);
	run_resume_accept(f->run);
	if (f->run->draining && !f->conns)
		run_drained(f->run);
}

void front_close(struct front_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	call_cancel(&c->call);
	timer_stop(&c->delay);
	stream_close(&c->stream, conn_free);
}

void front_bad_command(struct front_conn *c)
{
	if (++c->bad_commands < 3)
		return;
	c->front->protocol->goodbye(c, "too many bad commands");
	front_close(c);
}

static void log_tls(struct front_conn *c)
{
	struct tls_facts f;
	struct log *log = &c->front->run->log;

	c->tls_logged = true;
	if (tls_facts(&c->stream, &f) && f.done)
		log_line(log, LOG_DETAIL, WORDS_TLS, c->client, f.protocol, f.cipher, f.bits, f.bits_most);
	else
		log_line(log, LOG_NOTICE, WORDS_TLS_FAILED, c->client, f.why ? f.why : "the client left");
}

/* "{n}" or "{n+}" at the end of a line (RFC 3501, 4.3; RFC 7888). */
static bool ends_in_literal(struct str line, uint64_t *n, bool *waits)
{
	ptrdiff_t brace = str_rfind(line, '{');

	if (line.n == 0 || line.p[line.n - 1] != '}' || brace < 0)
		return false;
	struct str digits = str_head(str_skip(line, (size_t)brace + 1), line.n - (size_t)brace - 2);
	*waits = !str_ends(digits, STR("+"));
	return str_u64(*waits ? digits : str_head(digits, digits.n - 1), UINT32_MAX, n);
}

/* Adds to the command that is gathered; true: it goes on with a literal, or was too long. */
static bool gather(struct front_conn *c, struct str line)
{
	uint64_t n;
	bool waits;

	c->command.limit = FRONT_LINE_MAX;
	if (!ends_in_literal(line, &n, &waits))
		return false;
	if (n > FRONT_LINE_MAX || !buf_add(&c->command, line) || !buf_add(&c->command, STR("\r\n")) ||
	    c->command.n + n > FRONT_LINE_MAX) {
		c->front->protocol->goodbye(c, "command too long");
		front_close(c);
		return true;
	}
	c->literal = (size_t)n;
	if (waits)
		front_write(c, "+ go on\r\n");
	return true;
}

/* True: some octets of a literal were there. */
static bool take_literal(struct front_conn *c)
{
	struct str some = str_head(stream_input(&c->stream), c->literal);

	if (some.n == 0)
		return false;
	buf_add(&c->command, some);
	c->literal -= some.n;
	stream_consume(&c->stream, some.n);
	return true;
}

static void say_line(struct front_conn *c, struct str line)
{
	const struct front_protocol *p = c->front->protocol;

	if (p->literals && gather(c, line))
		return;
	if (c->command.n == 0) {
		p->line(c, line);
		return;
	}
	if (buf_add(&c->command, line))
		p->line(c, buf_str(&c->command));
	else
		front_bad_command(c);
	buf_free(&c->command);
}

static void take_line(struct front_conn *c, struct str line, size_t used)
{
	c->fresh_tls = false;
	if (str_find(line, '\0') >= 0 || (c->command.n > 0 && str_find(buf_str(&c->command), '\0') >= 0))
		front_bad_command(c);
	else if (c->sasl)
		login_sasl_line(c, line);
	else
		say_line(c, line);
	/* TLS began, or the session has taken over: the buffer is not this line's any more. */
	if (!c->fresh_tls && !c->closing && c->stream.fd >= 0)
		stream_consume(&c->stream, used);
}

static void on_input(void *arg)
{
	struct front_conn *c = arg;
	struct str line;
	size_t used;

	if (c->tls && !c->tls_logged)
		log_tls(c);
	while (!c->busy && !c->closing && c->stream.fd >= 0) {
		if (c->literal > 0) {
			if (!take_literal(c))
				break;
			continue;
		}
		enum stream_line got = stream_line(&c->stream, FRONT_LINE_MAX, &line, &used);
		if (got == LINE_TOO_LONG) {
			c->front->protocol->goodbye(c, "line too long");
			front_close(c);
		}
		if (got != LINE_WHOLE)
			break;
		take_line(c, line, used);
	}
	if (c->busy && c->stream.fd >= 0)
		stream_pause(&c->stream);
}

static void on_ended(void *arg, enum stream_end how)
{
	struct front_conn *c = arg;

	if (c->tls && !c->tls_logged)
		log_tls(c);
	if (how == STREAM_TIMEOUT)
		c->front->protocol->goodbye(c, "timeout");
	front_close(c);
}

static const struct stream_events events = { .input = on_input, .ended = on_ended };

void front_start_tls(struct front_conn *c)
{
	struct err err = { 0 };

	if (!tls_start(c->front->keys.server, &c->stream, &err)) {
		log_line(&c->front->run->log, LOG_WARNING, WORDS_TLS_FAILED, c->client, err.text);
		front_close(c);
		return;
	}
	c->tls = true;
	c->fresh_tls = true;
	c->user[0] = '\0';
}

bool front_prepare(struct front *f, struct run *run, const struct front_protocol *p, struct err *err)
{
	f->run = run;
	f->protocol = p;
	return keys_begin(&f->keys, run, p->name, p->rules(run->conf).tls_min_version, err);
}

void front_reloaded(struct front *f)
{
	keys_reload(&f->keys, f->protocol->rules(f->run->conf).tls_min_version);
}

void front_accept(struct front *f, int fd, unsigned service)
{
	struct front_conn *c = calloc(1, sizeof(*c));
	int on = 1;

	ASSERT(c);
	c->front = f;
	c->held = -1;
	c->service = service;
	c->next = f->conns;
	c->prev = &f->conns;
	if (c->next)
		c->next->prev = &c->next;
	f->conns = c;
	f->n++;
	name_client(c, fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream_start(&c->stream, f->run->loop, fd, FRONT_LINE_MAX, &events, c);
	struct front_rules r = front_rules(c);
	stream_deadline(&c->stream, r.login_timeout);
	bool crowded = count_address(c) > (uint64_t)r.per_address || f->n > (size_t)r.session_limit;
	if (r.tls == FRONT_TLS_IMPLICIT && !f->keys.server) {
		front_close(c);
		return;
	}
	if (r.tls == FRONT_TLS_IMPLICIT)
		front_start_tls(c);
	if (crowded) {
		/* It takes no place from others while it lingers. */
		c->refused = true;
		f->n--;
		f->protocol->goodbye(c, "too many connections");
		front_close(c);
		return;
	}
	f->protocol->greet(c);
}

static void grace_over(void *arg)
{
	front_close(arg);
}

void front_drain(struct front *f)
{
	struct front_conn *next;

	if (!f->conns)
		run_drained(f->run);
	for (struct front_conn *c = f->conns; c; c = next) {
		next = c->next;
		if (c->held >= 0) { /* the session has the connection, and goes on */
			conn_free(c);
			continue;
		}
		if (c->asleep) {
			f->protocol->goodbye(c, "shutting down");
			front_close(c);
			continue;
		}
		/* whoever works may finish what was just asked for */
		if (c->has_session || c->busy) {
			timer_set(&c->drain, f->run->loop, DRAIN_GRACE_MS, grace_over, c);
			continue;
		}
		f->protocol->goodbye(c, "shutting down");
		front_close(c);
	}
}
