/*
 * alias_list - the items of a value of aliases(5), of a .forward file or of an :include: list, one by one.
 *
 * Items are divided by commas and line ends; quotes keep commas, never line ends, together. In files, lines that begin
 * with # are comments. Linear; at most ALIAS_ITEM_MAX octets an item, without control characters.
 */
#ifndef MAIL_ALIAS_LIST_H
#define MAIL_ALIAS_LIST_H

#include "base/buf.h"

enum { ALIAS_ITEM_MAX = 1000 };

enum alias_kind {
	ALIAS_ADDRESS, /* user, user@domain; not checked further */
	ALIAS_MAILBOX, /* \user: that account's mailbox, whatever else its name leads to */
	ALIAS_COMMAND, /* |command */
	ALIAS_FILE,    /* /path */
	ALIAS_INCLUDE, /* :include:/path */
	ALIAS_BAD,     /* too long, or a quote that does not end, or control characters */
};

struct alias_item {
	enum alias_kind kind;
	/*
	 * One spelling of each: `"|cat -n"` and `|"cat -n"` are `|cat -n`, `":include:/x y"` is `:include:/x y`, "Anna <a@b>" is a@b, and
	 * `\user` is user. Of a bad one its beginning, as it stands.
	 */
	struct str text;
};

struct alias_list {
	struct str rest;
	bool file;	 /* it may have comments */
	bool inside;	 /* its own: in the middle of a line */
	struct buf item; /* backs the last item */
};

/* The next one, valid until the one after it; false at the end. Empty items are passed over. */
bool alias_list_next(struct alias_list *list, struct alias_item *out);

static inline void alias_list_free(struct alias_list *list)
{
	buf_free(&list->item);
}
#define scoped_alias_list __attribute__((cleanup(alias_list_free)))

#endif
