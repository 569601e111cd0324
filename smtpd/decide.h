/* decide - policy of smtpd as pure functions: facts in, reply out. No I/O. */
#ifndef SMTPD_DECIDE_H
#define SMTPD_DECIDE_H

#include "commands.h"

/* Does the first word of a line belong to HTTP? */
bool decide_is_http(struct str verb);
/* What a command needs and the session lacks; code 0: nothing. */
struct reply decide_needs(const struct session *s, unsigned needs);
/* When a command may come: as its table says, and MAIL at once where no EHLO is needed. */
unsigned decide_states(const struct session *s, const struct command *c);
bool decide_offers_starttls(const struct session *s);
bool decide_offers_auth(const struct session *s);
/* After the end of data: what is wrong with the message itself; code 0: nothing. */
struct reply decide_message(const struct smtpd_conf *conf, const struct data_decoder *data, const struct header_scan *scan);
/* Is the size that the client declared too much? code 0: no. */
struct reply decide_size(const struct smtpd_conf *conf, uint64_t size);

#endif
