#include "local/conf.h"

CONF_DEFINE(local, LOCAL_CONF)
