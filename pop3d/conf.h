/* Parameters of pop3d(8). */
#ifndef POP3D_CONF_H
#define POP3D_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define POP3D_CONF(CONF)                                                                                               \
	CONF_MYHOSTNAME(CONF)                                                                                          \
	CONF_TLS(CONF)                                                                                                 \
	CONF(front_tls_auth_only, bool, "yes", "", "", "Accept logins only under TLS. No is for tests on loopback.")      \
	CONF(front_login_timeout, time, "1m", "1s", "10m", "Time to log in.")                                            \
	CONF(front_session_limit, count, "10K", "1", "1M", "Connections of this service at a time.")                   \
	CONF(front_auth_limit, count, "5", "1", "100", "Failed logins in one connection before it is closed.")         \
	CONF(front_client_connection_count_limit, count, "50", "1", "100K", "Connections that one client address may hold at a time.") \
	CONF(front_tls, choice, "starttls", "none|starttls|required|implicit", "", "TLS is not offered, offered by STLS, needed before a login, or begins with the connection (port 995).")

CONF_DECLARE(pop3d, POP3D_CONF)

#endif
