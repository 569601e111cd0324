/* Parameters of logd(8). */
#ifndef LOGD_CONF_H
#define LOGD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define LOGD_CONF(CONF)                                                                                                \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF(maillog_file, file, "/var/log/tayori/tayori.log", "", "", "Write the log to this file; /dev/stdout: to standard output; empty: to syslog.") \
	CONF(syslog_name, text, "tayori", "1", "", "The word before the daemon's name in each line.")                    \
	CONF(syslog_facility, choice, "mail", "mail|daemon|local0|local1|local2|local3|local4|local5|local6|local7", "", "The facility of lines to syslog.") \
	CONF(maillog_size_limit, size, "100M", "64K", "100G", "A larger file is renamed to NAME.1 and a new one begun.")    \
	CONF(maillog_file_count, count, "5", "1", "1000", "How many renamed files are kept.")

CONF_DECLARE(logd, LOGD_CONF)

#endif
