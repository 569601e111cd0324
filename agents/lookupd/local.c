/* local asks before it runs a command or writes a file of an alias: is it there? */
#include <stdio.h>

#include "expand.h"
#include "lookupd.h"

static void on_check(struct channel *ch, uint32_t serial, void *message)
{
	const struct alias_check *m = message;
	struct reply r = expand_has_target(lookupd_policy(ch), m->address, m->target);
	char status[16];

	snprintf(status, sizeof(status), "%u.%u.%u", r.enh[0], r.enh[1], r.enh[2]);
	struct verdict v = { .code = (uint16_t)r.code, .status = str_from(status), .text = str_from(r.text) };
	channel_answer(ch, serial, &verdict_schema, &v);
}

const struct ipc_handler local_handlers[1] = { { &alias_check_schema, on_check } };
