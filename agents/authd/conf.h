/* Parameters of authd(8). */
#ifndef AUTHD_CONF_H
#define AUTHD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define AUTHD_CONF(CONF)                                                                                               \
	CONF_VIRTUAL_MAILBOX_BASE(CONF)                                                                                \
	CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF(passwd_file, file, "", "", "", "Virtual users: lines user@domain:password hash[:uid:gid:comment:home]. See tayori-user(1).") \
	CONF_AUTH_DEFAULT_DOMAIN(CONF)                                                                                 \
	CONF(auth_system_users, bool, "no", "", "", "Accounts of this host may log in and have mailboxes.")                \
	CONF(virtual_mailbox_user, text, "tayori-mail", "1", "", "The system user that owns the virtual users' mail.")      \
	CONF(home_mailbox, text, "Maildir", "1", "", "The mail folder of a system account, in its home.")                    \
	CONF(auth_failure_delay, time, "2s", "0", "1m", "A refused login is answered after this time; it grows with each failure from the same client.") \
	CONF(auth_failure_delay_most, time, "15s", "0", "5m", "The longest such delay.")                                  \
	CONF(auth_failure_limit, count, "100", "0", "100K", "So many refused logins from one client address (of an IPv6 /64), whatever the protocol and the user, and it may not log in at all until it has been quiet for an hour. The same wrong password tried again does not count. 0: no limit.") \
	CONF(auth_workers, count, "2", "1", "64", "Threads that hash passwords.")

CONF_DECLARE(authd, AUTHD_CONF)

#endif
