#include "smtpd/conf.h"

CONF_DEFINE(smtpd, SMTPD_CONF)
