/*
 * sync - brings the index up to what lies on disk. Inner header of lib/mbox.
 *
 * A directory's ctime says whether it has changed since it was read. What we change ourselves, under the lock, moves the stamp
 * along; another program's change in just that moment would hide behind it, so such a stamp is unsure, and after some
 * seconds the directory is read once more.
 */
#ifndef MBOX_SYNC_H
#define MBOX_SYNC_H

#include "mbox/place.h"
#include "mbox/scan.h"
#include "mbox/user.h"

struct mbox_user {
	int home;
	struct mbox_index index;
};

/* Brings the folder up to date and gives its row. Without any lock when nothing has changed. */
enum mbox_result mbox_sync(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d, struct err *err);

/*
 * Takes the lock, and brings the folder up to date under it; `doubt`: reads both directories whatever they look like. The
 * lock is held when this gives MBOX_OK.
 */
enum mbox_result mbox_sync_lock(struct mbox_user *u, struct mbox_place *p, bool doubt, struct mbox_index_folder *d,
				struct err *err);
/* The same while the lock is held already. */
enum mbox_result mbox_sync_again(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d,
				 struct err *err);

/* A change of ours in a directory that looked like `before` and now looks like `after`. */
void mbox_stamp_move(struct mbox_stamp *stamp, const struct mbox_sight *before, const struct mbox_sight *after);

/* ---- plan: what the index lacks ---- */

enum { PLAN_ADD = 1, PLAN_FLAGS = 2, PLAN_NAME = 4 };

struct mbox_plan {
	struct mbox_list list; /* ascending by uid, those without one at the end */
	uint8_t *what;	       /* of each in the list */
	uint32_t *gone;
	size_t n_gone, gone_room;
	size_t n_changes; /* messages that users will see to be new, changed or gone */
	size_t n_names;	  /* others of which only the file has another name */
};

#define scoped_plan __attribute__((cleanup(mbox_plan_free)))

void mbox_plan_free(struct mbox_plan *plan);

/*
 * Takes the UIDs from those whose tag is void: given and gone, or belonging to another file. Orders the list. `d` may have
 * number 0. Of UIDs below `given` the index knows all messages that are there; those from there on others may have given.
 * `whole`: the list is of both directories, else nothing in it has a UID.
 */
int mbox_plan_tags(struct mbox_tx *tx, const struct mbox_index_folder *d, uint32_t given, const struct mbox_folder *f,
		   bool whole, struct mbox_plan *plan);
/* Fills in the rest; `whole`: what is not in the list is gone. */
int mbox_plan_compare(struct mbox_tx *tx, const struct mbox_index_folder *d, bool whole, struct mbox_plan *plan);

/* What the index keeps of a message. */
struct mbox_facts_row mbox_message_facts(const struct mbox_message *m);

#endif
