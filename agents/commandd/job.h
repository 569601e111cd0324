/*
 * job - one command from its fork to its answer: deliver comes in over a channel to the process that waits for the command, delivered
 * goes out.
 */
#ifndef COMMANDD_JOB_H
#define COMMANDD_JOB_H

#include "conf.h"
#include "ipc/messages.h"

/* What the process knows from its parent. */
struct job_order {
	int parent; /* a channel: the answer goes out; its end is the parent's end */
	const struct deliver *m;
	const struct commandd_conf *conf;
	struct str home; /* of the account */
	uint32_t uid;
	bool alias; /* lookupd has said that the alias has the command; else the user's .forward must */
};

/* As the user, with a process group of its own, which it ends with itself. `order` is a struct job_order. */
int job_run(void *order);

#endif
