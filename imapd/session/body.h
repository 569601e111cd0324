/*
 * body - a message's file: read as far as it is needed, and sent with CRLF line ends. The last one is kept, since
 * clients ask for a large message piece by piece.
 *
 * Octets on the wire: LF without CR becomes CRLF, NUL becomes 0x80 (it must not be sent, and no length may change).
 */
#ifndef IMAPSESSION_BODY_H
#define IMAPSESSION_BODY_H

#include "mail/mime.h"
#include "session.h"

enum {
	BODY_WHOLE_MAX = 1 << 20, /* smaller files are read at once */
	BODY_TREE_MAX = 256 << 20, /* larger ones have no parts here: EFBIG */
};

/* A part of the file, or a text that was made from it. */
struct extent {
	bool made;
	struct str text;   /* made */
	uint64_t from, to; /* else: octets of the file */
};

/* Where the last piece that was sent ended: the next one mostly begins there. */
struct mark {
	bool valid;
	uint64_t from, to; /* the extent */
	uint64_t size;	   /* of it on the wire */
	uint64_t at, file; /* these two are one place: on the wire, and in the file */
	char last;	   /* the octet before it */
};

struct body {
	uint32_t uid;
	int fd;
	uint64_t size;
	struct buf bytes; /* the beginning of the file, or all of it */
	bool header_known;
	size_t header; /* octets of the header with its empty line */
	bool ended_well; /* it has that line */
	struct arena arena;
	const struct mime_part *root;
	struct mark mark;
};

/* The message of a row; the session's, until the next call or body_forget. NULL with errno: it is gone, or cannot be read. */
struct body *body_open(struct session *s, size_t row);
void body_forget(struct session *s);

/* False with errno: the file cannot be read, or has become shorter. */
bool body_header(struct body *b, struct str *header);
bool body_whole(struct body *b, struct str *message);
bool body_tree(struct body *b, struct str *message, const struct mime_part **root);

/* Octets on the wire. */
bool extent_size(struct body *b, const struct extent *x, uint64_t *size);
/* Sends octets [from, to) of the extent as it is on the wire. False: fewer could be sent, and the connection is of no use any more. */
bool extent_send(struct body *b, const struct extent *x, uint64_t from, uint64_t to, struct wire *w);

#endif
