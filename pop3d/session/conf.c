#include "pop3d/session/conf.h"

CONF_DEFINE(pop3session, POP3SESSION_CONF)
