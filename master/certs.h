/* certs - notices certificates and keys that were renewed on disk, and has them taken up without a reload. */
#ifndef MASTER_CERTS_H
#define MASTER_CERTS_H

#include "service.h"

/* Looks now and then from now on, as certificate_check_interval says. Called again after a reload. */
void certs_watch(struct master *m);

#endif
