/* Parameters of local(8). */
#ifndef LOCAL_CONF_H
#define LOCAL_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define LOCAL_CONF(CONF)                                                                                               \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_VIRTUAL_MAILBOX_BASE(CONF)                                                                                \
	CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF_RECIPIENT_DELIMITER(CONF)                                                                                 \
	CONF_ALIASES(CONF)                                                                                             \
	CONF(mailbox_delivery_lock, text, "fcntl, dotlock", "1", "", "How a file is locked while a message is appended: fcntl, flock, dotlock, one or more.") \
	CONF(deliver_lock_attempts, count, "20", "1", "1000", "Try so often to lock a file, then defer the message.")     \
	CONF(deliver_lock_delay, time, "1s", "1s", "1m", "Wait this long between two tries to lock a file.")             \
	CONF(stale_lock_time, time, "500s", "1s", "1d", "A dotlock that is older was left behind by a program that died, and is removed.") \
	CONF(local_child_idle_time, time, "5s", "1s", "10m", "A delivery process waits this long for its user's next mail.") \
	CONF(local_process_limit, count, "200", "1", "10K", "Delivery processes at a time.")                              \
	CONF(local_delivery_time_limit, time, "5m", "10s", "1h", "A delivery that takes longer is ended, and deferred.")

CONF_DECLARE(local, LOCAL_CONF)

#endif
