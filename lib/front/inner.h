/* inner - what the files of lib/front share. */
#ifndef FRONT_INNER_H
#define FRONT_INNER_H

#include "front/front.h"

/* proxy.c: bytes between the client's TLS and the session's socket, from now on. `fd`: our end of the pair. */
void proxy_start(struct front_conn *c, int fd);
/* Moves what is here already, for which no event comes. */
void proxy_take(struct front_conn *c);
/* login.c */
void login_sasl_line(struct front_conn *c, struct str line);
/* front.c: the end of a connection. */
void conn_free(void *conn);
/* sleep.c: the client's stream is ours no more, the session has it; false: it cannot be let go. */
bool sleep_hold(struct front_conn *c);
/* Bytes have come from the session: perhaps the last that a sleeper had sent. */
void sleep_moved(struct front_conn *c);

#endif
