#include "tools.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOOLS_MOST = 16, IDLE_MS = 60000, GROUPS_MOST = 4096 };

static bool in_group(int fd, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS_MOST];
	socklen_t n = sizeof(groups);

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return false;
	for (size_t i = 0; i < n / sizeof(*groups); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool may_change(const struct qmgr *q, int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return false;
	return who.uid == 0 || who.uid == geteuid() || (q->have_group && in_group(fd, who.gid, q->group));
}

static void forget(void *arg)
{
	struct tool *t = arg, **at = &t->qmgr->tools;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->qmgr->n_tools--;
	if (t->act)
		t->act->tool = NULL;
	timer_stop(&t->idle);
	channel_stop(&t->ch);
	run_resume_accept(t->qmgr->run);
	free(t);
}

/* A handler of the channel may be on the stack: it is freed from the loop. */
static void broken(struct channel *ch, const char *why)
{
	struct tool *t = ch->arg;

	(void)why;
	timer_set(&t->gone, t->qmgr->run->loop, 0, forget, t);
}

static void idle(void *arg)
{
	struct tool *t = arg;

	if (t->act)
		timer_set(&t->idle, t->qmgr->run->loop, IDLE_MS, idle, t);
	else
		channel_break(&t->ch, "idle");
}

/* It asks for something: not idle. False for a notice, of which there could be any number at a time. */
static bool is_question(struct channel *ch, uint32_t serial)
{
	struct tool *t = ch->arg;

	timer_set(&t->idle, t->qmgr->run->loop, IDLE_MS, idle, t);
	if (serial == 0)
		channel_break(ch, "a question without a number");
	return serial != 0;
}

static void on_list(struct channel *ch, uint32_t serial, void *message)
{
	if (is_question(ch, serial))
		tool_list(ch, serial, message);
}

static void on_act(struct channel *ch, uint32_t serial, void *message)
{
	if (is_question(ch, serial))
		tool_act(ch, serial, message);
}

static void on_read(struct channel *ch, uint32_t serial, void *message)
{
	if (is_question(ch, serial))
		tool_read(ch, serial, message);
}

static const struct ipc_handler handlers[] = {
	{ &queue_list_schema, on_list },
	{ &queue_act_schema, on_act },
	{ &queue_read_schema, on_read },
};

void tools_accept(struct run *run, int fd, unsigned service)
{
	struct qmgr *q = run->state;

	(void)service;
	if (q->n_tools >= TOOLS_MOST) {
		log_line(&run->log, LOG_WARNING, "warning: more than %d queue commands at a time", TOOLS_MOST);
		close(fd);
		return;
	}
	struct tool *t = calloc(1, sizeof(*t));
	ASSERT(t);
	t->qmgr = q;
	t->may_change = may_change(q, fd);
	t->next = q->tools;
	q->tools = t;
	q->n_tools++;
	channel_start(&t->ch, run->loop, fd, &(struct channel_peer){ .daemon = "queue" }, handlers, COUNT(handlers),
		      broken, t);
	t->ch.most_unanswered = 1;
	timer_set(&t->idle, run->loop, IDLE_MS, idle, t);
}
