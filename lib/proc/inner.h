/* inner - what daemon.c and control.c share. */
#ifndef PROC_INNER_H
#define PROC_INNER_H

#include "proc/daemon.h"
#include "proc/fence.h"

struct run_server {
	struct run_server *next;
	const char *name;
	struct channel ch;
};

struct run_client {
	struct run_client *next;
	const struct daemon_client *facts;
	struct channel ch;
	int early; /* the channel's descriptor until the daemon serves */
	struct run *run;
	struct timer gone;
};

struct run_listener {
	struct run_listener *next;
	struct run *run;
	char *name;
	unsigned service;
	int fd;
	struct watch watch;
};

struct run_inner {
	struct channel control;
	struct run_server *servers;
	struct run_client *clients;
	struct run_listener *listeners;
	struct run_folder *folders;
	struct run_service {
		char *name;
		struct arena *conf_arena; /* of the values that run->confs[] holds */
		struct str *values;	  /* told by master, not yet in force */
		struct arena *values_arena;
	} services[DAEMON_SERVICES_MAX];
	struct fence fence;
	struct buf walls;
	bool started, serving, test;
	struct timer accept_again, drain_limit;
	struct signal_watch on_term, on_child;
};

/* Takes all that master tells before `start`. */
bool control_begin(struct run *run, struct err *err);
bool control_enter_fence(struct run *run, struct err *err);
/* `begin` is over: those who ask are heard now, and master is told. */
void control_serve(struct run *run);

void listeners_watch(struct run *run, bool on);
void listeners_resume(void *run);

#endif
