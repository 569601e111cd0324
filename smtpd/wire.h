/* wire - the only file that sees the client's bytes. */
#ifndef SMTPD_WIRE_H
#define SMTPD_WIRE_H

#include "session.h"

extern const struct stream_events wire_events;

#endif
