/*
 * rows - what stands in the index, row by row. Every row has a check of its own; MDB_CORRUPTED where it does not fit. Inner
 * header of lib/mbox.
 */
#ifndef MBOX_ROWS_H
#define MBOX_ROWS_H

#include "base/buf.h"
#include "mbox/index.h"

enum {
	MBOX_CHANGES_MAX = 20000, /* kept of a folder: beyond, a view reads all rows, which costs no more */
	MBOX_GONE_MAX = 100000,	  /* beyond, mbox_view_vanished says that it does not know */
	MBOX_TEXT_MAX = 1 << 16,  /* longer ones are read from the file each time */
};

/* A directory as it was when its content was read. */
struct mbox_stamp {
	uint64_t ino;
	int64_t changed_ns; /* ctime: unlike mtime nobody can set it back; 0: it must be read */
	int64_t unsure_us;  /* since when a change may hide behind it; 0: none can */
};

struct mbox_index_folder {
	uint32_t number; /* what the keys of its messages begin with; 0: not in the index yet */
	uint32_t uidvalidity;
	uint64_t ino;	  /* of the folder's directory: a copy of a folder has the same id */
	uint32_t uidnext; /* the next UID to give */
	uint32_t uid_end; /* UIDs below are reserved for the index: UIDNEXT of the record when it did so */
	uint64_t modseq;  /* the highest given */
	uint64_t modseq_end;
	uint64_t changes_floor, gone_floor; /* the logs hold all that is over these */
	uint32_t n_changes, n_gone;
	uint32_t messages, unseen, deleted;
	uint32_t in_new;      /* messages whose file lies in new/ */
	uint64_t octets;      /* sum of vsize */
	uint32_t recent_from; /* no session has been told of UIDs from here on */
	uint32_t keywords;    /* how many letters of the record have names */
	int64_t boot_us;      /* when the machine was started, at the last reservation */
	struct mbox_stamp new, cur;
};

struct mbox_flags_row {
	uint64_t modseq;
	uint32_t flags;
};

struct mbox_facts_row {
	int64_t arrival, size, vsize;
	struct str name; /* `plain`: the part before the ':' only, since the rest follows from the flags */
	uint16_t base_n;
	bool plain, in_new;
};

int mbox_row_folder(struct mbox_tx *tx, const char *id, struct mbox_index_folder *out);
int mbox_row_folder_put(struct mbox_tx *tx, const char *id, const struct mbox_index_folder *d);
/* With all of its messages. */
int mbox_row_folder_remove(struct mbox_tx *tx, const char *id, uint32_t number);
/* A number that no folder had before. */
int mbox_row_number(struct mbox_tx *tx, uint32_t *out);

int mbox_row_flags(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct mbox_flags_row *out);
int mbox_row_facts(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct mbox_facts_row *out);
/* The texts of a message; db: DB_ENVELOPES or DB_STRUCTURES. */
int mbox_row_text(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t uid, struct str *out);
int mbox_row_text_put(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t uid, struct str text);
/* Both, where there is one. */
int mbox_row_texts_put(struct mbox_tx *tx, uint32_t folder, uint32_t uid, struct str envelope, struct str structure);

/* A walk over one folder's rows of a table, from a uid on, ascending. MDB_NOTFOUND at its end. */
struct mbox_walk {
	MDB_cursor *cursor;
	uint32_t folder;
	uint32_t from;
	uint32_t last; /* uid; rows that do not ascend are those of a damaged page */
	bool begun;
};
int mbox_walk_begin(struct mbox_tx *tx, enum mbox_db db, uint32_t folder, uint32_t from, struct mbox_walk *w);
void mbox_walk_end(struct mbox_walk *w);
int mbox_walk_flags(struct mbox_walk *w, uint32_t *uid, struct mbox_flags_row *out);
int mbox_walk_facts(struct mbox_walk *w, uint32_t *uid, struct mbox_facts_row *out);
/* The row of `uid`, cheaply when it is the next one. */
int mbox_walk_facts_at(struct mbox_walk *w, uint32_t uid, struct mbox_facts_row *out);
int mbox_walk_text_at(struct mbox_walk *w, uint32_t uid, struct str *out);

/*
 * Changes under d->modseq, which the caller has raised before. Counts in `d` follow; the caller puts it at last.
 * mbox_row_batch comes first, with how many messages will change at most.
 */
int mbox_row_batch(struct mbox_tx *tx, struct mbox_index_folder *d, size_t n);
int mbox_row_add(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint32_t flags,
		 const struct mbox_facts_row *facts);
int mbox_row_change(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, uint32_t flags);
/* Only the file has another name: no change for a user. */
int mbox_row_rename(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid, const struct mbox_facts_row *facts);
int mbox_row_remove(struct mbox_tx *tx, struct mbox_index_folder *d, uint32_t uid);
/* Cuts the logs to their bounds. */
int mbox_row_trim(struct mbox_tx *tx, struct mbox_index_folder *d);

/* A walk over DB_CHANGES or DB_GONE from a modseq on. */
int mbox_walk_log(struct mbox_walk *w, uint64_t from, uint64_t *modseq, uint32_t *uid);

/* The name of the file, by facts and flags. */
void mbox_facts_name(const struct mbox_facts_row *facts, uint32_t flags, struct buf *out);

#endif
