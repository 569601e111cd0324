/* seen - what a view keeps beside what its session sees. Inner header of lib/mbox. */
#ifndef MBOX_SEEN_H
#define MBOX_SEEN_H

#include "mbox/sync.h"
#include "mbox/view.h"

struct mbox_view_inner {
	struct mbox_place place;
	char *name;
	size_t room;	 /* of rows */
	unsigned opened; /* which index `rows` came from */
	uint32_t number; /* of the folder in it */
	uint32_t n_keywords;
};

/* Brings the index up to date and takes into the view what is in it. */
enum mbox_result mbox_view_take_in(struct mbox_view *v, const struct mbox_index_folder *d, struct err *err);

/* Takes in what the index has, and gives the folder's row. Should that fail, no row has changed wrongly. */
int mbox_view_take_rows(struct mbox_view *v, struct mbox_tx *tx, struct mbox_index_folder *d);

/* Takes the lock for a change of the view's folder, with the folder and the view up to date. */
enum mbox_result mbox_view_lock(struct mbox_view *v, struct mbox_index_folder *d, struct err *err);
/* Ends it: unlocks, and takes in what was changed. `r`: how it went; its err is filled. */
enum mbox_result mbox_view_unlock(struct mbox_view *v, enum mbox_result r, struct err *err);

/* The folder's row to be put: `d`, but for what others change without the lock. */
int mbox_row_folder_for(struct mbox_tx *tx, const char *id, const struct mbox_index_folder *d,
			struct mbox_index_folder *out);

/* The letter for a keyword in a locked folder that is up to date; 0: no letter left, or `name` is none. */
enum mbox_result mbox_place_keyword(struct mbox_user *u, struct mbox_place *p, struct mbox_index_folder *d,
				    struct str name, uint32_t *bit, struct err *err);

#endif
