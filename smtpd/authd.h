/* authd - logins. */
#ifndef SMTPD_AUTHD_H
#define SMTPD_AUTHD_H

#include "session.h"

/* Asks; the session is busy until the answer is given to the client. */
void authd_ask(struct session *s, struct str user, struct str password);

#endif
