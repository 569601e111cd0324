/* tell - what a fresh or reloaded daemon is told about itself, over its control channel. */
#ifndef MASTER_TELL_H
#define MASTER_TELL_H

#include "service.h"

/* The parameters' values of all its services, and a descriptor of each folder that they name. */
void tell_settings(struct service *s);
/* How to lock itself in. False with err: its user does not exist. */
bool tell_walls(struct service *s, struct err *err);
void tell_listeners(struct service *s, const struct listeners *list);
/* These are no more. */
void tell_closed(struct service *s, const struct listeners *l);

#endif
