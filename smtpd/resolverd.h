/* resolverd - what the DNS says of a client. */
#ifndef SMTPD_RESOLVERD_H
#define SMTPD_RESOLVERD_H

#include "session.h"

/*
 * Looks for the client's name: the one that its address has and that leads back to the address, else "unknown". The session is busy
 * until it is known, or is not to be had in time.
 */
void resolverd_name(struct session *s);

#endif
