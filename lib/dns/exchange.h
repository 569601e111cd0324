/*
 * exchange - the hosts to which mail for a domain goes, in the order in which they are tried (RFC 5321, 5.1; RFC 7505).
 *
 * A search asks at most EXCHANGE_QUESTIONS_MAX questions about the EXCHANGE_HOSTS_MAX best hosts and takes at most the
 * time that it is given; what it has found by then counts. Only an answer that says no for sure (no such name, null MX) is a reason to return mail.
 */
#ifndef DNS_EXCHANGE_H
#define DNS_EXCHANGE_H

#include "base/arena.h"
#include "dns/dns.h"

enum { EXCHANGE_QUESTIONS_MAX = 60, EXCHANGE_HOSTS_MAX = 20, EXCHANGE_ADDRESSES_MAX = 40 };

struct exchange_address {
	uint8_t octets[16];
	uint8_t n; /* 4 or 16 */
	bool secure;
	uint16_t preference;
	struct str host; /* its name, for TLS and the log; of a literal: the literal */
};

enum exchange_result {
	EXCHANGE_OK,
	EXCHANGE_LATER,	  /* the DNS does not say: try again */
	EXCHANGE_NO_NAME, /* the domain does not exist */
	EXCHANGE_NULL_MX, /* it takes no mail */
	EXCHANGE_SELF,	  /* the best host that is left would be this one */
};

/* What a search needs to know beside the domain. Its slices are needed as long as the search goes on. */
struct exchange_rules {
	bool mx;		  /* look for MX; else the domain is a host */
	bool ipv4, ipv6;
	uint8_t first; /* 4 or 16: addresses of so many octets come first of a host; 0: as they come */
	struct str myhostname;
	const struct exchange_address *own; /* addresses of this host: its MX is found by them */
	size_t n_own;
	int64_t most_ms;
};

struct exchange {
	struct channel *resolverd;
	struct exchange_rules rules;
	struct arena arena;
	struct str domain;
	bool mx_secure; /* the MX answer (or the lack of one) was validated */
	struct exchange_host {
		struct str name;
		uint16_t preference;
		uint32_t order; /* random among equals */
		bool failed;
	} hosts[EXCHANGE_HOSTS_MAX];
	size_t n_hosts, at;
	struct exchange_address found[EXCHANGE_ADDRESSES_MAX];
	size_t n;
	struct dns_question questions[2];
	unsigned waiting, asked;
	int64_t until_ms;
	char why[200]; /* for a person, when the result is not OK */
	void (*done)(struct exchange *x, enum exchange_result result);
	void *arg; /* the owner's */
};

/*
 * Looks for `domain`: a name, "[name]" (no MX), "[192.0.2.1]" or "[IPv6:2001:db8::1]". `done` is never called from within.
 * Then found[0..n-1] are in order. The owner calls exchange_stop at last, which also ends a search under way.
 */
void exchange_start(struct exchange *x, struct channel *resolverd, struct str domain, const struct exchange_rules *rules,
		    void (*done)(struct exchange *x, enum exchange_result result), void *arg);
void exchange_stop(struct exchange *x);

/* The addresses that this host has now, for exchange_rules; the caller frees them. */
struct exchange_address *exchange_own(size_t *n);

#endif
