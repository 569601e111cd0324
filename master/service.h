/*
 * service - one daemon process that master keeps alive: start, channels to its peers, restart with back-off, reload,
 * orderly end.
 */
#ifndef MASTER_SERVICE_H
#define MASTER_SERVICE_H

#include "conf.h"
#include "house/config.h"
#include "ipc/channel.h"
#include "listen.h"
#include "log/log.h"

struct master;

struct service {
	struct service *next;
	struct master *master;
	const struct config_service *facts; /* of the configuration in force */
	char *name;
	pid_t pid;	    /* 0: not running */
	struct channel control;
	struct listeners listeners;
	struct timer restart;
	int64_t started_ms;
	unsigned deaths;    /* in a row, each soon after its start */
	unsigned restarts;
	bool ready, leaving; /* leaving: it is to end and not to come back */
	char walls[120];
};

struct master {
	struct loop *loop;
	struct log log;
	struct config *config;
	struct master_conf conf;
	struct service *services;
	const char *folder;	 /* of the configuration */
	int control_folder;	 /* control_directory */
	int public_folder;	 /* its public/ */
	int empty_root;
	int filters[SANDBOXES];
	int daemons;		 /* daemon_directory */
	bool privileged, test, stopping, told_ready;
	struct timer stop_limit;
	struct channel tool;	 /* the tayori(1) that waits for an answer */
	struct watch tool_door;
	int tool_listener, queue_listener;
	int exit_status;
};

/* Makes a service of a line; it does not run yet. NULL with err: it cannot listen. */
struct service *service_new(struct master *m, const struct config_service *facts, struct err *err);
void service_free(struct service *s);

/* Starts the process and tells it all that it needs. */
void service_start(struct service *s);
/* Its process has ended; starts it again, at once or after a pause that grows. */
void service_ended(struct service *s, int status);
/* Tells the values of s->facts to the running process. */
void service_reload(struct service *s);
/* Asks it to finish; `forever`: it does not come back. */
void service_drain(struct service *s, bool forever);

/* Gives `s` and each running peer of it a channel to each other. */
void wire_service(struct service *s);
/* A fresh channel to logd for master's own lines. */
void wire_log(struct master *m);

#endif
