/* enter - one bringing up to date: what was found, and its way into the index. For sync.c and enter.c only. */
#ifndef MBOX_ENTER_H
#define MBOX_ENTER_H

#include "mbox/fresh.h"
#include "mbox/sync.h"

struct mbox_sync {
	struct mbox_user *u;
	struct mbox_place *p;
	struct mbox_index_folder d;
	uint32_t given; /* d.uidnext as the index had it, before what others may have given was added */
	struct mbox_plan plan;
	struct mbox_fresh fresh;
	struct mbox_sight new, cur; /* before it was read */
	int64_t at_ns;		    /* when */
	bool whole;		    /* cur/ too */
	bool restless;		    /* another program has changed something meanwhile */
	bool again;		    /* something is left to do later */
	bool named;		    /* we have changed names */
};

/* Writes the plan and the folder's row, with a number when it has none yet. */
enum mbox_result mbox_sync_write(struct mbox_sync *s, struct err *err);

#endif
