/* dns_inner - the parts of tayori dns that ask nothing of the DNS: other routes, and the facts for people. */
#ifndef CTL_DNS_INNER_H
#define CTL_DNS_INNER_H

#include <jansson.h>

#include "ctl.h"

/* Adds "route" to the facts when transport_maps or relayhost send mail for the domain elsewhere. */
void dns_tell_route(struct ctl *ctl, struct str domain, json_t *facts);
void dns_print(const json_t *facts);

#endif
