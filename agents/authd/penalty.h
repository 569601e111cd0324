/*
 * penalty - how long the answer to a refused login is held back: it grows with the failures from one network, in
 * whatever protocol they come. Right passwords are never held back, so others behind the same address are not harmed,
 * and the same wrong password tried again (a device with an old one) counts once. No clock: time is an argument.
 */
#ifndef AUTHD_PENALTY_H
#define AUTHD_PENALTY_H

#include "base/hash.h"

enum { PENALTY_ENTRIES_MAX = 10000, PENALTY_FORGET_MS = 60 * 60 * 1000 };

struct penalties {
	struct table by_network;
};

/* A login from `address` was refused: the delay for its answer. `what` is a keyed hash of user and password. */
int64_t penalty_add(struct penalties *p, struct str address, uint64_t what, int64_t now_ms, int64_t base_ms,
		    int64_t most_ms);
/*
 * Has this network failed so often (0: never too often), and the last time less than PENALTY_FORGET_MS ago, that no password of it is
 * looked at any more?
 */
bool penalty_is_barred(const struct penalties *p, struct str address, int64_t now_ms, int64_t most_failures);
void penalty_free(struct penalties *p);

#endif
