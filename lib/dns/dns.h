/*
 * dns - questions to resolverd, asked in the loop. Whoever asks has resolverd among its servers.
 *
 * A name that is no host name (dns_name_ok) is not asked about: DNS_FAILED, as everything that is neither an answer nor a
 * sure no. Nobody may bounce mail for that.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "dns/packet.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

struct dns_reply {
	enum dns_result result; /* ipc/messages.h: DNS_FOUND, DNS_NO_DATA, DNS_NO_NAME, DNS_FAILED */
	bool secure;		/* validated by DNSSEC */
	uint32_t ttl;
	struct strs records; /* as packet.h has them */
	struct str canonical, why;
};

struct dns_question {
	struct call call;
	void (*done)(void *arg, const struct dns_reply *reply); /* its slices live as long as the call; not within dns_ask */
	void *arg;
	uint16_t type;
};

/* `q` must be idle. `ms`: the longest wait, after which it is DNS_FAILED. */
void dns_ask(struct dns_question *q, struct channel *resolverd, struct str name, uint16_t type, int64_t ms,
	     void (*done)(void *arg, const struct dns_reply *reply), void *arg);
/* Harmless on an idle one. */
void dns_cancel(struct dns_question *q);

/* The name under which the reverse of an address is asked: "1.2.0.192.in-addr.arpa". `octets`: 4 or 16 of them. */
void dns_reverse_name(struct str octets, struct buf *out);

#endif
