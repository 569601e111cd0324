/*
 * clients - what each client's network does: sessions now, and events in a unit of time (anvil_rate_time_unit), for each service
 * by itself. Programs of this host (unix sockets) and
 * clients in smtpd_client_event_limit_exceptions are not counted.
 */
#ifndef SMTPD_CLIENTS_H
#define SMTPD_CLIENTS_H

#include "session.h"

enum client_event { CLIENT_CONNECTION, CLIENT_MESSAGE, CLIENT_RECIPIENT, CLIENT_AUTH, CLIENT_TLS, CLIENT_EVENTS };

/* A session begins. False: there are too many of its client, or they come too fast. Its end is to be told in any case. */
bool clients_enter(struct session *s);
void clients_leave(struct session *s);
/* Counts something that the client wants. False: too often; the first time in a unit it is logged. */
bool clients_event(struct session *s, enum client_event event);

#endif
