/* names - folders' names between the client's modified UTF-7 and lib/mbox's UTF-8; the delimiter is '.' in both. */
#ifndef IMAPSESSION_NAMES_H
#define IMAPSESSION_NAMES_H

#include "commands.h"

enum { NAME_WIRE_MAX = 1000 };

/* Takes a space and a mailbox name; BAD or NO has been answered when this is false. *out lies in the request's arena. */
bool name_take(struct request *r, struct str *out);
/* A name as the client gave it; NO [CANNOT] has been answered when this is false. */
bool name_read(struct request *r, struct str wire, struct str *out);
/* As an astring of the wire. */
void name_put(struct buf *out, struct str name);

#endif
