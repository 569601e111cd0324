#include "agents/lookupd/conf.h"

CONF_DEFINE(lookupd, LOOKUPD_CONF)
