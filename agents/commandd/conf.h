/* Parameters of commandd(8). */
#ifndef COMMANDD_CONF_H
#define COMMANDD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define COMMANDD_CONF(CONF)                                                                                            \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_FIRST_VALID_UID(CONF)                                                                                     \
	CONF_RECIPIENT_DELIMITER(CONF)                                                                                 \
	CONF_ALIASES(CONF)                                                                                             \
	CONF(command_time_limit, time, "1000s", "1s", "19m", "A command that takes longer is ended, with all that it has started, and its mail goes back.") \
	CONF(command_process_limit, count, "100", "1", "10K", "Commands at a time.")

CONF_DECLARE(commandd, COMMANDD_CONF)

#endif
