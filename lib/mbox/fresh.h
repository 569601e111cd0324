/*
 * fresh - what deliveries leave for the index: the texts of messages that have no UID yet, in the folder's `tayori-new`.
 * Inner header of lib/mbox.
 *
 * A cache, not flushed and bounded: what is lost, torn or too much is read from the messages when it is asked for. Each record is
 * one write, with a checksum; from the first one that is no good on, the rest is passed over.
 */
#ifndef MBOX_FRESH_H
#define MBOX_FRESH_H

#include "base/hash.h"
#include "mbox/folder.h"

enum { MBOX_FRESH_BYTES_MAX = 64 << 20, MBOX_FRESH_MESSAGE_MAX = 1 << 20, MBOX_FRESH_TEXT_MAX = 1 << 16 };

struct mbox_fresh_texts {
	int64_t size; /* of the message, in octets of its file */
	struct str stem, envelope, structure;
};

/* The folder has become empty: no record is of use any more. Who only has POP3 clients would keep them for ever. */
void mbox_fresh_drop(const struct mbox_folder *f);

/* Adds a record for the message in `fd` that will be called `stem`. Should it fail, nothing is missing. */
void mbox_fresh_add(const struct mbox_folder *f, struct str stem, int fd, int64_t size);

struct mbox_fresh {
	struct buf bytes;
	struct table by_stem;
	struct arena arena;
};

/* Takes the file, under the lock: it is gone afterwards. */
void mbox_fresh_take(const struct mbox_folder *f, struct mbox_fresh *out);
void mbox_fresh_free(struct mbox_fresh *fresh);
const struct mbox_fresh_texts *mbox_fresh_find(const struct mbox_fresh *fresh, struct str stem, int64_t size);

/* The records of a whole file; pure. */
void mbox_fresh_parse(struct str bytes, struct mbox_fresh *out);
void mbox_fresh_format(const struct mbox_fresh_texts *t, struct buf *out);

#endif
