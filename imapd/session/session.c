#include "session.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/time.h"
#include "body.h"
#include "commands.h"
#include "report.h"
#include "sleep.h"

enum { IDLE_LOOK_MS = 1000 /* how often an idling session that may not sleep looks for news */, IDLE_SLEEP_EACH = 30 };

void session_unselect(struct session *s)
{
	body_forget(s);
	if (s->view)
		mbox_view_close(&s->view);
	s->told = s->told_recent = 0;
}

void session_give_up(struct session *s, enum wire_got got)
{
	if (got == WIRE_SILENT)
		wire_say(&s->wire, "* BYE silent for too long");
	else if (got == WIRE_FLOOD)
		wire_say(&s->wire, "* BYE that is too much");
	s->over = true;
}

/* Waits for the client; false: nothing has come in that time. */
static bool wait_for_input(struct session *s, int64_t ms)
{
	struct pollfd p = { .fd = s->wire.fd, .events = POLLIN };

	if (wire_unread(&s->wire))
		return true;
	if (!wire_flush(&s->wire))
		return true;
	int n = poll(&p, 1, ms > INT32_MAX ? INT32_MAX : (int)ms);
	return n > 0 || (n < 0 && errno != EINTR);
}

static void run_command(struct session *s)
{
	struct str line = { 0 };
	int64_t after = s->conf->imap_sleep_after;

	if (after > 0 && !wait_for_input(s, after) && sleep_try(s) == SLEEP_ASLEEP)
		return;
	enum wire_got got = wire_command(&s->wire, &line);
	if (got == WIRE_OK || got == WIRE_MESSAGE || got == WIRE_BAD)
		commands_run(s, line, got);
	else
		session_give_up(s, got);
}

/* "DONE", or something else that ends IDLE badly. */
static void end_idle(struct session *s)
{
	struct str line;
	enum wire_got got = wire_line(&s->wire, &line);
	bool done = got == WIRE_OK && str_ieq(line, STR("DONE"));

	if (got != WIRE_OK && got != WIRE_BAD) {
		session_give_up(s, got);
		return;
	}
	report_news(s, REPORT_ALL, false);
	if (!s->over)
		wire_say(&s->wire, "%.*s %s", STR_ARG(buf_str(&s->idle_tag)), done ? "OK done" : "BAD DONE is missing");
	buf_reset(&s->idle_tag);
}

/* In IDLE: until the client ends it, the session sleeps, or the client is silent for too long. */
static void idle(struct session *s)
{
	int64_t until = clock_mono_ms() + s->conf->imap_session_timeout;

	for (unsigned n = 0; !s->over && !s->wire.broken; n++) {
		enum sleep_result slept = SLEEP_NOT;
		report_news(s, REPORT_ALL, false); /* first of all for one that has just woken up because of it */
		if (s->over)
			return;
		if (!wire_unread(&s->wire) && wire_flush(&s->wire) && n % IDLE_SLEEP_EACH == 0)
			slept = sleep_try(s);
		if (slept == SLEEP_NEWS)
			n = UINT_MAX; /* told, and tried again */
		else if (slept == SLEEP_NOT && wait_for_input(s, IDLE_LOOK_MS)) {
			end_idle(s);
			return;
		} else if (clock_mono_ms() > until)
			session_give_up(s, WIRE_SILENT);
	}
}

static void greet(struct session *s, struct str tag)
{
	struct buf *out = &s->wire.out;

	buf_add(out, tag);
	buf_add(out, STR(" OK [CAPABILITY "));
	capabilities_put(s, out);
	buf_add(out, STR("] logged in\r\n"));
}

static void begin(struct session *s, const struct session_start *start)
{
	s->user = mbox_user_new(s->home);
	buf_add(&s->wire.in, start->input);
	if (start->tag.n > 0)
		greet(s, start->tag);
	if (start->state.n > 0 && !sleep_wake(s, start->state)) {
		wire_say(&s->wire, "* BYE [UNAVAILABLE] the session cannot go on, log in again");
		s->over = true;
	}
}

static void end(struct session *s)
{
	if (!s->asleep && wire_flush(&s->wire))
		shutdown(s->wire.fd, SHUT_WR);
	session_unselect(s);
	mbox_user_free(&s->user);
	wire_free(&s->wire);
	buf_free(&s->idle_tag);
}

void session_run(const struct session_start *start)
{
	struct session s = { .wire = { .fd = start->fd },
			     .conf = start->conf,
			     .parent = start->parent,
			     .home = start->home };

	begin(&s, start);
	while (!s.over && !s.asleep && !s.wire.broken) {
		if (s.idle_tag.n > 0)
			idle(&s);
		else
			run_command(&s);
	}
	end(&s);
}
