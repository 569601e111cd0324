#include "pop3d/conf.h"

CONF_DEFINE(pop3d, POP3D_CONF)
