/*
 * compat - main.cf as Postfix has it: which of its names exist there and not here, which say the same under another name,
 * and table types that are read another way. All of it is told, once, with its line.
 */
#ifndef HOUSE_COMPAT_H
#define HOUSE_COMPAT_H

#include "conf/file.h"

/* " name name ... ", sorted. */
extern const char compat_postfix_names[];
/* A parameter of Postfix, or one of the kind TRANSPORT_destination_... of any transport. */
bool compat_is_postfix(struct str name);

/* What `ours` is because another name in main.cf says so. False: none does. */
bool compat_value(struct conf_assignment *main, struct str ours, struct str *value);
/* Values of Postfix's own that other values may refer to, such as $mail_name. */
bool compat_fact(struct str name, struct str *value);

/*
 * hash:FILE and btree:FILE become texthash:FILE (the text that postmap would compile), proxy:TYPE:NAME becomes
 * TYPE:NAME. False: nothing to change.
 */
bool compat_tables(struct buf *value);
/* "ipv4, ipv6" is "all". False: it is none of these. */
bool compat_protocols(struct buf *value);
/* The first line of a file, such as /etc/mailname. False with errno. */
bool compat_first_line(struct str path, struct buf *out);

/* What is to be told about an assignment, if anything: another name's, or a table's that is read another way. */
bool compat_tell(const struct conf_assignment *main, const struct conf_assignment *a, bool known, struct buf *why);

#endif
