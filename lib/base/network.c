#include "base/network.h"

#include <arpa/inet.h>
#include <stdio.h>

struct str network_of(struct str address, char out[NETWORK_MAX])
{
	struct in6_addr six;

	snprintf(out, NETWORK_MAX, "%.*s", STR_ARG(str_head(address, NETWORK_MAX - 1)));
	if (inet_pton(AF_INET6, out, &six) != 1)
		return str_from(out);
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		inet_ntop(AF_INET, six.s6_addr + 12, out, NETWORK_MAX);
		return str_from(out);
	}
	memset(six.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &six, out, NETWORK_MAX);
	return str_from(out);
}
