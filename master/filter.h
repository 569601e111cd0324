/* filter - the seccomp program of each sandbox: built here, once, so that only master carries libseccomp. */
#ifndef MASTER_FILTER_H
#define MASTER_FILTER_H

#include "base/err.h"
#include "house/house.h"

/* A memfd that holds the program; the caller owns it. -1 with err. */
int filter_build(enum sandbox sandbox, struct err *err);

#endif
