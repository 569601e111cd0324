/* inner - what the files of lib/front share. */
#ifndef FRONT_INNER_H
#define FRONT_INNER_H

#include "front/front.h"

/* proxy.c: bytes between the client's TLS and the session's socket, from now on. `fd`: our end of the pair. */
void proxy_start(struct front_conn *c, int fd);
/* login.c */
void login_sasl_line(struct front_conn *c, struct str line);
/* front.c: the end of a connection. */
void conn_free(void *conn);

#endif
