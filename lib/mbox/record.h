/*
 * record - the text of a folder's `tayori-folder`: what must outlive every index. Pure.
 *
 *   tayori-folder 1 <crc>                     the first four lines are written as one file, in this order
 *   uidvalidity 1795327677 <crc>
 *   mailbox 0123456789abcdef0123456789abcdef <crc>
 *   uidnext 1 <crc>
 *   uidnext 18 <crc>                          UIDs below 18 may have been given
 *   uidl 17 UID17-1143 <crc>                  the unique id that POP3 shows for UID 17; ascending by UID
 *
 * <crc>: CRC-32C of what stands before it and its blank, 8 hex digits. Lines are appended one at a time and flushed before they
 * count, so only the last one can be torn: it has no LF, or holds a NUL where a block never came to the disk. That is
 * passed over; anything else that does not fit is damage.
 */
#ifndef MBOX_RECORD_H
#define MBOX_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { MBOX_RECORD_LINE_MAX = 256, MBOX_RECORD_BYTES_MAX = 64 << 20 };

struct mbox_kept_uidl {
	uint32_t uid;
	struct str text; /* 1 to 70 printable characters, no blank */
};

struct mbox_record {
	uint32_t uidvalidity; /* never 0 */
	uint32_t uidnext;     /* never 0 */
	char id[33];
	struct mbox_kept_uidl *uidls;
	size_t n_uidls;
	size_t stale; /* lines that a later one has replaced */
	bool torn;
};

/*
 * Reads the whole file. The UIDLs lie in `arena` and their text in `bytes`. False: damaged, or of a later version; err->at
 * is the offset of the line.
 */
bool mbox_record_parse(struct str bytes, struct arena *arena, struct mbox_record *out, struct err *err);

/* The whole file anew, without stale lines. */
void mbox_record_format(const struct mbox_record *r, struct buf *out);
/* The line that says that UIDs below `uidnext` may be given. */
void mbox_record_uidnext(uint32_t uidnext, struct buf *out);

/* The kept text, or the empty slice. */
struct str mbox_record_uidl(const struct mbox_record *r, uint32_t uid);

#endif
