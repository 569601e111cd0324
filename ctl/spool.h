/*
 * spool - the queue, for the tools: asked of qmgr while the suite runs, read and changed directly when it does not.
 */
#ifndef CTL_SPOOL_H
#define CTL_SPOOL_H

#include "ctl.h"
#include "queue/queue.h"

struct spool {
	struct ctl *ctl;
	int qmgr;	    /* a connection, or -1: the suite is stopped */
	struct queue queue; /* then */
	bool open;
};

/* QUEUE_READ to look, QUEUE_OWN to change. An exit status; 0: open. */
int spool_open(struct ctl *ctl, enum queue_mode mode, struct spool *s);
void spool_close(struct spool *s);

/* Calls `row` for each entry, oldest id first as far as qmgr gives them so. An exit status. */
int spool_list(struct spool *s, void (*row)(void *arg, const struct queue_row *row), void *arg);
/* verb and which as in QUEUE_ACT_FIELDS. Prints what went wrong; *count: how many entries were changed. */
int spool_act(struct spool *s, const char *verb, const char *which, uint32_t *count);
/* The envelope as text into `envelope`, the content as a descriptor of the caller. */
int spool_read(struct spool *s, const char *id, struct buf *envelope, int *content);

#endif
