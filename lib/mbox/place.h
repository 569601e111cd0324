/* place - an open folder with its record, as the index works with it. Inner header of lib/mbox. */
#ifndef MBOX_PLACE_H
#define MBOX_PLACE_H

#include <sys/stat.h>

#include "mbox/folder.h"
#include "mbox/rows.h"

struct mbox_place {
	int home; /* the caller's */
	struct mbox_folder f;
	dev_t dev;
	ino_t ino; /* of the folder: two are locked in this order */
	ino_t ino_new, ino_cur;
	struct buf record_bytes;
	struct arena record_arena;
	struct mbox_record record;
	struct stat record_seen; /* the file that `record` was read from */
};

#define scoped_place __attribute__((cleanup(mbox_place_close)))

/* Opens the folder and reads its record. `p` can be closed whatever comes out. */
enum mbox_result mbox_place_open(int home, struct str name, bool create, struct mbox_place *p, struct err *err);
/* The same for a folder that is open: `f` becomes the place's. */
enum mbox_result mbox_place_take(int home, struct mbox_folder *f, struct mbox_place *p, struct err *err);
void mbox_place_close(struct mbox_place *p);

static inline bool mbox_place_same(const struct mbox_place *a, const struct mbox_place *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/*
 * Takes the folder's lock, makes sure that the folder is still there, and reads the record unless it is the same file as
 * before; repairs what one who died left. MISSING, REFUSED, BUSY. Ended by mbox_folder_unlock; where that says unclean on a
 * soiled lock, the next one believes neither the page cache nor what the index has reserved.
 */
enum mbox_result mbox_place_lock(struct mbox_place *p, struct err *err);
/*
 * A folder whose id the index knows, but at another inode. When that one is still in the home, this is a copy of it, record and
 * all: it gets an id and a UIDVALIDITY of its own. Under the lock.
 */
enum mbox_result mbox_place_part(struct mbox_place *p, uint64_t ino, struct err *err);
/* Reads the record again when it has changed; without the lock it may be old at once. */
enum mbox_result mbox_place_reload(struct mbox_place *p, struct err *err);

/* What the two directories look like now; MISSING when they are not those that were opened. */
struct mbox_sight {
	uint64_t ino;
	int64_t changed_ns;
};
enum mbox_result mbox_place_look(const struct mbox_place *p, struct mbox_sight *new, struct mbox_sight *cur,
				 struct err *err);

/* Since 1970, by the clock that the file system uses, which no test shifts. */
int64_t mbox_now_ns(void);
/* Whether a change after `now_ns` would get another time: clocks of file systems tick at some milliseconds. */
bool mbox_sight_settled(const struct mbox_sight *s, int64_t now_ns);

/*
 * Makes sure that d's next `n` UIDs are reserved on disk, and takes them; more are reserved when only a few are wanted. The
 * lock must be held, and soiled.
 */
enum mbox_result mbox_place_uids(struct mbox_place *p, struct mbox_index_folder *d, size_t n, uint32_t *first,
				 struct err *err);
/* Raises d->modseq by one, reserved on disk. */
enum mbox_result mbox_place_modseq(struct mbox_place *p, struct mbox_index_folder *d, struct err *err);
/*
 * Forgets what `d` has reserved unless it is sure that nobody else gave anything since, and that the index has lost
 * nothing: after a power cut it may have lost its last change.
 */
void mbox_place_reserved(const struct mbox_place *p, struct mbox_index_folder *d);

#endif
