#include "agents/authd/conf.h"

CONF_DEFINE(authd, AUTHD_CONF)
