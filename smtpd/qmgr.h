/* qmgr - queue ids, room, spool files, and the commit. */
#ifndef SMTPD_QMGR_H
#define SMTPD_QMGR_H

#include "session.h"

/* An id of the stock; false: it is empty. Asks for more when it runs low. */
bool qmgr_take_id(struct smtpd *smtpd, struct transaction *t);
void qmgr_return_id(struct smtpd *smtpd, const struct transaction *t);
/* For a session that found the stock empty: s->mail->id is set when the verdict is 250. */
void qmgr_ask_id(struct session *s, void (*then)(struct session *s, struct reply verdict));
/* Fills the stock. */
void qmgr_fill_stock(struct smtpd *smtpd);

void qmgr_room(struct session *s, uint64_t size, void (*then)(struct session *s, struct reply verdict));
/* s->mail->spool is set when the verdict is 250. */
void qmgr_open_spool(struct session *s, void (*then)(struct session *s, struct reply verdict));
void qmgr_drop_spool(struct session *s);
/* Everything of s->mail; 250 means that it is on disk. */
void qmgr_commit(struct session *s, void (*then)(struct session *s, struct reply verdict));

#endif
