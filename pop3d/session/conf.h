/* Parameters of the sessions of pop3d(8). */
#ifndef POP3SESSION_CONF_H
#define POP3SESSION_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define POP3SESSION_CONF(CONF)                                                                                         \
	CONF_VIRTUAL_MAILBOX_BASE(CONF)                                                                                \
	CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF(pop3_session_timeout, time, "10m", "10s", "1h", "A silent session ends after this time. RFC 1939 wants 10 minutes at least.") \
	CONF(pop3_process_limit, count, "1000", "1", "100K", "Session processes at a time.")

CONF_DECLARE(pop3session, POP3SESSION_CONF)

#endif
