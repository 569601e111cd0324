/* vanished - UIDs that are no more, for clients that come back (RFC 7162, 3.2). */
#ifndef IMAPSESSION_VANISHED_H
#define IMAPSESSION_VANISHED_H

#include "rows.h"

/* "* VANISHED (EARLIER)" with those of the set that were expunged after `modseq`. Normalizes the set. */
void vanished_tell(struct session *s, struct sequence *set, uint64_t modseq);

#endif
