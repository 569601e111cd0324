#include "qmgr/conf.h"

CONF_DEFINE(qmgr, QMGR_CONF)
