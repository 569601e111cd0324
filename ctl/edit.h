/* edit - main.cf as a text that people have written: one assignment is changed, all else stays as it is. */
#ifndef CTL_EDIT_H
#define CTL_EDIT_H

#include "base/buf.h"

/* Adds `text` to `out`, the line of `name` changed and its continuation lines gone, or a line added at the end. */
void edit_assign(struct str text, struct str name, struct str value, struct buf *out);

#endif
