/*
 * address_list - the addresses of a header field (RFC 5322, 3.4, and the obsolete forms of 4.4), one by one.
 *
 * For showing and searching, not for delivery: every input gives something, in linear time. Groups are told by their
 * begin and end, as IMAP's ENVELOPE wants them. Words without an address are a name, a single one a local part.
 */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "base/arena.h"

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP, ADDRESS_GROUP_END };

struct address {
	enum address_kind kind;
	struct str name;    /* display name, or the comment in its place, or the group's; unquoted, single blanks */
	struct str route;   /* obsolete source route, or empty */
	struct str mailbox; /* local part, unquoted */
	struct str host;    /* empty: none was given */
};

struct address_iter {
	struct str rest;
	struct arena *arena; /* for parts that had to be put together */
	bool in_group;
};

/* The next one; false at the end. */
bool address_next(struct address_iter *it, struct address *out);

#endif
