/*
 * index - the LMDB environment of one user: opened, kept, moved aside when it is no good. Inner header of lib/mbox.
 *
 * Whoever finds it damaged renames tayori-index/ away and makes a new one. A process that has the old one open sees at its
 * next operation that the file of that name is another, and opens that. What it did in between counted for nothing, which is
 * harmless: the files came first, and the new index is built from them under the folder's lock.
 *
 * Codes are LMDB's: 0, MDB_NOTFOUND, errno; MDB_CORRUPTED also for what our own checks find.
 */
#ifndef MBOX_INDEX_H
#define MBOX_INDEX_H

#include <lmdb.h>
#include <sys/types.h>

#include "mbox/mbox.h"

enum mbox_db {
	DB_ABOUT,      /* "about" -> version, the next folder's number */
	DB_FOLDERS,    /* folder id -> struct mbox_index_folder */
	DB_FLAGS,      /* folder number, uid -> modseq, flags: what is walked often */
	DB_FACTS,      /* the same key -> date, sizes, name */
	DB_ENVELOPES,  /* the same key -> text */
	DB_STRUCTURES, /* the same key -> text of BODYSTRUCTURE */
	DB_CHANGES,    /* folder number, modseq, uid: each message at its last change */
	DB_GONE,       /* the same key: expunged */
	DB_COUNT,
};

struct mbox_index {
	int home;     /* the caller's */
	MDB_env *env; /* NULL: not open */
	MDB_dbi dbi[DB_COUNT];
	dev_t dev;
	ino_t ino; /* of its data file */
	int mark;  /* see mark_open */
	unsigned opened;
	bool damaged; /* the next mbox_index_ready builds it anew */
};

/* A transaction. */
struct mbox_tx {
	MDB_txn *txn;
	const MDB_dbi *dbi;
};

static inline MDB_val mbox_val(struct str s)
{
	return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

/* What stands under "about". */
struct mbox_about {
	uint32_t version, next, sum; /* next: the number of the next folder */
};
int mbox_about_read(struct str value, struct mbox_about *out);
uint32_t mbox_about_sum(const struct mbox_about *about);

/* Opens it, or makes sure that it is still the one of that name. */
enum mbox_result mbox_index_ready(struct mbox_index *ix, struct err *err);
void mbox_index_close(struct mbox_index *ix);
/* Removes it from the disk. */
enum mbox_result mbox_index_remove(struct mbox_index *ix, struct err *err);

/* A reading transaction, ended by mbox_index_end. */
int mbox_index_read(struct mbox_index *ix, struct mbox_tx *tx);
void mbox_index_end(struct mbox_tx *tx);

/*
 * Runs `work` in a writing transaction and commits it when that gives 0. It may be run again, when the map must grow:
 * until the commit its `ctx` must stay what it was.
 */
int mbox_index_write(struct mbox_index *ix, int (*work)(struct mbox_tx *tx, void *ctx), void *ctx);

/* A result for a code, and its words. Remembers when it means damage. */
enum mbox_result mbox_index_failed(struct mbox_index *ix, int code, struct err *err);

/* For checks against scribbled pages: 8 bytes at a time, no defence against an attacker. */
uint32_t mbox_index_sum(struct str key, struct str value);

#endif
