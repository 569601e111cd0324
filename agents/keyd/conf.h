/* Parameters of keyd(8). */
#ifndef KEYD_CONF_H
#define KEYD_CONF_H

#include "conf/conf.h"
#include "proc/common.h"

#define KEYD_CONF(CONF)                                                                                                \
	CONF(tls_cert_file, file, "", "", "", "Certificate chains (PEM), the server's own first; a second one may have another kind of key. Empty: no TLS.") \
	CONF(tls_key_file, file, "$tls_cert_file", "", "", "The private keys, in the same order. Only root need be able to read them.")

CONF_DECLARE(keyd, KEYD_CONF)

#endif
