/* user - the one spelling of a virtual user's name, in password files, mailbox tables and logins. */
#ifndef DICT_USER_H
#define DICT_USER_H

#include "base/buf.h"

enum { USER_NAME_MAX = 255 };

/*
 * Lower case, `domain` added when it has none; replaces what is in `out`. False: it can be no user's (too long, not
 * UTF-8, control octets, blanks, '/', ':', a part that is empty or begins with '.').
 */
bool user_canonical(struct str name, struct str domain, struct buf *out);

#endif
