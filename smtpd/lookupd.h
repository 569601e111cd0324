/* lookupd - verdicts on senders and recipients. */
#ifndef SMTPD_LOOKUPD_H
#define SMTPD_LOOKUPD_H

#include "session.h"

/* Asks about the sender, or the recipient in s->pending; `then` gets the verdict as a reply (code 250: yes). The session is busy meanwhile. */
void lookupd_sender(struct session *s, void (*then)(struct session *s, struct reply verdict));
void lookupd_recipient(struct session *s, void (*then)(struct session *s, struct reply verdict));

/* "5.1.1" and a text from a peer as a reply; anything odd becomes a 451. */
struct reply lookupd_reply(uint16_t code, struct str status, struct str text);

#endif
