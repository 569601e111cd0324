/* folder - one folder's directories, lock and record. Inner header of lib/mbox. */
#ifndef MBOX_FOLDER_H
#define MBOX_FOLDER_H

#include "mbox/mbox.h"
#include "mbox/record.h"

enum { MBOX_LOCK_WAIT_MS = 30000 };

struct mbox_folder {
	int dir, tmp, new, cur; /* -1: not open */
	int lock;		/* -1: not held */
	bool soiled;		/* the lock file is not empty */
};

#define MBOX_FOLDER_CLOSED ((struct mbox_folder){ -1, -1, -1, -1, -1, false })

/* FULL, REFUSED or IO, as errno says; the text gets errno's words. */
__attribute__((format(printf, 2, 3))) enum mbox_result mbox_failed(struct err *err, const char *format, ...);

/*
 * Opens the folder, and prepares it when it has no record yet: directories, lock, record, all durable. REFUSED when another
 * server has kept it. MISSING when it is not there and `create` is not set; the home is always created.
 */
enum mbox_result mbox_folder_open(int home, struct str name, bool create, struct mbox_folder *f, struct err *err);
void mbox_folder_close(struct mbox_folder *f);

/*
 * The lock under which UIDs are given and files in cur/ renamed; waits up to MBOX_LOCK_WAIT_MS. *dirty: the last one
 * who held it died between writing and flushing.
 */
enum mbox_result mbox_folder_lock(struct mbox_folder *f, bool *dirty, struct err *err);
/* Unlock says clean; a change begins by saying dirty. */
enum mbox_result mbox_folder_soil(struct mbox_folder *f, struct err *err);
void mbox_folder_unlock(struct mbox_folder *f, bool clean);

/* Reads the record. `bytes` and `arena` keep what it points to. */
enum mbox_result mbox_folder_load(const struct mbox_folder *f, struct buf *bytes, struct arena *arena,
				  struct mbox_record *out, struct err *err);
/* Puts `r` in the place of the record, durably. FULL: the old one stands. */
enum mbox_result mbox_folder_store(const struct mbox_folder *f, const struct mbox_record *r, struct err *err);
/*
 * Reserves `n` UIDs durably; the first is r->uidnext as it was before. The lock must be held and soiled. FULL: nothing
 * has changed.
 */
enum mbox_result mbox_folder_reserve(const struct mbox_folder *f, struct mbox_record *r, size_t n, struct err *err);

/* Opens a regular file and nothing else: -1 with errno, ELOOP when it is something else. */
int mbox_file_open(int dir, const char *name, int flags);

/* Calls `see` for each name that does not begin with a dot, until it gives false. 0, or -1 with errno. */
int mbox_walk(int dir, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx);

/* Moves a file without replacing another: -1 with errno EEXIST. */
int mbox_move(int from, const char *old, int to, const char *new);

#endif
