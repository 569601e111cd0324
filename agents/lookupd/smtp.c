/* smtp asks: how is this host to be dealt with? */
#include "lookupd.h"
#include "remote.h"

static void on_policy(struct channel *ch, uint32_t serial, void *message)
{
	scoped_arena struct arena arena = { 0 };
	struct remote_policy_answer a;

	remote_find(lookupd_policy(ch), message, &arena, &a);
	channel_answer(ch, serial, &remote_policy_answer_schema, &a);
}

const struct ipc_handler smtp_handlers[1] = { { &remote_policy_schema, on_policy } };
