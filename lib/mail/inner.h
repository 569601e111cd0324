/* What the parsers of lib/mail share: pieces of structured header fields (RFC 5322, 3.2), read leniently. */
#ifndef MAIL_INNER_H
#define MAIL_INNER_H

#include "mail/header.h"
#include "mail/mime.h"

static inline bool lex_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Length of the quoted string (comment) at the beginning of `s`, its ends included; all of `s` when it is not closed.
 */
size_t lex_quoted(struct str s, bool *closed);
size_t lex_comment(struct str s);

/* Eats blanks, line ends and comments. */
void lex_skip(struct str *s);
/* Eats a token of RFC 2045 (8-bit octets allowed), perhaps an empty one. */
struct str lex_token(struct str *s);

/* Without blanks and line ends at both ends. */
struct str lex_trim(struct str s);
/*
 * `s` without line ends and, if `pairs`, without the backslashes of quoted pairs: a slice of it, or put together in
 * `a`.
 */
struct str lex_plain(struct str s, bool pairs, struct arena *a);

/* Takes in a field of a part's header; the first one of a name counts. */
void mime_field(struct mime_part *p, const struct header_field *f, struct arena *a);
/* After the last field: defaults, and what follows from the type. */
void mime_fields_end(struct mime_part *p, struct arena *a);

/*
 * Undoes an encoding piece by piece; {0} with `encoding` and `rest` set. Each call reads at least one octet and about
 * `most`; false when there is nothing left.
 */
struct mime_decoder {
	struct str encoding, rest;
	uint32_t bits;
	unsigned n_bits;
};
bool mime_decode_some(struct mime_decoder *d, size_t most, struct buf *out);

/* "envelope" that takes at most `most` octets more than one of nothing but NIL. */
void imap_envelope_within(struct str header, size_t most, struct buf *out);
enum { IMAP_QUOTED_MAX = 1000 }; /* octets of a quoted string */
/* Upper bound of what imap_string adds. */
static inline size_t imap_string_cost(struct str s)
{
	return s.n > IMAP_QUOTED_MAX ? s.n + 24 : 2 * s.n + 24;
}

#endif
