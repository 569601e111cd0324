/*
 * user - all folders of one user, and the index over them. What IMAP needs beside mbox.h; README says what lies on disk.
 *
 * Files are the truth: flags and UIDs in names, keywords and reservations in tayori-folder, subscriptions in a file. The
 * index (LMDB, tayori-index/ in the home, one environment a user) is the speed: it may be removed at any time when nobody
 * has it open, and one that is damaged, of another version, or not ours, is moved aside and built anew. Rebuilding
 * changes no UID, UIDVALIDITY, flag or keyword; modseqs only grow.
 *
 * One thread, never used across fork, and one at a time for a home in a process. Whoever ends without mbox_user_free looks to the
 * next one as if the index had killed him; after some of those in a row it is built anew.
 *
 * Needs a local file system: LMDB maps its file, and clocks of directories are compared with ours.
 */
#ifndef MBOX_USER_H
#define MBOX_USER_H

#include "mbox/mbox.h"

struct mbox_user;

/* Touches no file yet: the index is opened by the first function that needs it. `home` stays the caller's. */
struct mbox_user *mbox_user_new(int home);
void mbox_user_free(struct mbox_user **u);

#define scoped_mbox_user __attribute__((cleanup(mbox_user_free)))

struct mbox_folder_row {
	struct str name; /* as mbox.h has it; "INBOX" comes first, the others in byte order */
	bool exists;	 /* false: a parent of which there are only children, or subscribed only */
	bool subscribed;
	bool children; /* folders below it exist */
};

/*
 * All folders, and names that are only subscribed. INBOX is always there. Folders that a foreign server has kept are listed too.
 * Rows and names in `arena`.
 */
enum mbox_result mbox_folders(struct mbox_user *u, struct arena *arena, struct mbox_folder_row **rows, size_t *n,
			      struct err *err);

/* MBOX_EXISTS when it is there. Durable. Parents are not created. */
enum mbox_result mbox_create(struct mbox_user *u, struct str name, struct err *err);
/*
 * Removes the folder and its messages; folders below it stay. INBOX: MBOX_REFUSED. Durable: after a crash it is there as
 * before, or gone (what was being removed lies in the home's tmp/ and is swept).
 */
enum mbox_result mbox_delete(struct mbox_user *u, struct str name, struct err *err);
/*
 * With all folders below it; UIDs, UIDVALIDITY and id stay. INBOX: its messages move to the new folder `to`, the folders
 * below it stay (RFC 3501, 6.3.5). MBOX_EXISTS: `to`, or one below it that would be in the way, is there. Subscriptions are not changed.
 */
enum mbox_result mbox_rename(struct mbox_user *u, struct str from, struct str to, struct err *err);
/* A name need not exist to be (un)subscribed. Durable. */
enum mbox_result mbox_subscribe(struct mbox_user *u, struct str name, bool on, struct err *err);

struct mbox_status {
	uint32_t uidvalidity, uidnext, messages, recent, unseen, deleted;
	uint64_t modseq; /* the highest */
	uint64_t octets; /* sum of vsize */
	char id[33];
};
/* Brings the index up to date first; claims no message as recent. */
enum mbox_result mbox_status(struct mbox_user *u, struct str name, struct mbox_status *out, struct err *err);

/*
 * Places what was written into `*d` (mbox_begin, with order.folder; order.must_exist is for APPEND) with flags, keywords
 * and a UID, on disk, its name too. Ends *d, whatever comes out. flags: system flags of mbox.h; keywords: names.
 */
enum mbox_result mbox_append(struct mbox_user *u, struct mbox_delivery **d, uint32_t flags, const struct str *keywords,
			     size_t n_keywords, uint32_t *uidvalidity, uint32_t *uid, struct err *err);

/* ---- for the admin's commands ---- */

/* What is told of a folder: a line for a person. */
struct mbox_report {
	void (*tell)(void *arg, struct str folder, const char *text);
	void *arg;
};
/* Compares the index with the files and names what differs; changes nothing. *wrong counts differences. */
enum mbox_result mbox_check(struct mbox_user *u, const struct mbox_report *report, size_t *wrong, struct err *err);
/* Removes the index and builds it anew. */
enum mbox_result mbox_rebuild(struct mbox_user *u, const struct mbox_report *report, struct err *err);

#endif
