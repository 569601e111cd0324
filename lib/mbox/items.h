/*
 * items - messages of a view to which something is done, file by file, under the folder's lock. Inner header of lib/mbox.
 *
 * Another program may rename or remove a file at any moment. Then the folder is read again, and what is left is tried
 * again; what the folder does not have any more is gone.
 */
#ifndef MBOX_ITEMS_H
#define MBOX_ITEMS_H

#include "mbox/seen.h"

enum mbox_item_state { ITEM_WAITS, ITEM_DONE, ITEM_GONE };

struct mbox_item {
	uint32_t uid;
	uint32_t flags;	 /* what act wants them to be */
	uint32_t to_uid; /* in the folder that it is copied to */
	uint8_t state;
	char *name; /* new name of the file, allocated; NULL: it follows from its facts */
};

struct mbox_items {
	struct mbox_view *v;
	struct mbox_index_folder d; /* of the view's folder */
	struct mbox_item *items;
	size_t n;
	unsigned opened;	    /* the index in which `d` is valid */
	bool from_new;		    /* files have left new/ */
	bool read_again;	    /* the folder was, so that `d` has moved on */
	struct mbox_sight new, cur; /* before the first change */
	/* 0, or errno; ENOENT and EEXIST: the file was not what the index says */
	int (*act)(struct mbox_items *all, struct mbox_item *item, const struct mbox_facts_row *facts, int dir,
		   const char *name, uint32_t flags);
	/* may be NULL: after the folder has been read again, and `d` is another one */
	enum mbox_result (*again)(struct mbox_items *all, struct err *err);
};

/* With room for `n` items. */
void mbox_items_begin(struct mbox_items *all, struct mbox_view *v, size_t n);
void mbox_items_free(struct mbox_items *all);

/* Acts on each item that waits. The first failure ends it; what is done then stays done. */
enum mbox_result mbox_items_run(struct mbox_items *all, struct err *err);

/* Flushes what has changed in the view's folder. */
enum mbox_result mbox_items_flush(struct mbox_items *all, struct err *err);

/*
 * Writes what was done into the index by `work`, which gets the transaction and `all`, and puts the folder's row itself.
 * Should it fail, the files tell the next one.
 */
void mbox_items_write(struct mbox_items *all, int (*work)(struct mbox_tx *tx, void *all));

/* Facts after the file has got another name in cur/. */
struct mbox_facts_row mbox_facts_renamed(const struct mbox_facts_row *old, const char *name);

#endif
