/* commands - POP3 before the login (RFC 1939, 2449, 2595, 5034): the front's whole grammar. */
#ifndef POP3D_COMMANDS_H
#define POP3D_COMMANDS_H

#include "front/front.h"

void commands_greet(struct front_conn *c);
void commands_line(struct front_conn *c, struct str line);

#endif
