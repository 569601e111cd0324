/* records - what a domain publishes in the DNS so that its mail arrives here and is believed elsewhere. */
#ifndef CTL_RECORDS_H
#define CTL_RECORDS_H

#include <stdio.h>

#include "base/str.h"

/* Rows of a zone file, each kind with its reason. Addresses are those of this machine, or placeholders. */
void records_print(FILE *out, struct str domain, struct str host);

#endif
