/* master - reads the configuration once, opens what listens, starts and supervises all daemons. See master.8. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "certs.h"
#include "control.h"
#include "filter.h"
#include "io/fd.h"
#include "io/listen.h"
#include "io/notify.h"
#include "proc/fence.h"
#include "service.h"

bool master_take(struct master *m, struct config *config, struct err *err)
{
	struct str values[32];
	struct master_conf conf;

	ASSERT(master_params_n <= COUNT(values));
	for (size_t i = 0; i < master_params_n; i++) {
		scoped_buf struct buf text = { 0 };
		if (!config_value(config, str_from(master_params[i].name), &text, err))
			return false;
		values[i] = arena_str(&config->arena, buf_str(&text));
	}
	if (!conf_fill(master_params, master_params_n, values, &config->arena, &conf, err))
		return false;
	m->conf = conf;
	m->config = config;
	return true;
}

/* A terminal that errors are printed on is often open for reading too: what the admin types is no daemon's business. */
static void only_write(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_WRONLY | O_APPEND | O_NOCTTY);
	if (again < 0)
		return; /* a socket cannot be opened: it stays as it is */
	dup2(again, fd);
	close(again);
}

/*
 * What master needs: to start daemons as their users, to end them, to listen on low ports, to find and give away
 * folders. And, for those it starts: mail folders are made in another's folder (spawners), PAM writes to the audit log.
 */
static bool drop_powers(struct err *err)
{
	uint64_t own = FENCE_POWER(CAP_SETUID) | FENCE_POWER(CAP_SETGID) | FENCE_POWER(CAP_SETPCAP) |
		       FENCE_POWER(CAP_SYS_CHROOT) | FENCE_POWER(CAP_KILL) | FENCE_POWER(CAP_NET_BIND_SERVICE) |
		       FENCE_POWER(CAP_CHOWN) | FENCE_POWER(CAP_DAC_READ_SEARCH) | FENCE_POWER(CAP_SYS_RESOURCE);

	return fence_keep_powers(own, own | FENCE_POWER(CAP_DAC_OVERRIDE) | FENCE_POWER(CAP_AUDIT_WRITE), err);
}

/* An empty folder that nobody can find or fill: made, opened, removed. It becomes the root of the daemons. */
static int make_empty_root(int control, struct err *err)
{
	if (mkdirat(control, "empty", 0500) < 0 && errno != EEXIST) {
		err_errno(err, "empty root");
		return -1;
	}
	int fd = openat(control, "empty", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || unlinkat(control, "empty", AT_REMOVEDIR) < 0) {
		err_errno(err, "empty root");
		return -1;
	}
	return fd;
}

static int open_control_folder(const char *path, struct err *err)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		err_errno(err, "control_directory %s", path);
		return -1;
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		err_errno(err, "control_directory %s", path);
	return fd;
}

/* One master for each control directory: the lock lives as long as the process. */
static bool lock_instance(struct master *m, struct err *err)
{
	char pid[32];
	int fd = openat(m->control_folder, "master.pid", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_errno(err, "master.pid");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, "another master runs with this control_directory: stop it first with 'tayori stop'");
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, pid, (size_t)n) != n)
		return err_errno(err, "master.pid");
	return true; /* the descriptor stays open on purpose */
}

