#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/err.h"
#include "dns/exchange.h"

static bool take(const struct sockaddr *a, struct exchange_address *own)
{
	*own = (struct exchange_address){ 0 };
	if (a && a->sa_family == AF_INET) {
		own->n = 4;
		memcpy(own->octets, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	} else if (a && a->sa_family == AF_INET6) {
		own->n = 16;
		memcpy(own->octets, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
	}
	return own->n > 0;
}

struct exchange_address *exchange_own(size_t *n)
{
	struct exchange_address *list = NULL, one;
	struct ifaddrs *all = NULL;

	*n = 0;
	if (getifaddrs(&all) < 0)
		return NULL;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next)
		if (take(i->ifa_addr, &one)) {
			list = reallocarray(list, *n + 1, sizeof(one));
			ASSERT(list);
			list[(*n)++] = one;
		}
	freeifaddrs(all);
	return list;
}
