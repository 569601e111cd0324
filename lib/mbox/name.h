/*
 * name - the name of a message's file, in parts. Pure.
 *
 *   <seconds>.<unique>.<host>,S=<octets>,W=<octets with CRLF>,T=<uidvalidity>.<uid>:2,<flags>
 *
 * Names by other programs are taken as they come: each part may be missing, and fields of other letters are kept.
 */
#ifndef MBOX_NAME_H
#define MBOX_NAME_H

#include "base/buf.h"

enum { MBOX_NAME_MAX = 255, MBOX_ID_MAX = 64, MBOX_HOST_MAX = 64 };

struct mbox_name {
	struct str base;      /* before the first ':': stays the same when the flags change */
	struct str stem;      /* before the first ',' of the base */
	struct str info;      /* after the first ':' */
	struct str flags;     /* after "2," of the info */
	struct str id;	      /* delivery id, when the unique part has our form */
	int64_t seconds;      /* -1: none */
	int64_t size, vsize;  /* -1: none */
	uint32_t uidvalidity; /* 0: no tag; then uid is 0 too */
	uint32_t uid;
};

/*
 * False for what is no message's name: empty, too long, begins with '.', contains '/' or NUL. Where a field stands
 * twice, the first well-formed one counts.
 */
bool mbox_name_parse(struct str file, struct mbox_name *out);

/* The flags as bits of mbox.h; what is no letter of a flag is passed over. */
uint32_t mbox_name_flags(struct str flags);

/* The letters of the flags, as they stand in a name. */
enum { MBOX_LETTERS_MAX = 32 };
size_t mbox_name_letters(uint32_t flags, char out[MBOX_LETTERS_MAX]);

/*
 * The name `old` with these flags. Capital letters that are no flag of ours stay. A name that would pass MBOX_NAME_MAX is
 * replaced by a short one as mbox_name_tag does it.
 */
void mbox_name_reflag(const struct mbox_name *old, uint32_t flags, struct buf *out);

/* 1 to MBOX_ID_MAX of A-Z a-z 0-9 - _ */
bool mbox_id_ok(struct str id);

/*
 * "<seconds>.M<microseconds><id>.<host>" into `out`. In the host, what would end a part or is not printable is
 * written as \ooo; it is cut to MBOX_HOST_MAX octets.
 */
void mbox_name_stem(int64_t now_us, struct str id, struct str host, struct buf *out);

/*
 * The name `old` with new S, W and T fields instead of its own; info ":2," when there was none. A name that would pass
 * MBOX_NAME_MAX is replaced by a short one with the same seconds and flags.
 */
void mbox_name_tag(const struct mbox_name *old, int64_t size, int64_t vsize, uint32_t uidvalidity, uint32_t uid,
		   struct buf *out);

/* The base of the name without a T field: what another program knows it by. */
void mbox_name_untag(const struct mbox_name *old, struct buf *out);

#endif