static bool open_folders(struct master *m, struct err *err)
{
	scoped_arena struct arena tmp = { 0 };

	m->control_folder = open_control_folder(arena_str(&tmp, m->conf.control_directory).p, err);
	if (m->control_folder < 0 || !lock_instance(m, err))
		return false;
	if (mkdirat(m->control_folder, "public", 0755) < 0 && errno != EEXIST)
		return err_errno(err, "control_directory/public");
	m->public_folder = openat(m->control_folder, "public", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m->daemons = open(arena_str(&tmp, m->conf.daemon_directory).p, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->daemons < 0)
		return err_errno(err, "daemon_directory %.*s", STR_ARG(m->conf.daemon_directory));
	m->empty_root = make_empty_root(m->control_folder, err);
	m->tool_listener = listen_unix(m->control_folder, "master", SOCK_SEQPACKET, 0600, err);
	m->queue_listener = listen_unix(m->public_folder, "queue", SOCK_SEQPACKET, 0666, err);
	m->mailbox_listener = listen_unix(m->control_folder, "mailbox", SOCK_SEQPACKET, 0600, err);
	return m->public_folder >= 0 && m->empty_root >= 0 && m->tool_listener >= 0 && m->queue_listener >= 0 &&
	       m->mailbox_listener >= 0;
}

static bool build_filters(struct master *m, struct err *err)
{
	for (size_t i = 0; i < SANDBOXES; i++)
		if ((m->filters[i] = filter_build((enum sandbox)i, err)) < 0)
			return false;
	return true;
}

static bool make_services(struct master *m, struct err *err)
{
	struct service **end = &m->services;

	for (const struct config_service *f = m->config->services; f; f = f->next) {
		*end = service_new(m, f, err);
		if (!*end)
			return false;
		end = &(*end)->next;
	}
	return true;
}

static void reap(void *arg)
{
	struct master *m = arg;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct service *s = m->services; s; s = s->next)
			if (s->pid == pid)
				service_ended(s, status);
	control_sweep(m);
}

static void on_term(void *arg)
{
	control_stop(arg);
}

static void on_hup(void *arg)
{
	scoped_buf struct buf ignored = { 0 };

	control_reload(arg, &ignored);
}

static int fail(const char *what, const struct err *err)
{
	fprintf(stderr, "master: %s%s\n", what, err->text);
	return EX_UNAVAILABLE;
}

static int run(struct master *m)
{
	struct signal_watch term, intr, hup, child;
	struct err err = { 0 };

	if (m->privileged && !drop_powers(&err))
		return fail("", &err);
	if (!master_take(m, m->config, &err))
		return fail("configuration: ", &err);
	m->loop = loop_new();
	if (!open_folders(m, &err) || !build_filters(m, &err) || !make_services(m, &err))
		return fail("", &err);
	signal(SIGPIPE, SIG_IGN);
	signal_watch(&term, m->loop, SIGTERM, on_term, m);
	signal_watch(&intr, m->loop, SIGINT, on_term, m);
	signal_watch(&hup, m->loop, SIGHUP, on_hup, m);
	signal_watch(&child, m->loop, SIGCHLD, reap, m);
	control_open(m);
	if (!m->privileged)
		fprintf(stderr, "master: not started by root: all daemons run as this user and see its files; missing "
				"walls: own users, empty roots\n");
	for (struct service *s = m->services; s; s = s->next)
		service_start(s);
	certs_watch(m);
	log_line(&m->log, LOG_NOTICE, "daemon started, configuration %s", m->folder);
	notify_manager(STR("READY=1")); /* whoever connects from now on is served, if not at once */
	loop_run(m->loop);
	return m->exit_status;
}

int main(int argc, char **argv)
{
	struct config *config = calloc(1, sizeof(*config));
	struct master m = { .folder = "/etc/tayori", .log = { .fd = -1 }, .privileged = geteuid() == 0 };
	int option;

	while ((option = getopt(argc, argv, "c:t")) != -1) {
		if (option == 'c')
			m.folder = optarg;
		else if (option == 't')
			m.test = true; /* daemons take a shifted clock */
		else
			return EX_USAGE;
	}
	ASSERT(config);
	only_write(STDOUT_FILENO);
	only_write(STDERR_FILENO);
	setlinebuf(stderr);
	if (!config_read(m.folder, &config_to_stderr, config)) {
		fprintf(stderr, "master: %zu error%s in %s: not started\n", config->errors, config->errors == 1 ? "" : "s",
			m.folder);
		return EX_CONFIG;
	}
	m.config = config;
	return run(&m);
}
