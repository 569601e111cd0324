/* remote - how other hosts are dealt with: TLS, and who we are to them. */
#ifndef LOOKUPD_REMOTE_H
#define LOOKUPD_REMOTE_H

#include "ipc/messages.h"
#include "policy.h"

/* Texts in `arena`. Code 250, or 451 when a table cannot answer or holds what is no policy. */
void remote_find(struct policy *p, const struct remote_policy *q, struct arena *arena, struct remote_policy_answer *out);

#endif
