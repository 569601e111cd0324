#include "agents/dialer/conf.h"

CONF_DEFINE(dialer, DIALER_CONF)
