/* charset - bytes of a charset to UTF-8, piece by piece. Inside lib/mail; text.h is what others use. */
#ifndef MAIL_CHARSET_H
#define MAIL_CHARSET_H

#include "base/buf.h"

struct charset_reader {
	const struct charset *set; /* NULL: unknown */
	int multi;		   /* the conversion in use; -1: none, or not known before the first bytes */
	struct buf inner;	   /* escapes undone: the same text in a charset of 8-bit bytes */
	uint8_t escape, shift;	   /* of charset_unescape_* */
	bool second;		   /* the next byte is the second one of two */
};

void charset_begin(struct charset_reader *r, struct str name);
void charset_free(struct charset_reader *r);

/*
 * Adds UTF-8; returns how many bytes were read: all of them when `last`, else perhaps not those of a character that
 * is not complete. Only one reader at a time: conversions are shared.
 */
size_t charset_convert(struct charset_reader *r, struct str bytes, bool last, struct buf *out);

/* Whether ASCII stands for itself in this charset. */
bool charset_is_plain(const struct charset_reader *r);

/* Adds bytes of which nothing is known: UTF-8 or, where they are none, Latin-1. */
void charset_guess(struct str bytes, struct buf *out);

/*
 * To r->inner: ISO-2022-JP (RFC 1468, with the sets that are used beyond it) as EUC-JP, ISO-2022-KR (RFC 1557) as
 * EUC-KR, HZ (RFC 1843) as GB 2312. A line end ends every shift, as it should in mail, so that damage stays within a
 * line.
 */
void charset_unescape_jp(struct charset_reader *r, struct str bytes);
void charset_unescape_kr(struct charset_reader *r, struct str bytes);
void charset_unescape_hz(struct charset_reader *r, struct str bytes);

#endif
