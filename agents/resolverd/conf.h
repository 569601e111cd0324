/* Parameters of resolverd(8). */
#ifndef RESOLVERD_CONF_H
#define RESOLVERD_CONF_H

#include "conf/conf.h"

#define RESOLVERD_CONF(CONF)                                                                                           \
	CONF(resolver_forward, text, "", "", "", "Name servers to ask, as ADDRESS or ADDRESS@PORT; system: those of /etc/resolv.conf. Empty: it resolves by itself, from the root on.") \
	CONF(resolver_trust_anchor_file, file, "/usr/share/dns/root.key", "", "", "What DNSSEC is validated against; empty: nothing is validated.") \
	CONF(resolver_query_limit, count, "1000", "1", "100K", "Questions at work at a time; further ones are told to come again.") \
	CONF(resolver_cache_size, size, "8M", "64K", "4G", "Memory for cached answers.")

CONF_DECLARE(resolverd, RESOLVERD_CONF)

#endif
