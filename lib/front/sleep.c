/*
 * Sessions that sleep: the client's connection is here, with the state that the session left; a command, or the spawner's
 * word that the folder has changed, gives it a process again.
 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/inner.h"
#include "io/fd.h"

enum { SPAWNER_MS = 20000, STATE_MAX = 32 * 1024 };

static void wake(struct front_conn *c);

static struct channel *spawner(const struct front_conn *c)
{
	return run_server(c->front->run, c->front->protocol->spawner);
}

static void say_goodbye(struct front_conn *c, const char *why)
{
	if (c->stream.fd >= 0)
		c->front->protocol->goodbye(c, why);
	front_close(c);
}

bool sleep_hold(struct front_conn *c)
{
	c->held = stream_release(&c->stream);
	return c->held >= 0;
}

static void client_spoke(void *arg)
{
	wake(arg);
}

static void client_ended(void *arg, enum stream_end how)
{
	struct front_conn *c = arg;

	if (how == STREAM_TIMEOUT)
		c->front->protocol->goodbye(c, "idle for too long");
	front_close(c);
}

static const struct stream_events asleep_events = { .input = client_spoke, .ended = client_ended };

/* Middle boxes forget a connection on which nothing moves. */
static void still_here(void *arg)
{
	struct front_conn *c = arg;
	int64_t every = front_rules(c).idle_notify;

	if (!c->asleep || every == 0)
		return;
	front_write(c, c->front->protocol->still_here);
	timer_set(&c->delay, c->front->run->loop, every, still_here, c);
}

static void fall_asleep(struct front_conn *c)
{
	int64_t every = front_rules(c).idle_notify;

	if (c->has_session)
		stream_abort(&c->session);
	c->has_session = false;
	c->asleep = true;
	if (c->tls) {
		c->stream.events = &asleep_events;
		c->stream.in_limit = FRONT_LINE_MAX;
	} else {
		stream_start(&c->stream, c->front->run->loop, fd_take(&c->held), FRONT_LINE_MAX, &asleep_events, c);
	}
	stream_deadline(&c->stream, front_rules(c).sleep_timeout);
	if (c->idle && every > 0)
		timer_set(&c->delay, c->front->run->loop, every, still_here, c);
	stream_resume(&c->stream);
}

static void answer_sleep(struct front_conn *c, uint32_t serial, bool ok)
{
	channel_answer(spawner(c), serial, &session_slept_schema, &(struct session_slept){ ok });
	if (ok)
		fall_asleep(c);
	else
		buf_free(&c->state);
}

void sleep_moved(struct front_conn *c)
{
	uint32_t serial = c->sleep_serial;

	if (!serial || c->from_session < c->sleep_sent)
		return;
	c->sleep_serial = 0;
	/* the client may have spoken meanwhile */
	answer_sleep(c, serial, c->to_session == c->sleep_received && c->from_session == c->sleep_sent);
}

static struct front_conn *find(struct channel *ch, uint64_t id)
{
	struct front *f = ((struct run *)ch->arg)->state;

	return table_get(&f->by_id, str_of(&id, sizeof(id)));
}

/* Under TLS it may sleep when every octet that either side sent has arrived: then none can be lost with its process. */
static void on_sleep(struct channel *ch, uint32_t serial, void *message)
{
	const struct session_sleep *m = message;
	struct front_conn *c = find(ch, m->id);
	bool ok = c && !c->asleep && !c->waking && !c->closing && !c->sleep_serial && !c->front->run->draining &&
		  m->state.n <= STATE_MAX && (c->tls ? c->has_session && m->received == c->to_session : c->held >= 0);

	if (!ok) {
		channel_answer(ch, serial, &session_slept_schema, &(struct session_slept){ false });
		return;
	}
	buf_reset(&c->state);
	buf_add(&c->state, m->state);
	c->idle = m->idle;
	if (c->tls && m->sent > c->from_session) {
		c->sleep_serial = serial;
		c->sleep_sent = m->sent;
		c->sleep_received = m->received;
		return;
	}
	answer_sleep(c, serial, !c->tls || m->sent == c->from_session);
}

static void on_woken(void *arg, enum call_result result, void *message)
{
	struct front_conn *c = arg;
	const struct session_opened *m = message;

	c->waking = false;
	if (result != CALL_OK || !m->ok) {
		if (c->has_session)
			stream_abort(&c->session);
		c->has_session = false;
		say_goodbye(c, "the session cannot go on");
	} else if (!c->tls && !sleep_hold(c)) {
		front_close(c);
	}
}

static void wake(struct front_conn *c)
{
	int pair[2] = { -1, -1 };
	struct session_wake m = { .id = c->id, .state = buf_str(&c->state) };

	if (!c->asleep || c->closing)
		return;
	c->asleep = false;
	c->waking = true;
	timer_stop(&c->delay);
	stream_deadline(&c->stream, 0);
	if (c->tls && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		say_goodbye(c, "the session cannot go on");
		return;
	}
	m.socket = c->tls ? pair[1] : c->stream.fd;
	m.input = c->tls ? STR("") : stream_input(&c->stream);
	if (c->tls) {
		proxy_start(c, pair[0]);
		proxy_take(c);
	} else {
		stream_pause(&c->stream);
	}
	channel_call(spawner(c), &session_wake_schema, &m, &session_opened_schema, SPAWNER_MS, &c->call, on_woken, c);
	buf_free(&c->state);
	fd_close(&pair[1]);
}

static void on_stir(struct channel *ch, uint32_t serial, void *message)
{
	struct front_conn *c = find(ch, ((const struct session_stir *)message)->id);

	(void)serial;
	if (c)
		wake(c);
}

/* Under TLS what it said last is still on its way, and its socket's end tells us. */
static void on_over(struct channel *ch, uint32_t serial, void *message)
{
	struct front_conn *c = find(ch, ((const struct session_over *)message)->id);

	(void)serial;
	if (!c || c->has_session || c->closing)
		return;
	if (c->held >= 0)
		conn_free(c);
	else
		say_goodbye(c, "the session was ended");
}

const struct ipc_handler front_from_spawner[3] = {
	{ &session_sleep_schema, on_sleep },
	{ &session_stir_schema, on_stir },
	{ &session_over_schema, on_over },
};
