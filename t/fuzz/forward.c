/* A user's .forward, and the same text as a list of an alias: whatever stands in it, only what may stand there comes out. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "forward/forward.h"
#include "io/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char home[] = "/dev/shm/tayori-forward.XXXXXX";
static char path[sizeof(home) + 16];

static void remove_home(void)
{
	unlink(path);
	rmdir(home);
}

static void write_file(struct str text)
{
	if (!path[0]) {
		if (!mkdtemp(home))
			abort();
		snprintf(path, sizeof(path), "%s/.forward", home);
		atexit(remove_home);
	}
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, text) < 0)
		abort();
}

static void check(const struct forward *f, enum forward_result r, bool commands, bool files)
{
	struct str target;
	size_t at = 0;

	if (r == FORWARD_FOUND && f->targets.n == 0)
		abort();
	if (r == FORWARD_LATER && f->told.n == 0)
		abort();
	while (r == FORWARD_FOUND && strs_next(&f->targets, &at, &target)) {
		bool command = str_starts(target, STR("|")), file = str_starts(target, STR("/"));
		if (target.n == 0 || (command && !commands) || (file && !files) || str_starts(target, STR(":include:")))
			abort();
		if (str_find(target, '\0') >= 0 || str_find(target, '\n') >= 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = size > 0 ? data[0] : 0;
	scoped_forward struct forward own = { 0 }, list = { 0 };
	scoped_buf struct buf target = { 0 };

	write_file(size > 0 ? str_of(data + 1, size - 1) : STR(""));
	struct forward_who who = { .user = STR("anna"),
				   .home = str_from(home),
				   .uid = geteuid(),
				   .delimiter = STR("+"),
				   .commands = how & 1,
				   .files = how & 2 };
	check(&own, forward_user(&who, how & 4 ? STR("anna+x@a.test") : STR("anna@a.test"), &own), who.commands,
	      who.files);
	buf_addf(&target, ":include:%s", path);
	check(&list, forward_list(buf_str(&target), &list), false, false);
	return 0;
}
