/* smtpd asks: may this sender be used, may this recipient be reached? Its authority is what master told, nothing else. */
#include <stdio.h>

#include "decide.h"
#include "expand.h"
#include "lookupd.h"

static void answer(struct channel *ch, uint32_t serial, const struct reply *r)
{
	char status[16];

	snprintf(status, sizeof(status), "%u.%u.%u", r->enh[0], r->enh[1], r->enh[2]);
	struct verdict m = { .code = (uint16_t)r->code, .status = str_from(status), .text = str_from(r->text) };
	channel_answer(ch, serial, &verdict_schema, &m);
}

static void on_sender(struct channel *ch, uint32_t serial, void *message)
{
	const struct check_sender *m = message;
	struct reply r = decide_sender(lookupd_policy(ch), ch->peer.authority, m->login, m->sender);

	answer(ch, serial, &r);
}

/* A recipient whose aliases are broken is deferred here, alone, and not with the whole message at its end. */
static void on_recipient(struct channel *ch, uint32_t serial, void *message)
{
	const struct check_recipient *m = message;
	struct policy *p = lookupd_policy(ch);
	struct reply r = decide_recipient(p, ch->peer.authority, m->login, m->recipient);

	if (r.code == 250) {
		struct reply expanded = expand_check(p, m->recipient);
		if (expanded.code != 250)
			r = expanded;
	}
	answer(ch, serial, &r);
}

const struct ipc_handler smtpd_handlers[2] = { { &check_sender_schema, on_sender },
					       { &check_recipient_schema, on_recipient } };
