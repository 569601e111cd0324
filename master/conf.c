#include "master/conf.h"

CONF_DEFINE(master, MASTER_CONF)
