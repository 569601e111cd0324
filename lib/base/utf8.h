/* utf8 - strict UTF-8 (RFC 3629), and base64 (RFC 4648, 4). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* Well formed: no overlong form, no surrogate, nothing over U+10FFFF. */
bool utf8_valid(struct str s);
bool ascii_only(struct str s);

/* Strict: no blanks, padding required and canonical. False and nothing added when `in` is not base64. */
bool base64_decode(struct str in, struct buf *out);
bool base64_encode(struct str in, struct buf *out);

#endif
