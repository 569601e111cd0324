/* commands - IMAP before the login (RFC 3501, 6.1, 6.2; 4959): the front's whole grammar. */
#ifndef IMAPD_COMMANDS_H
#define IMAPD_COMMANDS_H

#include "front/front.h"

void commands_greet(struct front_conn *c);
void commands_line(struct front_conn *c, struct str line);
/* The tagged answer to the login under way, such as "NO text". */
void commands_answer(struct front_conn *c, const char *text);

#endif
