/* match - mailbox names against LIST's patterns: '*' stands for anything, '%' for anything without the delimiter '.'. */
#ifndef IMAPSESSION_MATCH_H
#define IMAPSESSION_MATCH_H

#include "base/str.h"

enum { MATCH_NAME_MAX = 1024, MATCH_PATTERN_MAX = 1024 };

/* At most n * m steps; false for what is longer than the limits. `blind`: to case. */
bool match_name(struct str pattern, struct str name, bool blind);

#endif
