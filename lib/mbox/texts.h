/* texts - what IMAP shows of a message, read from its file. Inner header of lib/mbox. */
#ifndef MBOX_TEXTS_H
#define MBOX_TEXTS_H

#include "base/buf.h"

enum { MBOX_HEADER_FIRST = 1 << 16, MBOX_MAPPED_FROM = 1 << 20 };

struct mbox_texts {
	struct buf envelope, structure;
	bool has_envelope, has_structure;
};

#define scoped_texts __attribute__((cleanup(mbox_texts_free)))

void mbox_texts_free(struct mbox_texts *t);

/*
 * Reads what is wanted (WANT_ENVELOPE, WANT_STRUCTURE, WANT_BODY) from a message's file, whatever its offset. 0, or -1
 * with errno.
 */
int mbox_texts_read(int fd, unsigned want, struct mbox_texts *out);
/* The same from memory. */
void mbox_texts_of(struct str message, unsigned want, struct mbox_texts *out);

/* Whether the text is one list, from '(' to the ')' that belongs to it, as IMAP writes it. */
bool mbox_is_one_list(struct str text);

/*
 * BODY from BODYSTRUCTURE: the same without the extension data (RFC 3501, 9: body-ext-1part, body-ext-mpart). `structure` is what
 * imap_structure wrote; false, and nothing added, when it cannot be.
 */
bool mbox_body_of(struct str structure, struct buf *out);

#endif
