/*
 * restrict - the words of smtpd_*_restrictions as a program of steps. Grammar only: what a step means, checks.h says.
 *
 * Limits: 500 steps a list.
 */
#ifndef SMTP_RESTRICT_H
#define SMTP_RESTRICT_H

#include "base/arena.h"
#include "base/err.h"

enum { RESTRICT_STEPS_MAX = 500 };

/* What lookupd is asked about a table: keys of these kinds have parts that are tried too. */
enum access_key {
	ACCESS_KEY_CLIENT = 1, /* a host's name and its address */
	ACCESS_KEY_NAME,       /* a host's name */
	ACCESS_KEY_ADDRESS,    /* a mailbox; empty: the null sender */
};

/* What lookupd is asked about an address. */
enum address_question {
	ADDRESS_OURS = 1, /* is its domain ours, and no further host named in it? */
	ADDRESS_LISTED,	  /* if it is ours, does it exist? */
	ADDRESS_OWNED,	  /* does it belong to a login? */
};

/* In the order in which they are asked. */
enum restrict_list {
	RESTRICT_CLIENT,
	RESTRICT_HELO,
	RESTRICT_SENDER,
	RESTRICT_RELAY,
	RESTRICT_RECIPIENT,
	RESTRICT_DATA,
	RESTRICT_LISTS,
};

enum check {
	CHECK_PERMIT,
	CHECK_REJECT,
	CHECK_DEFER,
	CHECK_PERMIT_MYNETWORKS,
	CHECK_PERMIT_LOGIN,
	CHECK_PERMIT_OURS,
	CHECK_REJECT_NOT_OURS,
	CHECK_DEFER_NOT_OURS,
	CHECK_PIPELINING,
	CHECK_HELO_INVALID,
	CHECK_HELO_FQDN,
	CHECK_HELO_UNKNOWN,
	CHECK_SENDER_FQDN,
	CHECK_RECIPIENT_FQDN,
	CHECK_SENDER_DOMAIN,
	CHECK_RECIPIENT_DOMAIN,
	CHECK_CLIENT_NAME,
	CHECK_CLIENT_REVERSE,
	CHECK_SENDER_LISTED,
	CHECK_RECIPIENT_LISTED,
	CHECK_SENDER_LOGIN,
	CHECK_SENDER_LOGIN_AUTHENTICATED,
	CHECK_SENDER_LOGIN_UNAUTHENTICATED,
	CHECK_RBL_CLIENT,
	CHECK_RHSBL_CLIENT,
	CHECK_RHSBL_REVERSE,
	CHECK_RHSBL_HELO,
	CHECK_RHSBL_SENDER,
	CHECK_RHSBL_RECIPIENT,
	CHECK_CLIENT_ACCESS,
	CHECK_REVERSE_ACCESS,
	CHECK_HELO_ACCESS,
	CHECK_SENDER_ACCESS,
	CHECK_RECIPIENT_ACCESS,
};

struct restrict_step {
	enum check check;
	bool warn;	   /* behind warn_if_reject: a refusal is only told */
	struct str arg;	   /* the table, as type:name; the domain of a list in the DNS */
	struct str filter; /* of such a list: which answers count, "127.0.0.[2;4..7]"; empty: all */
};

struct restrict_program {
	struct restrict_step *steps;
	size_t n;
};

/* Does the check ask a table? */
bool restrict_has_table(enum check check);

/* The list that a parameter is: "smtpd_client_restrictions". False: none. */
bool restrict_list_of(struct str parameter, enum restrict_list *out);

/*
 * `tables`: checks with a table may stand there; they may not in the rows of a table. False, with the word that is wrong
 * and what may be meant. Texts are copied into `arena`.
 */
bool restrict_parse(struct str text, enum restrict_list list, bool tables, struct arena *arena,
		    struct restrict_program *out, struct err *err);

/* Is the address (4 octets of IPv4) one that "127.0.0.[2;4..7]" lets count? An empty filter: those of 127.0.0.0/8, but for
 * 127.255.255.0/24, with which lists say that they do not answer. */
bool restrict_filter_has(struct str filter, const uint8_t address[4]);

#endif
