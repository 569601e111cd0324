/*
 * mime - the parts of a message (RFC 2045, 2046) with LF line ends, as a tree of offsets into it.
 *
 * Every input has a tree: what is malformed, or passes a limit below, is a part without parts in it. Time and memory
 * are linear in the message; the memory of the tree is bounded by the limits.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	MIME_DEPTH_MAX = 100,	   /* parts within parts; deeper ones are leaves */
	MIME_PARTS_MAX = 10000,	   /* of a message; the last one then takes all that is left of its parent */
	MIME_HEADER_MAX = 1 << 20, /* octets of one header; what comes after them counts as body */
	MIME_PARAMS_MAX = 100,	   /* parameters of a field that are kept */
};

/* A parameter of Content-Type or Content-Disposition; the value unquoted, RFC 2231 left as it is. */
struct mime_param {
	struct mime_param *next;
	struct str name, value;
};

struct mime_part {
	struct mime_part *parent, *child, *next; /* child: the first part within; next: its neighbour */
	size_t head;				 /* offset of the header's first octet */
	size_t body;				 /* of the body's first octet; == head: there is no header */
	size_t end;		     /* behind the body; the line end before a boundary belongs to the boundary */
	size_t lines;		     /* LFs of the body */
	size_t head_bare, body_bare; /* LFs without a CR before them, in header and body: what CRLF line ends add */
	struct str type, subtype;    /* as written; defaults (text plain, message rfc822 in a digest) filled in */
	struct mime_param *params; /* of Content-Type, in order; charset=us-ascii filled in for a text without a type */
	struct str id, description, md5, location; /* unfolded */
	struct str encoding;			   /* a token; "7bit" when none */
	struct str language;			   /* tags and commas, without blanks and comments */
	struct str disposition;			   /* its type; empty: none */
	struct mime_param *disposition_params;
	bool multipart; /* its children are the parts; none when there is no boundary, or at a limit */
	bool message; /* message/rfc822 or /global; its one child is the message within; none: encoded, or at a limit */
	unsigned depth;
};

/* The tree of a whole message; all in `arena` or in `message`. */
struct mime_part *mime_parse(struct str message, struct arena *arena);

/*
 * The part that IMAP calls by numbers (RFC 3501, 6.4.5): {} is the message, {1} of a message without multipart its
 * body; a number after a message/rfc822 goes into the message within. NULL: there is none.
 */
const struct mime_part *mime_part(const struct mime_part *root, const uint32_t *numbers, size_t n);

/* The value of a parameter by name without case, or {0}. */
struct str mime_param(const struct mime_param *list, struct str name);

/*
 * Undoes base64 or quoted-printable, all others pass through. Never fails: what is no code is left out (base64) or
 * stays (quoted-printable). Line ends of `out` are as they come. Nothing is added when `out` has no room for body.n
 * octets.
 */
void mime_decode(struct str encoding, struct str body, struct buf *out);

#endif
