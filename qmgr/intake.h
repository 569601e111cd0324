/*
 * intake - a new message on its way into the queue: content looked at, recipients expanded, staged, flushed.
 *
 * For clients and for bounces alike. Lists with an owner make more than one entry of it: an entry has one sender.
 */
#ifndef QMGR_INTAKE_H
#define QMGR_INTAKE_H

#include "qmgr.h"
#include "routing.h"

/* An entry that comes of it: the recipients that have one sender. */
struct intake_part {
	struct intake *in;
	struct work *work;
	struct entry *entry; /* once it is durable */
	struct flush flush;
	int error;
};

struct intake {
	struct qmgr *qmgr;
	struct work *work; /* with env but recipients, size and checksum; of the first entry */
	uint32_t authority;
	struct strs given;  /* recipients, in the work's arena */
	struct buf content; /* NULL and 0 when it is spooled */
	bool spooled;
	uint64_t size; /* of a spooled one, as its writer says */
	/* Called once; the intake is freed after it. Code 250: durable, delivery begins. */
	void (*done)(void *arg, const struct intake *in, const struct reply *r);
	void *arg;
	/* its own */
	struct task scan;
	int scan_fd, scan_error;
	bool scan_clean;
	struct routing routing;
	struct queue_id id; /* of the first entry */
	struct intake_part *parts;
	uint32_t n_parts, unflushed;
};

/* A fresh one with work. Every one goes to intake_start. */
struct intake *intake_new(struct qmgr *q);
void intake_start(struct intake *in);

#endif
