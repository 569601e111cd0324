/* status - the items of STATUS, for the command and for LIST RETURN (STATUS (...)). */
#ifndef IMAPSESSION_STATUS_H
#define IMAPSESSION_STATUS_H

#include "commands.h"

/* "(" items ")" as bits. */
bool status_parse(struct parse *p, unsigned *items);
/* "* STATUS name (...)". */
enum mbox_result status_tell(struct session *s, struct str name, unsigned items, struct err *err);

#endif
