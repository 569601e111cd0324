#include "imapd/conf.h"

CONF_DEFINE(imapd, IMAPD_CONF)
