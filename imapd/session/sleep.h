/*
 * sleep - giving the process back while the client is silent: the state goes to the front, the process ends, and a new
 * one takes it up when the client speaks or the folder changes.
 */
#ifndef IMAPSESSION_SLEEP_H
#define IMAPSESSION_SLEEP_H

#include "session.h"

enum sleep_result {
	SLEEP_ASLEEP, /* s->asleep: the session must end without a word */
	SLEEP_NEWS,   /* something has changed in the folder: tell it, and try again */
	SLEEP_NOT,    /* not now; a session in IDLE looks for news by itself */
};

/* Call it with nothing unread and nothing unsent, after all news has been told. */
enum sleep_result sleep_try(struct session *s);

/* Takes up the state of a session that slept. False: it cannot be; the session says BYE. */
bool sleep_wake(struct session *s, struct str state);

#endif
