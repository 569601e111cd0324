#include "agents/resolverd/conf.h"

CONF_DEFINE(resolverd, RESOLVERD_CONF)
