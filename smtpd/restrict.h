/*
 * restrict - the restrictions of each service, read at start and at reload, and a session's way through them: what they
 * ask (lib/smtp/checks.h) is asked of lookupd and resolverd here.
 */
#ifndef SMTPD_RESTRICT_H
#define SMTPD_RESTRICT_H

#include "session.h"

enum stage { STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGES };

/* The lists of all services, anew. Sessions that are on their way through the old ones go on with those. */
bool restrict_load(struct smtpd *smtpd, struct err *err);

/* Is there anything to ask now? */
bool restrict_wanted(const struct session *s, enum stage stage);
/*
 * Asks it. `then` hears code 0 when nothing stands against it, else the reply, which is in the log already; a reply that
 * ends the session is given here, and then is not called. It may be called before this returns.
 */
void restrict_run(struct session *s, enum stage stage, void (*then)(struct session *s, struct reply r));
/* Forgets a way that is not at its end. */
void restrict_end(struct session *s);

#endif
