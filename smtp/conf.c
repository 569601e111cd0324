#include "smtp/conf.h"

CONF_DEFINE(smtp, SMTP_CONF)
