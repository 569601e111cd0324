/* Parameters of pop3d(8). */
#ifndef POP3D_CONF_H
#define POP3D_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define POP3D_CONF(CONF) CONF_FRONT(CONF)

CONF_DECLARE(pop3d, POP3D_CONF)

#endif
