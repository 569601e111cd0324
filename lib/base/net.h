/* net - IP addresses and networks, as texts and as bits. */
#ifndef BASE_NET_H
#define BASE_NET_H

#include "base/str.h"

enum { NET_TEXT_MAX = 64 };

struct net {
	uint8_t octets[16]; /* the first four of IPv4 */
	uint8_t size;	    /* 4 or 16 */
	uint8_t prefix;	    /* how many bits count; of an address all */
};

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]". False: none. */
bool net_address(struct str text, struct net *out);
/* An address, or one with "/24" behind it, inside the brackets or behind them. NULL, or why it is none. */
const char *net_parse(struct str text, struct net *out);
/*
 * Whom an address belongs to, for counting what comes from there: an IPv4 address itself, the /64 of an IPv6 one, within which a
 * host chooses its address freely. An IPv4 address written as IPv6 is the IPv4 one. What is no address ("local") is itself.
 */
struct str net_owner(struct str address, char out[NET_TEXT_MAX]);
bool net_has(const struct net *net, const struct net *address);

#endif
