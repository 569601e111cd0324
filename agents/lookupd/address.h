/* address - recipients and senders as keys: which spellings are looked up, in which order (Postfix's). */
#ifndef LOOKUPD_ADDRESS_H
#define LOOKUPD_ADDRESS_H

#include "policy.h"

/* Canonical: with a domain, which is in lower case; the local part as written. */
struct address {
	struct str whole, local, domain;
	struct str user, extension; /* of local; user is all of it when there is no extension */
	bool extended;
};

/*
 * Takes an address, adding @myorigin to one without a domain. The text is copied into `arena`. False: no address (RFC
 * 5321, 4.1.2, or UTF-8 as in RFC 6531), with route tricks such as a@b@c too.
 */
bool address_take(const struct policy *p, struct str text, struct arena *arena, struct address *out);

enum address_form {
	FORM_FULL = 1,	 /* user+ext@domain */
	FORM_PLAIN = 2,	 /* user@domain */
	FORM_LOCAL = 4,	 /* user+ext, user: when the domain is myorigin or one of mydestination */
	FORM_DOMAIN = 8, /* @domain */
	FORM_ALL = 15,
	FORM_MAILBOX = FORM_FULL | FORM_PLAIN | FORM_DOMAIN,
};

/*
 * Looks up these forms, in the order in which they stand; in tables of patterns only the first one. `form`, may be NULL: which one was found; FORM_PLAIN also for
 * "user", when the extension was left out.
 */
enum dict_result address_find(struct policy *p, const struct maps *m, const struct address *a, unsigned forms,
			      struct buf *value, enum address_form *form);

/* Is it in the list of domains? */
enum dict_result domain_find(struct policy *p, const struct maps *m, struct str domain);

#endif
