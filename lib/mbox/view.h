/*
 * view - an open folder as one IMAP session sees it: rows in the order of their sequence numbers. Rows are what the client has been
 * told; what others change comes in by mbox_view_sync and is marked until the session has told its client.
 *
 * Costs go by change, not by mailbox: sync looks at two directories' times, and reads the change log from where it was.
 */
#ifndef MBOX_VIEW_H
#define MBOX_VIEW_H

#include "base/buf.h"
#include "mbox/user.h"

enum mbox_row_mark {
	ROW_RECENT = 1,
	ROW_CHANGED = 2, /* flags (or modseq) changed since they were told */
	ROW_GONE = 4,	 /* expunged; the row stays, with its number, until mbox_view_forget */
};

struct mbox_row {
	uint64_t modseq;
	uint32_t uid;
	uint32_t flags; /* as struct mbox_message has them */
	uint8_t marks;
};

enum { MBOX_KEYWORDS_MAX = 26, MBOX_KEYWORD_OCTETS_MAX = 100 };

struct mbox_view {
	struct mbox_user *user;
	struct str name;
	uint32_t uidvalidity, uidnext;
	uint64_t modseq; /* the highest that `rows` reflect */
	char id[33];
	struct mbox_row *rows;
	size_t n;
	size_t n_changed, n_gone;	   /* rows with these marks */
	char *keywords[MBOX_KEYWORDS_MAX]; /* by letter; NULL: not used */
	unsigned keywords_changed;	   /* grows when there is a new one */
	bool readonly;
	struct mbox_view_inner *inner;
};

/*
 * Opens a folder, brought up to date. Not readonly: messages that no session has been told of become ROW_RECENT here, and for
 * nobody else. MBOX_MISSING, MBOX_REFUSED as mbox_open.
 */
enum mbox_result mbox_view_open(struct mbox_user *u, struct str name, bool readonly, struct mbox_view **out,
				struct err *err);
void mbox_view_close(struct mbox_view **v);

/*
 * Takes in what has changed: new rows at the end, marks, uidnext, modseq, keywords. MBOX_MISSING: the folder has been removed
 * or replaced; the view is as it was, and can only be closed.
 */
enum mbox_result mbox_view_sync(struct mbox_view *v, struct err *err);

/* Takes the ROW_GONE rows out; the session has told them all. */
void mbox_view_forget(struct mbox_view *v);

/* Index of the row with that uid, or of the first one after it (n when there is none). */
size_t mbox_view_find(const struct mbox_view *v, uint32_t uid);

/* UIDs that were expunged after `modseq`, each once, ascending, in `out` (as uint32_t). False: the log does not reach back so far. */
bool mbox_view_vanished(struct mbox_view *v, uint64_t modseq, struct buf *out);

/* What can be asked about a message, beside its row. */
enum mbox_want {
	WANT_SIZES = 1,	    /* vsize, arrival: always cheap */
	WANT_ENVELOPE = 2,  /* as imap_envelope gives it */
	WANT_STRUCTURE = 4, /* BODYSTRUCTURE */
	WANT_BODY = 8,	    /* BODY: the same without extension data */
};

struct mbox_facts {
	int64_t arrival, vsize;
	struct str envelope, structure, body;
};

/*
 * Calls `see` for rows[which[0..n-1]], in that order, with what is wanted; what the index lacks is read from the files and
 * kept. `see` gives false to pause; *done says how many were seen, the paused one included. Slices live as long as the
 * call of `see`; it must not block nor call into lib/mbox. Rows that are gone are passed over (counted in *missing).
 */
enum mbox_result mbox_view_facts(struct mbox_view *v, const size_t *which, size_t n, unsigned want,
				 bool (*see)(void *ctx, size_t row, const struct mbox_facts *f), void *ctx,
				 size_t *done, size_t *missing, struct err *err);

/* Opens the message's file (LF line ends, as it is); the caller owns it. -1: errno, ENOENT when it is gone. */
int mbox_view_file(struct mbox_view *v, size_t row);

enum mbox_store_how { STORE_SET, STORE_ADD, STORE_TAKE };

struct mbox_store {
	enum mbox_store_how how;
	uint32_t flags;
	uint64_t unchanged_since; /* UINT64_MAX: whatever its modseq (RFC 7162, 3.1.3) */
};

/*
 * The letter's bit for a keyword; 0: not known, and not to be made (`make` false) or no letter left. Names are compared without
 * case. The new keyword is on disk.
 */
uint32_t mbox_view_keyword(struct mbox_view *v, struct str name, bool make, struct err *err);

/*
 * Changes flags, durably. Rows get the new flags and modseq, and ROW_CHANGED when the flags differ from before. refused[]: (room for n) rows whose modseq was over
 * unchanged_since. Messages that are gone are passed over (and become ROW_GONE).
 */
enum mbox_result mbox_view_store(struct mbox_view *v, const size_t *which, size_t n, const struct mbox_store *s,
				 size_t *refused, size_t *n_refused, struct err *err);

/* Removes the messages, durably; the rows become ROW_GONE. */
enum mbox_result mbox_view_expunge(struct mbox_view *v, const size_t *which, size_t n, struct err *err);

/*
 * Copies (moves) messages to another folder, durably, with flags, keywords and date of arrival. uids[k]: the UID there of which[k], 0 when it was
 * gone. All or nothing for a copy; a move that fails in between leaves each message in one of both folders, and *moved
 * says how many of the first are over. Moved rows become ROW_GONE. MBOX_MISSING: `to` is not there.
 */
enum mbox_result mbox_view_copy(struct mbox_view *v, const size_t *which, size_t n, struct str to, bool move,
				uint32_t *uidvalidity, uint32_t *uids, size_t *moved, struct err *err);

/* ---- sleep and wake ---- */

/* The directories whose change means news: new/ and cur/; they stay the view's. */
void mbox_view_directories(const struct mbox_view *v, int fds[2]);

struct mbox_uid_range {
	uint32_t from, to; /* both included */
};
/*
 * After mbox_view_open, readonly or not: what the client had been told before. rows become those UIDs with the flags of
 * now: ROW_CHANGED where the modseq is over `modseq`, ROW_GONE where the message is no more, ROW_RECENT where the UID is in `recent`; then those that are new.
 * The ranges ascend and do not touch.
 */
void mbox_view_restore(struct mbox_view *v, const struct mbox_uid_range *known, size_t n_known,
		       const struct mbox_uid_range *recent, size_t n_recent, uint64_t modseq);

#endif
