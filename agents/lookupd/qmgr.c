/* qmgr asks: where do these recipients' letters go? */
#include <stdio.h>

#include "expand.h"
#include "lookupd.h"

static void on_route(struct channel *ch, uint32_t serial, void *message)
{
	const struct route *m = message;
	scoped_routes struct routes routes = { 0 };
	struct reply r = expand(lookupd_policy(ch), m->authority, m->sender, &m->recipients, &routes);
	char status[16];

	snprintf(status, sizeof(status), "%u.%u.%u", r.enh[0], r.enh[1], r.enh[2]);
	struct route_answer answer = { .code = (uint16_t)r.code, .status = str_from(status), .text = str_from(r.text) };
	if (r.code == 250)
		answer.routes = routes.list;
	channel_answer(ch, serial, &route_answer_schema, &answer);
}

const struct ipc_handler qmgr_handlers[1] = { { &route_schema, on_route } };
