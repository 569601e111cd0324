/* tayori mailbox - folders of a user, for the admin; the work is done by a process of that user. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "ctl.h"
#include "io/fd.h"

enum { TELL_EVERY_MS = 200 };

static int usage(const struct ctl *ctl)
{
	return ctl_fail(ctl, EX_USAGE,
			"usage: tayori mailbox list USER [--json] | status USER FOLDER [--json] | create USER FOLDER | "
			"rename USER FROM TO | delete USER FOLDER | check USER | rebuild USER | import USER [--undo]");
}

/* Names of files are the user's, and this may be root's terminal. */
static void put_clean(FILE *to, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = (uint8_t)text.p[i], next = i + 1 < text.n ? (uint8_t)text.p[i + 1] : 0;
		bool control = (c < ' ' && c != '\n') || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
		fputc(control ? '?' : c, to);
		i += control && c == 0xc2;
	}
}

/* Waits for the answer; meanwhile shows what has been written, so that long work is seen to go on. */
static int wait_done(const struct ctl *ctl, int fd, int file, bool show, struct buf *frame, struct mailbox_done *d)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds;
	off_t shown = 0;

	for (bool over = false; !over;) {
		char room[4096];
		ssize_t n;
		over = poll(&p, 1, TELL_EVERY_MS) > 0;
		while (show && (n = pread(file, room, sizeof(room), shown)) > 0) {
			put_clean(stdout, str_of(room, (size_t)n));
			shown += n;
		}
		fflush(stdout);
	}
	if (frame_receive(fd, frame, &head, &payload, fds, &n_fds) <= 0 || head.type != mailbox_done_schema.type ||
	    !ipc_decode(&mailbox_done_schema, payload, fds, n_fds, d))
		return ctl_fail(ctl, EX_TEMPFAIL, "local does not answer");
	return 0;
}

static const char *const columns[] = { "folder", "messages", "unseen", "octets", "uidvalidity", "uidnext", "modseq", "subscribed" };

static void put_column(struct str value, bool first)
{
	int width = first ? 32 : 11, pad = value.n < (size_t)width ? width - (int)value.n : 0;

	printf("%*s", first ? 0 : pad + 1, "");
	put_clean(stdout, value);
	printf("%*s", first ? pad : 0, "");
}

static void print_row(struct str line, bool json, bool first)
{
	for (size_t i = 0; i < COUNT(columns); i++) {
		struct str value = str_cut(&line, '\t');
		if (!json) {
			put_column(value, i == 0);
			continue;
		}
		printf("%s\"%s\": ", i ? ", " : first ? "[{" : ",\n {", columns[i]);
		if (i == 0)
			ctl_json_text(stdout, value);
		else if (i + 1 == COUNT(columns))
			printf(str_eq(value, STR("yes")) ? "true" : "false");
		else
			printf("%.*s", STR_ARG(value));
	}
	printf(json ? "}" : "\n");
}

static void print_rows(struct str rows, bool json)
{
	size_t n = 0;

	for (size_t i = 0; i < COUNT(columns) && !json; i++)
		printf(i == 0 ? "%-32s" : " %11s", columns[i]);
	if (!json)
		printf("\n");
	for (; rows.n > 0; n++)
		print_row(str_cut(&rows, '\n'), json, n == 0);
	if (json)
		printf(n ? "]\n" : "[]\n");
}

static int ask(struct ctl *ctl, struct mailbox_task *task, bool list, bool json)
{
	scoped_buf struct buf frame = { 0 }, rows = { 0 };
	struct mailbox_done d;
	scoped_fd int file = memfd_create("mailbox", MFD_CLOEXEC);

	if (!ctl_load(ctl))
		return EX_CONFIG;
	scoped_fd int fd = ctl_connect(ctl, "mailbox", SOCK_SEQPACKET);
	if (fd < 0)
		return errno == EACCES ? ctl_fail(ctl, EX_NOPERM, "only root may work on mailboxes")
				       : ctl_fail(ctl, EX_TEMPFAIL, "Tayori does not run (no local at %s)", ctl_path(ctl, "mailbox"));
	task->file = file;
	if (file < 0 || frame_send(fd, &mailbox_task_schema, false, 1, task) < 0)
		return ctl_fail(ctl, EX_TEMPFAIL, "local cannot be asked: %m");
	int bad = wait_done(ctl, fd, file, !list, &frame, &d);
	if (bad)
		return bad;
	if (d.text.n > 0)
		ctl_fail(ctl, 0, "%.*s", STR_ARG(d.text));
	if (list && lseek(file, 0, SEEK_SET) == 0 && fd_read_rest(file, &rows) == 0) {
		if (d.status == TASK_OK)
			print_rows(buf_str(&rows), json);
		else
			put_clean(stderr, buf_str(&rows));
	}
	static const int statuses[] = { [TASK_OK] = 0, [TASK_WRONG] = 1, [TASK_USAGE] = EX_USAGE, [TASK_NO_USER] = EX_NOUSER, [TASK_LATER] = EX_TEMPFAIL };
	return d.status == TASK_USAGE ? usage(ctl) : d.status < COUNT(statuses) ? statuses[d.status] : EX_TEMPFAIL;
}

int tayori_mailbox(struct ctl *ctl, int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[argc - 1], "--json") == 0;
	bool undo = argc == 4 && strcmp(argv[1], "import") == 0 && strcmp(argv[3], "--undo") == 0;
	scoped_buf struct buf args = { 0 };
	struct mailbox_task task = { .file = -1 };

	argc -= json;
	if (argc < 3)
		return usage(ctl);
	task.verb = str_from(argv[1]);
	task.user = str_from(argv[2]);
	for (int i = 3; i < argc; i++)
		strs_add(&args, &task.args, undo ? STR("undo") : str_from(argv[i]));
	bool list = str_eq(task.verb, STR("list")) || str_eq(task.verb, STR("status"));
	if (json && !list)
		return usage(ctl);
	return ask(ctl, &task, list, json);
}
