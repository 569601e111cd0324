/* user - the users in passwd_file, for the commands that change it. */
#ifndef CTL_USER_H
#define CTL_USER_H

#include "ctl.h"

/* Whether the passwd-file can have a user of that name. */
bool user_name_ok(struct str name);
/* From the terminal, without echo, or a line of standard input. False: told. */
bool user_read_password(const struct ctl *ctl, bool from_stdin, struct buf *out);
/* Adds a user; the password is wiped. An exit status. *there: that user exists, and stays as it is. */
int user_add(struct ctl *ctl, struct str name, struct buf *password, bool *there);

#endif
