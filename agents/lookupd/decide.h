/*
 * decide - who may send as whom, and to whom: Postfix's address classes. A question, tables in; a reply out.
 */
#ifndef LOOKUPD_DECIDE_H
#define LOOKUPD_DECIDE_H

#include "address.h"
#include "smtp/reply.h"
#include "smtp/restrict.h"

/* Whose a domain is: the first of the lists that has it. */
enum address_class {
	CLASS_LOCAL,   /* mydestination: accounts and names in alias_maps */
	CLASS_ALIAS,   /* virtual_alias_domains */
	CLASS_MAILBOX, /* virtual_mailbox_domains */
	CLASS_RELAY,   /* relay_domains: ours to take, others' to deliver */
	CLASS_OTHER,
};
/* False: a table cannot answer. */
bool decide_class(struct policy *p, struct str domain, enum address_class *out);

/* 451 4.3.0 "<text>: Temporary lookup failure". */
struct reply decide_trouble(struct str text);

/* What a restriction asks about an address: code 250, or why not. */
struct reply decide_address(struct policy *p, enum address_question what, struct str address);

/* Code 250, or why not. `login` is empty without one. */
struct reply decide_sender(struct policy *p, uint32_t authority, struct str login, struct str sender);
/*
 * The recipient as the client gave it. Mail for elsewhere is only for a logged-in client of a submission service, and
 * for users of this host.
 */
struct reply decide_recipient(struct policy *p, uint32_t authority, struct str login, struct str recipient);
/* A recipient of mail that was taken with this authority, before it is expanded: the same rule, the login being known. */
struct reply decide_given(struct policy *p, uint32_t authority, struct str recipient, const struct address *a);

#endif
