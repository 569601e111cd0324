/*
 * daemon - the skeleton of every daemon: it owns the control channel to master, settings, privileges, listeners,
 * channels to peers, log, reload and draining; the daemon says what it is and fills in handlers.
 *
 *	int main(int argc, char **argv) { return daemon_run(&smtpd, argc, argv); }
 *
 * Order: settings and peers come from master; `prepare` (still as started: libraries that must be loaded, nothing
 * from outside); the fence; `begin`; ready; the loop. A second start of the same binary shares nothing but master.
 */
#ifndef PROC_DAEMON_H
#define PROC_DAEMON_H

#include "conf/conf.h"
#include "io/loop.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "log/log.h"

enum { DAEMON_CONTROL_FD = 3, DAEMON_CONF_MAX = 4096, DAEMON_SERVICES_MAX = 16 };

struct run;

/* A kind of peer that asks us: what it may say. Nothing comes before `begin` is over. joined/left may be NULL. */
struct daemon_client {
	const char *daemon;
	const struct ipc_handler *handlers;
	size_t n_handlers;
	void (*joined)(struct run *run, struct channel *ch);
	void (*left)(struct run *run, struct channel *ch); /* its arg may be freed here */
};

struct daemon {
	const char *name;
	const struct conf_param *params;
	const size_t *n_params;
	size_t conf_size;
	const char *const *servers; /* daemons that this one asks, NULL-ended */
	const struct ipc_handler *from_servers; /* what they may ask or tell in turn */
	size_t n_from_servers;
	const struct daemon_client *clients;
	size_t n_clients;

	bool (*prepare)(struct run *run, struct err *err);
	bool (*begin)(struct run *run, struct err *err);
	/* New values stand in run->conf; `old` is what they were. NULL: nothing to do. */
	void (*reloaded)(struct run *run, const void *old);
	/* A connection; the daemon owns fd. `service`: for run_conf. */
	void (*accept)(struct run *run, int fd, unsigned service);
	/* Finish what is begun and call run_drained. NULL: exits at once. */
	void (*drain)(struct run *run);
	void (*child_ended)(struct run *run, pid_t pid, int status);
	uint64_t powers; /* parents of users' processes: what they keep of root's; 0: SPAWN_POWERS */
	/* Parents of sessions: a row of text for each, into the file; ends those of a user. How many. */
	uint32_t (*who)(struct run *run, int file);
	uint32_t (*kick)(struct run *run, struct str user);
};

struct run_folder {
	struct run_folder *next;
	struct str path;
	int fd;
	bool write;
};

struct run {
	const struct daemon *daemon;
	const char *service; /* the name in master.cf; of the first one when several share the process */
	struct loop *loop;
	struct log log;
	const void *conf; /* the daemon's struct, as of now: do not keep slices of it over a return to the loop */
	const void *confs[DAEMON_SERVICES_MAX]; /* of each service that shares the process; conf is the first */
	unsigned n_confs;
	void *state;	  /* the daemon's own */
	int child_filter; /* spawners: the seccomp program of their children, or -1 */
	bool privileged;  /* master was started by root: users are real */
	bool landlock;
	bool draining;
	struct run_inner *inner;
};

int daemon_run(const struct daemon *daemon, int argc, char **argv);

/* The values of one service. */
static inline const void *run_conf(const struct run *run, unsigned service) { return run->confs[service]; }

/* The channel on which a server is asked; it survives the server's restarts. Panics when it is no server of ours. */
struct channel *run_server(struct run *run, const char *daemon);
/*
 * Asks a server and waits, in the loop's own thread: for keyd, whose answers come in microseconds and are needed in the
 * middle of a handshake. False: no answer in `ms`. The answer's slices live in `frame`.
 */
bool run_ask(struct run *run, const char *daemon, const struct ipc_schema *question, const void *message,
	     const struct ipc_schema *answer, int64_t ms, struct buf *frame, void *reply);

/* The folder of a path that a parameter of type folder named, or of the folder of a file or table; -1: none. */
int run_folder(struct run *run, struct str path);
/* For "/etc/tayori/users": the folder's descriptor and the name in it (a C string, in `arena`). -1: no such folder. */
int run_file(struct run *run, struct str path, struct arena *arena, const char **name);

/* For `prepare`: no file will be opened any more, so nothing of the folders shall be left behind the fence. */
void run_forget_folders(struct run *run);

/* Ends the process: master restarts it. For what makes life impossible, not for one client's trouble. */
__attribute__((noreturn, format(printf, 2, 3))) void run_fatal(struct run *run, const char *format, ...);
/* All is finished: exit in order. */
void run_drained(struct run *run);
/* A connection has ended: accepting goes on if it had paused for want of descriptors. */
void run_resume_accept(struct run *run);

/*
 * Forks a child that runs `body` and exits with its result. Of all descriptors it keeps only `keep` (n of them), moved
 * nowhere. The loop, channels and log of the parent do not exist in it. -1 with errno.
 */
pid_t run_fork(struct run *run, int (*body)(void *arg), void *arg, const int keep[], size_t n);

#endif
