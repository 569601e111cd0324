#include "agents/accountd/conf.h"

CONF_DEFINE(accountd, ACCOUNTD_CONF)
