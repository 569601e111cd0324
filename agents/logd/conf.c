#include "agents/logd/conf.h"

CONF_DEFINE(logd, LOGD_CONF)
