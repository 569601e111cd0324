/* tayori who, tayori kick - the sessions that users have. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctl.h"
#include "io/fd.h"

static const char *const columns[] = { "user", "protocol", "client", "security", "state", "pid", "seconds" };

static void print_row(struct str line, bool json, bool first)
{
	if (json)
		printf("%s{", first ? "[" : ",\n ");
	for (size_t i = 0; i < COUNT(columns); i++) {
		struct str value = str_cut(&line, '\t');
		bool number = i >= 5;
		if (!json) {
			printf(i == 0 ? "%-28.*s" : i == 2 ? " %-24.*s" : number ? " %8.*s" : " %-8.*s", STR_ARG(value));
			continue;
		}
		printf("%s\"%s\": ", i ? ", " : "", columns[i]);
		if (number)
			printf("%.*s", STR_ARG(value));
		else
			ctl_json_text(stdout, value);
	}
	printf(json ? "}" : "\n");
}

int tayori_who(struct ctl *ctl, int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	scoped_buf struct buf frame = { 0 }, rows = { 0 };
	struct control_answer a;
	size_t n = 0;

	if (argc > 2 || (argc == 2 && !json))
		return ctl_fail(ctl, EX_USAGE, "usage: tayori who [--json]");
	/* A file, not a pipe: whoever writes the rows must not wait for us. */
	scoped_fd int file = memfd_create("who", MFD_CLOEXEC);
	if (file < 0)
		return ctl_fail(ctl, EX_OSERR, "no memory for the rows: %m");
	int bad = ctl_ask_master(ctl, &(struct control){ .verb = STR("who"), .file = file }, &frame, &a);
	if (bad)
		return bad;
	if (!a.ok || lseek(file, 0, SEEK_SET) < 0 || fd_read_rest(file, &rows) < 0)
		return ctl_fail(ctl, EX_TEMPFAIL, "not all could be asked");
	if (!json)
		printf("%-28s %-8s %-24s %-8s %-8s %8s %8s\n", "user", "protocol", "client", "security", "state", "pid", "seconds");
	for (struct str rest = buf_str(&rows); rest.n > 0; n++)
		print_row(str_cut(&rest, '\n'), json, n == 0);
	if (json)
		printf(n ? "]\n" : "[]\n");
	return 0;
}

int tayori_kick(struct ctl *ctl, int argc, char **argv)
{
	scoped_buf struct buf frame = { 0 };
	struct control_answer a;

	if (argc != 2)
		return ctl_fail(ctl, EX_USAGE, "usage: tayori kick USER (as 'tayori who' shows the name)");
	int bad = ctl_ask_master(ctl, &(struct control){ .verb = STR("kick"), .argument = str_from(argv[1]), .file = -1 }, &frame, &a);
	if (bad)
		return bad;
	printf("%.*s session%s ended\n", STR_ARG(a.text), str_eq(a.text, STR("1")) ? "" : "s");
	return a.ok && !str_eq(a.text, STR("0")) ? 0 : 1;
}
