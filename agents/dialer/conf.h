/* Parameters of dialer(8). */
#ifndef DIALER_CONF_H
#define DIALER_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define DIALER_CONF(CONF) CONF_UNIX_SOCKETS(CONF)

CONF_DECLARE(dialer, DIALER_CONF)

#endif
