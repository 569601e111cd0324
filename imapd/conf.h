/* Parameters of imapd(8). */
#ifndef IMAPD_CONF_H
#define IMAPD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define IMAPD_CONF(CONF)                                                                                               \
	CONF_FRONT(CONF)                                                                                               \
	CONF_IMAP_SESSION_TIMEOUT(CONF)                                                                                \
	CONF(imap_idle_notify_interval, time, "2m", "0", "1h", "A client in IDLE hears a line this often, so that nothing on its way forgets the connection. 0: never.")

CONF_DECLARE(imapd, IMAPD_CONF)

#endif
