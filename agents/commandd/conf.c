#include "agents/commandd/conf.h"

CONF_DEFINE(commandd, COMMANDD_CONF)
