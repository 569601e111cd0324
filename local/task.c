#include "task.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "io/fd.h"
#include "mbox/import.h"

struct work {
	struct mbox_user *user;
	int home, file;
	struct str args[3];
	size_t n_args;
	struct err err;
};

__attribute__((format(printf, 2, 3))) static void say(struct work *w, const char *format, ...)
{
	scoped_buf struct buf line = { 0 };
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&line, format, ap);
	va_end(ap);
	buf_addc(&line, '\n');
	fd_write_all(w->file, buf_str(&line));
}

static int fail(struct work *w, enum mbox_result r)
{
	say(w, "%s", w->err.text[0] ? w->err.text : "it cannot be done");
	return r == MBOX_MISSING || r == MBOX_EXISTS || r == MBOX_REFUSED ? TASK_WRONG : TASK_LATER;
}

static int done(struct work *w, enum mbox_result r)
{
	return r ? fail(w, r) : TASK_OK;
}

static int one_status(struct work *w, struct str name, bool subscribed)
{
	struct mbox_status s;
	enum mbox_result r = mbox_status(w->user, name, &s, &w->err);

	if (r)
		return fail(w, r);
	say(w, "%.*s\t%u\t%u\t%llu\t%u\t%u\t%llu\t%s", STR_ARG(name), s.messages, s.unseen, (unsigned long long)s.octets,
	    s.uidvalidity, s.uidnext, (unsigned long long)s.modseq, subscribed ? "yes" : "no");
	return TASK_OK;
}

static int run_list(struct work *w)
{
	scoped_arena struct arena tmp = { 0 };
	struct mbox_folder_row *rows;
	size_t n;
	enum mbox_result r = mbox_folders(w->user, &tmp, &rows, &n, &w->err);
	int status = r ? fail(w, r) : TASK_OK;

	for (size_t i = 0; i < n && !status; i++)
		if (rows[i].exists && (w->n_args == 0 || str_eq(rows[i].name, w->args[0])))
			status = one_status(w, rows[i].name, rows[i].subscribed);
	return status;
}

static int run_create(struct work *w)
{
	return done(w, mbox_create(w->user, w->args[0], &w->err));
}

static int run_delete(struct work *w)
{
	return done(w, mbox_delete(w->user, w->args[0], &w->err));
}

static int run_rename(struct work *w)
{
	return done(w, mbox_rename(w->user, w->args[0], w->args[1], &w->err));
}

static void tell(void *arg, struct str folder, const char *text)
{
	say(arg, "%.*s: %s", STR_ARG(folder.n ? folder : STR("INBOX")), text);
}

static int run_check(struct work *w)
{
	struct mbox_report report = { tell, w };
	size_t wrong = 0;
	enum mbox_result r = mbox_check(w->user, &report, &wrong, &w->err);

	if (r)
		return fail(w, r);
	say(w, wrong ? "%zu differences; 'tayori mailbox rebuild' builds the index anew" : "no mistakes found", wrong);
	return wrong ? TASK_WRONG : TASK_OK;
}

static int run_rebuild(struct work *w)
{
	struct mbox_report report = { tell, w };

	return done(w, mbox_rebuild(w->user, &report, &w->err));
}

static int run_import(struct work *w)
{
	struct mbox_report report = { tell, w };

	if (w->n_args == 0)
		return done(w, mbox_import(w->home, &report, &w->err));
	return str_eq(w->args[0], STR("undo")) ? done(w, mbox_import_undo(w->home, &report, &w->err)) : TASK_USAGE;
}

static const struct verb {
	const char *name;
	int (*run)(struct work *w);
	size_t least, most; /* arguments */
} verbs[] = {
	{ "list", run_list, 0, 0 },	{ "status", run_list, 1, 1 },	{ "create", run_create, 1, 1 },
	{ "rename", run_rename, 2, 2 }, { "delete", run_delete, 1, 1 }, { "check", run_check, 0, 0 },
	{ "rebuild", run_rebuild, 0, 0 }, { "import", run_import, 0, 1 },
};

static bool take_args(struct work *w, const struct strs *list)
{
	size_t at = 0;

	while (w->n_args < COUNT(w->args) && strs_next(list, &at, &w->args[w->n_args]))
		w->n_args++;
	return list->n == w->n_args;
}

int task_run(void *arg)
{
	const struct mailbox_task *task = arg;
	scoped_fd int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct work w = { .home = home, .file = task->file };

	if (home < 0)
		return TASK_LATER;
	for (size_t i = 0; i < COUNT(verbs); i++) {
		if (!str_eq(task->verb, str_from(verbs[i].name)))
			continue;
		if (!take_args(&w, &task->args) || w.n_args < verbs[i].least || w.n_args > verbs[i].most)
			return TASK_USAGE;
		scoped_mbox_user struct mbox_user *user = mbox_user_new(home);
		w.user = user;
		return verbs[i].run(&w);
	}
	return TASK_USAGE;
}
