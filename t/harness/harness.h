/*
 * harness - plays master for one daemon: starts its binary, tells it settings, folders, peers and listeners, and reads
 * its log. What cannot be had fails the process with a line on stderr: a test has nothing to handle.
 *
 *	struct harness h;
 *	harness_begin(&h, "keyd");
 *	harness_set(&h, "tls_cert_file", path);
 *	int client = harness_client(&h, "smtpd", "smtp", AUTHORITY_MX);
 *	harness_run(&h);
 *	frame_call(client, ...);
 *	ck_assert_int_eq(harness_end(&h), 0);
 */
#ifndef T_HARNESS_HARNESS_H
#define T_HARNESS_HARNESS_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"
#include "house/house.h"

/* What must come is waited for so long: machines and disks stall. */
enum { HARNESS_PATIENCE_MS = 60000 };

struct harness {
	const struct house_daemon *daemon;
	pid_t pid;
	int control, log_fd;
	struct arena arena;
	struct str *given; /* unexpanded, one for each parameter; p NULL: the default */
	struct buf log;	   /* what it logged so far, a line each */
	struct buf walls;  /* as told with ready */
	bool started;
	int status; /* of the ended process, as waitpid has it */
};

/* Starts the binary; it waits for harness_run. */
void harness_begin(struct harness *h, const char *daemon);
/* Before harness_run, or for harness_reload. Any known parameter counts, since others may refer to it by $name. */
void harness_set(struct harness *h, const char *name, const char *value);

/* A channel on which the test asks the daemon, as `daemon` and `service` (pid 4711) would; the test's end. */
int harness_client(struct harness *h, const char *daemon, const char *service, uint32_t authority);
/* A channel on which the daemon asks the test, which plays `daemon`; the test's end. Called again: a new one. */
int harness_server(struct harness *h, const char *daemon);
/* A listener of that name in master.cf, on a free port of 127.0.0.1: the port. */
uint16_t harness_listen(struct harness *h, const char *name);
/* Connects to it. */
int harness_connect(uint16_t port);

/* Tells settings and folders and waits until it is ready. False: it ended instead (h->status, h->log). */
bool harness_run(struct harness *h);
/* Tells the settings anew; whether they were taken. */
bool harness_reload(struct harness *h);
/* Shifts the daemon's clocks. */
void harness_shift(struct harness *h, int64_t ms);
/* Waits at most `ms` for a log line that holds `text`. */
bool harness_logged(struct harness *h, const char *text, int64_t ms);

/* Drains it, waits for its end and frees all; its exit status, 128 + signal when it was killed. */
int harness_end(struct harness *h);

/* A folder for a test's files, removed with all that is in it by harness_rmdir. The path is in `arena`. */
const char *harness_mkdir(struct arena *arena);
void harness_rmdir(const char *path);
void harness_write(const char *folder, const char *name, struct str content);

#endif
