/*
 * mbox - the user's mail: delivery, reading, removal. Engine: Maildir++ (README lists what may lie on disk, and when).
 *
 * `home` is a descriptor of the user's mail folder; nothing outside of it is reached, and no symbolic link followed.
 * A folder is named as Maildir++ does, without the first dot: "INBOX" (or nothing) is the home itself, "Work.2026"
 * lies in ".Work.2026". Names are UTF-8 of at most 200 bytes, without '/', control characters and empty parts.
 */
#ifndef MBOX_MBOX_H
#define MBOX_MBOX_H

#include "base/arena.h"
#include "base/err.h"

enum mbox_result {
	MBOX_OK,
	MBOX_FULL,    /* no space, or over a quota of the file system: try again later */
	MBOX_IO,      /* the disk failed, or a flush did: try again later */
	MBOX_BUSY,    /* another one holds the lock */
	MBOX_MISSING, /* there is no such folder */
	MBOX_REFUSED, /* a bad name, a trick with links, a damaged record, a folder that must be imported first */
	MBOX_EXISTS,  /* a folder of that name is there already */
};

/* Whether `name` may name a folder. */
bool mbox_folder_ok(struct str name);

/* What a delivery is. The slices are needed for mbox_begin only. */
struct mbox_order {
	struct str folder; /* created when it is not there */
	struct str
		id; /* delivery id, such as Q<queue id>R<recipient>: 1 to 64 of A-Z a-z 0-9 - _; none: one is drawn */
	struct str host; /* for the message's name */
	int64_t now_us;	 /* date of arrival, since 1970 */
	bool again;	 /* it may have been delivered before: look for the same id first */
	bool must_exist; /* the folder is not created: MBOX_MISSING when it is not there */
};

struct mbox_delivery;

/*
 * Opens a delivery. The caller ends it by mbox_commit, mbox_settle or mbox_abort; NULL unless MBOX_OK. When `again` is set
 * and the folder holds the id, mbox_already is true: what is written is dropped and the commit succeeds. A message that
 * the user has moved to another folder or removed meanwhile is not found.
 */
enum mbox_result mbox_begin(int home, const struct mbox_order *order, struct mbox_delivery **out, struct err *err);
bool mbox_already(const struct mbox_delivery *d);

/*
 * Adds bytes; of fd: those from its offset to its end. CRLF is stored as LF. After a failure the delivery is lost, and
 * every further step gives the same result again.
 */
enum mbox_result mbox_write(struct mbox_delivery *d, struct str bytes, struct err *err);
enum mbox_result mbox_write_fd(struct mbox_delivery *d, int fd, struct err *err);

/* The message is on disk, its name too, when this gives MBOX_OK; else nothing is left of it. Ends *d. */
enum mbox_result mbox_commit(struct mbox_delivery **d, struct err *err);

/*
 * The same in steps, for who flushes many deliveries at once: drain all, syncfs, place all, syncfs, settle all. The
 * descriptor for syncfs must be older than the first write, or a failure before it goes unseen. mbox_place must not be called
 * unless the flush after mbox_drain succeeded; after a failure of the second flush, abort takes the names back.
 */
enum mbox_result mbox_drain(struct mbox_delivery *d, struct err *err);
enum mbox_result mbox_place(struct mbox_delivery *d, struct err *err);
void mbox_settle(struct mbox_delivery **d);
/* Removes what is there of it. *d may be NULL. */
void mbox_abort(struct mbox_delivery **d);

#define scoped_delivery __attribute__((cleanup(mbox_abort)))

struct mbox_message {
	struct str name; /* of its file */
	int64_t arrival; /* seconds since 1970 */
	int64_t size;	 /* octets in the file */
	int64_t vsize;	 /* octets with each line ended by CRLF; RFC822.SIZE and POP3's LIST */
	uint32_t uid;	 /* never 0 */
	uint32_t flags;	 /* MBOX_*; keyword letter 'a' + n is bit 6 + n */
	uint16_t base_n; /* the part of the name before the ':' */
	bool in_new;	 /* the file lies in new/, not in cur/ */
	bool gone;	 /* removed, by us or by another program */
};

enum {
	MBOX_DRAFT = 1,
	MBOX_FLAGGED = 2,
	MBOX_PASSED = 4,
	MBOX_REPLIED = 8,
	MBOX_SEEN = 16,
	MBOX_TRASHED = 32,
	MBOX_KEYWORD_A = 64,
	MBOX_UIDL_MAX = 70, /* RFC 1939, 7 */
};

/* An open folder; read it, change nothing. */
struct mbox {
	uint32_t uidvalidity;
	char id[33];		       /* of the folder, 128 bits in hex, for ever */
	struct mbox_message *messages; /* ascending by uid */
	size_t n;
	size_t skipped; /* files that are no messages, or could not be given a UID; `trouble` tells of the last one */
	struct err trouble;
	struct mbox_inner *inner;
};

enum mbox_access {
	MBOX_SHARED,
	MBOX_POP3, /* one at a time (MBOX_BUSY for the second); delivery and MBOX_SHARED go on meanwhile */
};

/*
 * Reads what is there. A message without a valid UID gets one, in order of arrival, and the UID is on disk before this returns.
 * INBOX is created when missing. When the disk is too full to give UIDs, the messages that have one are shown,
 * so that some can be removed. At most 4,194,304 messages. NULL unless MBOX_OK.
 */
enum mbox_result mbox_open(int home, struct str folder, enum mbox_access access, struct mbox **out, struct err *err);
/* *m may be NULL. */
void mbox_close(struct mbox **m);

#define scoped_mbox __attribute__((cleanup(mbox_close)))

/*
 * The unique id that POP3 shows: the one kept from another server, else uidvalidity and uid as 16 hex digits. The
 * slice lies in `out`, or in `m`.
 */
struct str mbox_uidl(const struct mbox *m, size_t i, char out[MBOX_UIDL_MAX + 1]);

/*
 * Opens message `i` for reading; the caller owns the descriptor. -1 with errno: ENOENT when it is gone, ELOOP when it
 * is no regular file any more. It is found again after another program has changed its flags.
 */
int mbox_message_open(struct mbox *m, size_t i);

/*
 * Removes the messages, durably; those that are gone already count as removed. All are tried; the first
 * failure is told.
 */
enum mbox_result mbox_remove(struct mbox *m, const size_t *list, size_t n, struct err *err);

#endif
