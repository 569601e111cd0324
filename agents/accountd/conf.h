/* Parameters of accountd(8). */
#ifndef ACCOUNTD_CONF_H
#define ACCOUNTD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define ACCOUNTD_CONF(CONF)                                                                                            \
	CONF(auth_pam_service, text, "", "", "", "Check passwords of this host's accounts by PAM under this service name; empty: by the shadow file.") \
	CONF(accountd_process_limit, count, "20", "1", "1000", "Questions at a time; each has a process of its own.")    \
	CONF(accountd_time_limit, time, "15s", "1s", "5m", "A question that takes longer is given up.")

CONF_DECLARE(accountd, ACCOUNTD_CONF)

#endif
