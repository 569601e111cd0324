#include "imapd/session/conf.h"

CONF_DEFINE(imapsession, IMAPSESSION_CONF)
