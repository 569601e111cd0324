/*
 * record - the text of a folder's `tayori-folder`: what must outlive every index. Pure.
 *
 *   tayori-folder 1 <crc>                     the first four lines are written as one file, in this order
 *   uidvalidity 1795327677 <crc>
 *   mailbox 0123456789abcdef0123456789abcdef <crc>
 *   uidnext 1 <crc>
 *   uidnext 18 <crc>                          UIDs below 18 may have been given
 *   modseq 1001 <crc>                         modseqs below 1001 may have been given; ascending
 *   keyword a $Forwarded <crc>                what the letter 'a' in a file's flags stands for; each letter and name once
 *   uidl 17 UID17-1143 <crc>                  the unique id that POP3 shows for UID 17; ascending by UID
 *   uidls dovecot 40 <crc>                    for other UIDs below 40, POP3 shows what Dovecot did; at most once
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

enum { MBOX_RECORD_LINE_MAX = 256, MBOX_RECORD_BYTES_MAX = 64 << 20, MBOX_RECORD_KEYWORDS = 26 };

/* RFC 7162: 63 bits. */
#define MBOX_MODSEQ_MAX ((uint64_t)INT64_MAX)

struct mbox_kept_uidl {
	uint32_t uid;
	struct str text; /* 1 to 70 printable characters, no blank */
};

struct mbox_record {
	uint32_t uidvalidity; /* never 0 */
	uint32_t uidnext;     /* never 0 */
	uint64_t modseq;      /* never 0; 1: none was ever given */
	char id[33];
	struct str keywords[MBOX_RECORD_KEYWORDS]; /* by letter; empty: the letter has no name */
	struct mbox_kept_uidl *uidls;
	size_t n_uidls;
	uint32_t dovecot_uidls; /* UIDs below have unique ids as Dovecot makes them; 0: none */
	size_t stale; /* lines that a later one has replaced */
	bool torn;
};

/* An IMAP atom of at most 100 octets; keywords are compared without case. */
bool mbox_record_keyword_ok(struct str name);
/* 1 to 70 printable characters of ASCII (RFC 1939, 7). */
bool mbox_record_uidl_ok(struct str text);
/* The letter's number, or -1. */
int mbox_record_keyword_find(const struct mbox_record *r, struct str name);

/*
 * Reads the whole file. The UIDLs lie in `arena`, their text and keywords in `bytes`. False: damaged, or of a later version; err->at
 * is the offset of the line.
 */
bool mbox_record_parse(struct str bytes, struct arena *arena, struct mbox_record *out, struct err *err);

/* The whole file anew, without stale lines. */
void mbox_record_format(const struct mbox_record *r, struct buf *out);
/* The lines that say what may be given from now on, and what a letter stands for. */
void mbox_record_uidnext(uint32_t uidnext, struct buf *out);
void mbox_record_modseq(uint64_t modseq, struct buf *out);
void mbox_record_keyword(unsigned letter, struct str name, struct buf *out);

/* The kept text, or the empty slice. */
struct str mbox_record_uidl(const struct mbox_record *r, uint32_t uid);
/* What POP3 shows: the kept text, uid and uidvalidity as 16 hex digits where Dovecot was before, else uidvalidity and uid. */
enum { MBOX_RECORD_UIDL_MAX = 70 };
struct str mbox_record_shown_uidl(const struct mbox_record *r, uint32_t uid, char out[MBOX_RECORD_UIDL_MAX + 1]);

#endif
