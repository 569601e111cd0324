#include "agents/keyd/conf.h"

CONF_DEFINE(keyd, KEYD_CONF)
