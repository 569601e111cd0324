/*
 * sleep - giving the process back while the client is silent: the state goes to the front, the process ends, and a new
 * one takes it up when the client speaks or the folder changes.
 */
#ifndef IMAPSESSION_SLEEP_H
#define IMAPSESSION_SLEEP_H

#include "session.h"

/*
 * Call it with nothing unread and nothing unsent, after all news has been told. True: the session is asleep (s->asleep), and
 * must end without a word. False: not now; `idle` sessions then look for news by themselves.
 */
bool sleep_try(struct session *s);

/* Takes up the state of a session that slept. False: it cannot be; the session says BYE. */
bool sleep_wake(struct session *s, struct str state);

#endif
