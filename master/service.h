/*
 * service - one daemon process that master keeps alive, for one service of master.cf or several: start, channels to its peers, restart with back-off, reload,
 * orderly end.
 */
#ifndef MASTER_SERVICE_H
#define MASTER_SERVICE_H

#include "conf.h"
#include "house/config.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
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
	struct listeners *listeners; /* of all its services */
	struct timer restart;
	int64_t started_ms;
	unsigned deaths;    /* in a row, each soon after its start */
	unsigned restarts;
	bool ready, leaving; /* leaving: it is to end and not to come back */
	char walls[120];
};

/* A question of tayori(1) that the parents of sessions answer. */
struct asked {
	uint32_t serial, count;
	size_t waiting;
	bool failed;
	struct call calls[4];
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
	bool privileged, test, stopping;
	struct timer stop_limit;
	struct channel tool;	 /* the tayori(1) that waits for an answer */
	struct watch tool_door;
	struct asked asked;
	uint64_t certs_seen; /* certs.h */
	struct timer certs_timer;
	int tool_listener, queue_listener, mailbox_listener;
	int exit_status;
};

/* Makes `config` the one in force: master's own parameters are read from it. */
bool master_take(struct master *m, struct config *config, struct err *err);

/* Makes a service; it does not run yet. NULL with err: it cannot listen. */
struct service *service_new(struct master *m, const struct config_service *facts, struct err *err);
/* Is this the process that `facts` of a newer configuration are about? */
bool service_is(const struct service *s, const struct config_service *facts);
/* Opens what `facts` name and is not open yet, into *fresh. False with err: nothing is open. */
bool service_listen(struct service *s, const struct config_service *facts, struct listeners **fresh, struct err *err);
/* Takes over: sockets that `facts` do not name are closed, `fresh` ones added; a running process is told all. */
void service_take(struct service *s, const struct config_service *facts, struct listeners *fresh);
void service_free(struct service *s);

/* Starts the process and tells it all that it needs. */
void service_start(struct service *s);
/* Its process has ended; starts it again, at once or after a pause that grows. */
void service_ended(struct service *s, int status);
/* Asks it to finish; `forever`: it does not come back. */
void service_drain(struct service *s, bool forever);

/* Gives `s` and each running peer of it a channel to each other. */
void wire_service(struct service *s);
/* A fresh channel to logd for master's own lines. */
void wire_log(struct master *m);

#endif
