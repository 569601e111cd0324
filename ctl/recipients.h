/* recipients - the addresses in To, Cc and Bcc (RFC 5322, 3.4), for sendmail -t. */
#ifndef CTL_RECIPIENTS_H
#define CTL_RECIPIENTS_H

#include "base/buf.h"

/*
 * Calls `found` for each address of an address list: comments, display names and groups are passed over. Linear;
 * comments may nest 100 deep. False: malformed from there on; what was found before stands.
 */
bool recipients_parse(struct str list, void (*found)(void *arg, struct str address), void *arg);

#endif
