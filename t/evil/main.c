/* In whose place it stands is the name under which it was started. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evil.h"
#include "house/house.h"
#include "io/fd.h"

static bool mode_is(const char *mode)
{
	return strcmp(evil_env("TAYORI_EVIL"), mode) == 0;
}

const char *evil_env(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

bool evil_is_spawner(const char *daemon)
{
	return strcmp(daemon, "local") == 0 || strcmp(daemon, "pop3session") == 0 || strcmp(daemon, "imapsession") == 0;
}

/* A file counts the starts: a process that breaks its channels gets new ones by a new start. */
static unsigned count_start(const struct evil *e)
{
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/starts.%s", e->dir, e->daemon);
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || fstat(fd, &st) < 0 || write(fd, "x", 1) != 1)
		panic("%s: %m", path);
	return (unsigned)st.st_size;
}

static bool prepare(struct run *run, struct err *err)
{
	struct evil *e = calloc(1, sizeof(*e));
	char who[64];

	(void)err;
	ASSERT(e);
	snprintf(who, sizeof(who), "%s/%s", run->daemon->name, run->service);
	*e = (struct evil){
		.who = strdup(who), .daemon = run->daemon->name, .dir = evil_env("TAYORI_EVIL_DIR"), .run = run
	};
	run->state = e;
	if (mode_is("kernel"))
		evil_fenced(e);
	else
		e->start = e->turn = count_start(e);
	return true;
}

static bool begin(struct run *run, struct err *err)
{
	struct evil *e = run->state;
	char who[64];

	(void)err;
	if (mode_is("kernel") && evil_is_spawner(e->daemon)) {
		snprintf(who, sizeof(who), "%s-child", e->who);
		struct evil child = *e;
		child.who = who;
		evil_spawned(&child);
	}
	if (mode_is("channel"))
		evil_channels(e);
	if (mode_is("flood") && e->start == 0)
		evil_flood(e);
	dprintf(2, "evil %s: done\n", e->who);
	if (mode_is("channel") && e->start < EVIL_BREAKS)
		_exit(0);
	return true;
}

static void accept_none(struct run *run, int fd, unsigned service)
{
	(void)run, (void)service;
	close(fd);
}

/* The unfenced rehearsal: folders, a listener and a memory file are held as daemons hold them. */
static int rehearse(void)
{
	struct evil e = { .who = "nobody/free", .daemon = "none", .dir = evil_env("TAYORI_EVIL_DIR") };
	int folder = open(e.dir, O_RDONLY | O_DIRECTORY), memory = memfd_create("filter", 0);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (chdir(e.dir) < 0 || folder < 0 || write(memory, "filter", 6) != 6 || listen(listener, 1) < 0 ||
	    socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
		return 1;
	evil_free(&e);
	return 0;
}

/* Of services that share a program only one is taken over. */
static void be_honest(const char *name, char **argv)
{
	scoped_buf struct buf path = { 0 };

	buf_addf(&path, "%s/%s", evil_env("TAYORI_EVIL_REAL"), name);
	execv(buf_cstr(&path), argv);
	panic("%s: %m", buf_cstr(&path));
}

int main(int argc, char **argv)
{
	const char *service = evil_env("TAYORI_EVIL_SERVICE");
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	const struct house_daemon *d = house_find(str_from(name));
	struct daemon daemon = { .conf_size = DAEMON_CONF_MAX, .prepare = prepare, .begin = begin, .accept = accept_none };

	if (!d)
		return rehearse();
	if (*service && argc > 1 && strcmp(argv[1], service) != 0)
		be_honest(name, argv);
	daemon.name = d->name;
	daemon.params = d->params;
	daemon.n_params = d->n_params;
	daemon.servers = d->servers;
	daemon.clients = evil_clients(d->name, &daemon.n_clients);
	return daemon_run(&daemon, argc, argv);
}
