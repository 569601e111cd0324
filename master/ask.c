#include "ask.h"

#include <stdio.h>

enum { ASK_MS = 5000 };

static void answer(struct master *m)
{
	char text[80];
	const struct asked *a = &m->asked;

	snprintf(text, sizeof(text), "%u", a->count);
	channel_answer(&m->tool, a->serial, &control_answer_schema, &(struct control_answer){ !a->failed, str_from(text) });
}

static void on_told(void *arg, enum call_result result, void *message)
{
	struct master *m = arg;
	const struct who_told *told = message; /* `kicked` has the same one field */

	m->asked.failed = m->asked.failed || result != CALL_OK;
	if (result == CALL_OK)
		m->asked.count += told->count;
	if (--m->asked.waiting == 0)
		answer(m);
}

static bool has_sessions(const struct service *s)
{
	const char *name = s->facts->daemon->name;

	return s->ready && (strcmp(name, "pop3session") == 0 || strcmp(name, "imapsession") == 0);
}

void ask_forget(struct master *m)
{
	for (size_t i = 0; i < COUNT(m->asked.calls); i++)
		call_cancel(&m->asked.calls[i]);
	m->asked.waiting = 0;
}

void ask_sessions(struct master *m, uint32_t serial, const struct control *c)
{
	bool who = str_eq(c->verb, STR("who"));
	size_t n = 0;

	ask_forget(m);
	m->asked.serial = serial;
	m->asked.count = 0;
	m->asked.failed = false;
	for (struct service *s = m->services; s && n < COUNT(m->asked.calls); s = s->next) {
		if (!has_sessions(s))
			continue;
		m->asked.waiting++;
		if (who)
			channel_call(&s->control, &who_schema, &(struct who){ c->file }, &who_told_schema, ASK_MS,
				     &m->asked.calls[n++], on_told, m);
		else
			channel_call(&s->control, &kick_schema, &(struct kick){ c->argument }, &kicked_schema, ASK_MS,
				     &m->asked.calls[n++], on_told, m);
	}
	if (m->asked.waiting == 0)
		answer(m);
}
