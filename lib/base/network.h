/* network - whom an address belongs to, for counting what comes from there. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include "base/str.h"

enum { NETWORK_MAX = 64 };

/*
 * An IPv4 address, or the /64 of an IPv6 one, in `out`: within it a host chooses its address freely. An IPv4 address written as
 * IPv6 is the IPv4 one. What is no address ("local") is itself.
 */
struct str network_of(struct str address, char out[NETWORK_MAX]);

#endif
