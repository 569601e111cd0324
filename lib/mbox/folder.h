/* folder - one folder's directories, lock and record. Inner header of lib/mbox. */
#ifndef MBOX_FOLDER_H
#define MBOX_FOLDER_H

#include "mbox/mbox.h"
#include "mbox/record.h"

#include <sys/types.h>

enum { MBOX_LOCK_WAIT_MS = 30000, MBOX_FOLDER_NAME_MAX = 200, MBOX_PATH_MAX = MBOX_FOLDER_NAME_MAX + 2 };

#define MBOX_RECORD "tayori-folder"
#define MBOX_IMPORTED "tayori-imported" /* what the server wrote that kept the folder before us; see import.h */

struct mbox_folder {
	int dir, tmp, new, cur; /* -1: not open */
	int lock;		/* -1: not held */
	bool soiled;		/* the lock file is not empty */
	bool inbox;
	ino_t home; /* of the directory in which the folder's was */
};

#define MBOX_FOLDER_CLOSED ((struct mbox_folder){ -1, -1, -1, -1, -1, false, false, 0 })

/* FULL, REFUSED or IO, as errno says; the text gets errno's words. */
__attribute__((format(printf, 2, 3))) enum mbox_result mbox_failed(struct err *err, const char *format, ...);

/* The same for a flush: not FULL, whatever errno says, as something was changed, and may or may not be on disk. */
enum mbox_result mbox_flush_failed(struct err *err, const char *what);

bool mbox_is_inbox(struct str name);
/* "." for INBOX, else ".Name". */
void mbox_folder_path(struct str name, char out[MBOX_PATH_MAX]);

/*
 * Opens the folder, and prepares it when it has no record yet: directories, lock, record, all durable. REFUSED when another
 * server has kept it. MISSING when it is not there and `create` is not set; the home is always created.
 */
enum mbox_result mbox_folder_open(int home, struct str name, bool create, struct mbox_folder *f, struct err *err);
void mbox_folder_close(struct mbox_folder *f);

/*
 * Opens the directory `path` of the home (with its first dot) whatever lies in it, for an import or its undoing. `f` can be closed
 * whatever comes out.
 */
enum mbox_result mbox_folder_open_foreign(int home, const char *path, struct mbox_folder *f, struct err *err);
/* What shows that another server has kept the folder: as long as there is no record, it must be imported. NULL: nothing. */
enum mbox_result mbox_foreign_mark(int dir, const char **mark, struct err *err);

/* Whether the folder still lies in its home: MISSING when it was removed or is being so. */
enum mbox_result mbox_folder_there(const struct mbox_folder *f, struct err *err);

/* Opens a lock file and waits for it. */
enum mbox_result mbox_lock_open(int dir, const char *name, int *out, struct err *err);
/* The lock of what concerns all folders of a user. */
enum mbox_result mbox_home_lock(int home, int *out, struct err *err);
/* A UIDVALIDITY over all those before. */
enum mbox_result mbox_draw_uidvalidity(int home, uint32_t *out, struct err *err);
/* From now on they are over this one. */
enum mbox_result mbox_raise_uidvalidity(int home, uint32_t least, struct err *err);

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
/* The same for modseqs. */
enum mbox_result mbox_folder_reserve_modseqs(const struct mbox_folder *f, struct mbox_record *r, size_t n,
					     struct err *err);
/* Gives a letter a name. */
enum mbox_result mbox_folder_name_letter(const struct mbox_folder *f, struct mbox_record *r, unsigned letter,
					 struct str name, struct err *err);
/* Makes durable what the one who died under the lock may have left in the page cache; writes `r` anew. */
enum mbox_result mbox_folder_recover(const struct mbox_folder *f, struct mbox_record *r, struct err *err);
/* Flushes cur/ and new/. */
enum mbox_result mbox_flush_names(const struct mbox_folder *f, struct err *err);

int mbox_directory_open(int at, const char *name);
enum mbox_result mbox_make_directory(int at, const char *name, struct err *err);
/* Opens a regular file and nothing else: -1 with errno, ELOOP when it is something else. */
int mbox_file_open(int dir, const char *name, int flags);

/* Calls `see` for each name that does not begin with a dot, until it gives false. 0, or -1 with errno. */
int mbox_walk(int dir, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx);
/* The same for every name but "." and "..". */
int mbox_walk_all(int dir, bool (*see)(void *ctx, struct str name, unsigned char type), void *ctx);
/* Removes a directory and what is in it, as deep as a mail folder goes. -1 with errno. */
int mbox_remove_tree(int at, const char *name);

/* Removes what has lain in tmp/ for more than 36 hours. */
void mbox_sweep(const struct mbox_folder *f);

/* Moves a file without replacing another: -1 with errno EEXIST. */
int mbox_move(int from, const char *old, int to, const char *new);

#endif
