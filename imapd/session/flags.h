/*
 * flags - message flags as IMAP names them: system flags, and keywords by the folder's letters. $Forwarded is the Maildir
 * flag P, so that other programs see it.
 */
#ifndef IMAPSESSION_FLAGS_H
#define IMAPSESSION_FLAGS_H

#include "mbox/view.h"
#include "parse.h"

enum { FLAGS_KEYWORDS_MAX = 100 /* in one command */ };

struct flags {
	uint32_t system; /* MBOX_* */
	struct str *keywords;
	size_t n;
};

/* "(" flags ")". */
bool flags_parse_list(struct parse *p, struct flags *out);
/* The same, or flags without brackets. */
bool flags_parse(struct parse *p, struct flags *out);

/* " (\Seen kw)" without the blank. */
void flags_put(struct buf *out, const struct mbox_view *v, uint32_t flags, bool recent);
/* All that a message here can have, as FLAGS tells them; without brackets. */
void flags_put_all(struct buf *out, const struct mbox_view *v);

bool flags_is_forwarded(struct str keyword);
/* The bits of a keyword; `make`: it becomes one of the folder. 0: no message has it, or no letter is left. */
uint32_t flags_bit(struct mbox_view *v, struct str keyword, bool make, struct err *err);

#endif
