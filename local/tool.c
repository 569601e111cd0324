#include "tool.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/fd.h"
#include "proc/spawn.h"
#include "task.h"

enum { TOOLS_MOST = 4, AUTHD_MS = 30000, SILENT_MS = 5000, USER_MAX = 320 };

/* One question a connection. */
struct tool {
	struct tool *next;
	struct local *local;
	struct channel ch;
	struct call call; /* to authd */
	struct timer gone;
	uint32_t serial;
	struct buf frame; /* the question's fields, encoded */
	int file;
	pid_t pid; /* 0: not started */
	bool left; /* nobody waits for the answer */
};

static void free_tool(struct tool *t)
{
	struct tool **at = &t->local->tools;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	call_cancel(&t->call);
	timer_stop(&t->gone);
	channel_stop(&t->ch);
	buf_free(&t->frame);
	fd_close(&t->file);
	free(t);
}

/* A task under way goes on to its end: half a rename would help nobody. */
static void forget(void *arg)
{
	struct tool *t = arg;

	if (t->pid)
		t->left = true;
	else
		free_tool(t);
}

/* A handler of the channel may be on the stack: it is freed from the loop. */
static void broken(struct channel *ch, const char *why)
{
	struct tool *t = ch->arg;

	(void)why;
	timer_set(&t->gone, t->local->run->loop, 0, forget, t);
}

static void answer(struct tool *t, uint8_t status, const char *text)
{
	channel_answer(&t->ch, t->serial, &mailbox_done_schema, &(struct mailbox_done){ status, str_from(text) });
	timer_set(&t->gone, t->local->run->loop, SILENT_MS, forget, t);
}

static void start(struct tool *t, const struct mailbox *m)
{
	struct local *local = t->local;
	const struct local_conf *conf = local->run->conf;
	struct spawn_user user = { m->user, m->uid, m->gid, m->home, m->virtual_user };
	struct spawn_rules rules = { .first_valid_uid = conf->first_valid_uid,
				     .base = conf->virtual_mailbox_base,
				     .memory_bytes = TASK_MEMORY };
	struct mailbox_task task;
	struct err err = { 0 };
	int fds[] = { t->file };

	if (!ipc_decode(&mailbox_task_schema, buf_str(&t->frame), fds, 1, &task))
		panic("a task that was in order is not");
	pid_t pid = spawn_child(local->run, &user, &rules, task_run, &task, &t->file, 1, &err);
	if (pid < 0)
		answer(t, TASK_LATER, err.text);
	else
		t->pid = pid;
}

static void on_mailbox(void *arg, enum call_result result, void *message)
{
	const struct mailbox *m = message;

	if (result == CALL_OK && m->result == LOGIN_OK)
		start(arg, m);
	else if (result == CALL_OK && m->result == LOGIN_REFUSED)
		answer(arg, TASK_NO_USER, "there is no such user");
	else
		answer(arg, TASK_LATER, "the user database does not answer");
}

static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void on_task(struct channel *ch, uint32_t serial, void *message)
{
	struct tool *t = ch->arg;
	struct mailbox_task *m = message;
	struct mailbox_find q = { .user = m->user };
	int fds[IPC_FDS_MAX];
	size_t n = 0;

	if (t->serial || serial == 0 || m->user.n == 0 || m->user.n > USER_MAX || str_find(m->user, '\0') >= 0 ||
	    !is_file(m->file)) {
		channel_break(ch, "a second question, or one without a user or a file");
		return;
	}
	t->serial = serial;
	timer_stop(&t->gone);
	if (!ipc_encode(&mailbox_task_schema, m, &t->frame, fds, &n))
		panic("a task that was decoded cannot be encoded");
	t->file = fd_take(&m->file);
	channel_call(run_server(t->local->run, "authd"), &mailbox_find_schema, &q, &mailbox_schema, AUTHD_MS, &t->call,
		     on_mailbox, t);
}

static const struct ipc_handler handlers[] = { { &mailbox_task_schema, on_task } };

static bool may_ask(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == 0 || who.uid == geteuid());
}

void tool_accept(struct run *run, int fd, unsigned service)
{
	struct local *local = run->state;
	size_t n = 0;

	(void)service;
	for (const struct tool *t = local->tools; t; t = t->next)
		n++;
	if (n >= TOOLS_MOST || !may_ask(fd)) {
		close(fd);
		return;
	}
	struct tool *t = calloc(1, sizeof(*t));
	ASSERT(t);
	*t = (struct tool){ .next = local->tools, .local = local, .file = -1 };
	local->tools = t;
	channel_start(&t->ch, run->loop, fd, &(struct channel_peer){ .daemon = "mailbox" }, handlers, COUNT(handlers),
		      broken, t);
	timer_set(&t->gone, run->loop, SILENT_MS, forget, t); /* there are few places */
}

bool tool_ended(struct local *local, pid_t pid, int status)
{
	struct tool *t = local->tools;

	while (t && t->pid != pid)
		t = t->next;
	if (!t)
		return false;
	t->pid = 0;
	if (t->left)
		free_tool(t);
	else if (WIFEXITED(status))
		answer(t, (uint8_t)WEXITSTATUS(status), "");
	else
		answer(t, TASK_LATER, "the process that worked on the mailbox has died");
	return true;
}
