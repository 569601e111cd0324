/* tools - connections of the queue commands, and what each asks for. */
#ifndef QMGR_TOOLS_H
#define QMGR_TOOLS_H

#include "qmgr.h"
#include "routing.h"

struct tool {
	struct tool *next;
	struct qmgr *qmgr;
	struct channel ch;
	struct timer idle, gone;
	bool may_change; /* root, our own uid, or a member of setgid_group */
	struct act *act; /* under way: one at a time */
};

/* A change of the queue under way; it goes on when the tool is gone. */
struct act {
	struct qmgr *qmgr;
	struct tool *tool; /* NULL: gone */
	uint32_t serial;
	const struct verb *verb;
	struct queue_id at; /* the last entry that had its turn */
	struct str site;    /* only those that may go there; p NULL: all */
	bool walked;	    /* all had their turn */
	struct timer next;  /* the next slice of them */
	uint32_t count;	    /* entries changed */
	size_t failed;
	size_t waiting; /* for lookupd and flushes; 1 more while entries are walked */
};

/* One more, or one fewer to wait for. */
void act_wait(struct act *a);
void act_over(struct act *a, bool ok);

/* cmd_list.c, cmd_read.c, cmd_act.c */
void tool_list(struct channel *ch, uint32_t serial, void *message);
void tool_read(struct channel *ch, uint32_t serial, void *message);
void tool_act(struct channel *ch, uint32_t serial, void *message);

/* requeue.c: expands the open recipients again; counted in `a`. */
void requeue_start(struct act *a, struct entry *e);

#endif
