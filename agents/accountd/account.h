/* account - one question about an account of this host, in a process of its own, as root: PAM and NSS need it. */
#ifndef ACCOUNTD_ACCOUNT_H
#define ACCOUNTD_ACCOUNT_H

#include "ipc/messages.h"

/* LOGIN_OK, LOGIN_REFUSED, or LOGIN_LATER. `pam_service` empty: by the shadow file. */
uint8_t account_check(const char *user, const char *password, const char *pam_service);

/* uid, gid and home; result LOGIN_REFUSED when there is no such account. `home` backs m->home. */
void account_find(const char *user, struct buf *home, struct mailbox *m);

#endif
