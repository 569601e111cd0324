/*
 * text - what people read in a message, as UTF-8: encoded words (RFC 2047), charsets through iconv, and the search
 * for words in it.
 *
 * iconv loads modules from files, which cannot be done behind a fence: whoever will decode calls text_preload before
 * it. Afterwards nothing here opens a file, whatever charset a message names. Not for threads: conversions are
 * shared. Unknown charsets and octets that are none of the charset become U+FFFD; nothing fails.
 */
#ifndef MAIL_TEXT_H
#define MAIL_TEXT_H

#include "mail/mime.h"

/* Makes iconv load what the charsets of mail need; they stay loaded in this process and those it forks. */
void text_preload(void);

/* Whether a charset is known (RFC 3501: SEARCH CHARSET). */
bool text_charset_ok(struct str charset);

/*
 * Adds `bytes` of `charset` as UTF-8. Some charsets are read as the larger ones for which they are used (iso-8859-1
 * as windows-1252, gb2312 as gb18030, ...); 8-bit octets of us-ascii as UTF-8 or, where they are none, Latin-1.
 */
void text_to_utf8(struct str charset, struct str bytes, struct buf *out);

/*
 * Adds a header value: unfolded, encoded words decoded, 8-bit octets between them taken as UTF-8 or, where they are
 * none, Latin-1.
 */
void text_header(struct str value, struct buf *out);

/*
 * Adds the form in which texts are compared: Unicode case folding over NFKD (full-width and half-width letters are
 * one; NFC and NFD are one). Runs of blanks and line ends become one blank, so that a phrase is found over a fold.
 */
void text_fold(struct str utf8, struct buf *out);

/* Whether folded `text` holds folded `needle`; an empty needle is always held. Linear (memmem). */
bool text_holds(struct str text, struct str needle);

/*
 * Whether the message (LF line ends, with its tree) holds the folded needle: in its header and bodies (IMAP TEXT), or
 * in the bodies only (BODY): every text/... part decoded, headers of message/rfc822 parts and of MIME parts decoded;
 * other parts are not looked into. At most TEXT_OCTETS_MAX of each part.
 */
enum { TEXT_OCTETS_MAX = 64 << 20 };
bool text_search(struct str message, const struct mime_part *root, bool with_header, struct str folded);

/*
 * Whether a field of that name, decoded and folded, holds the folded needle; an empty needle: whether there is one.
 */
bool text_search_field(struct str header, struct str name, struct str folded);

#endif
