/* smtpd asks: may this sender be used, may this recipient be reached? Its authority is what master told, nothing else. */
#include <stdio.h>

#include "access.h"
#include "base/time.h"
#include "decide.h"
#include "expand.h"
#include "lookupd.h"

enum { TELL_MS = 60000 };

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

static void on_address(struct channel *ch, uint32_t serial, void *message)
{
	const struct check_address *m = message;

	if (m->what < ADDRESS_OURS || m->what > ADDRESS_OWNED) {
		channel_break(ch, "an unknown question about an address");
		return;
	}
	struct reply r = decide_address(lookupd_policy(ch), m->what, m->address);
	answer(ch, serial, &r);
}

/* While a reload goes round smtpd may know other lists than we do, so the channel must live on. */
static void tell_refused(struct channel *ch, struct str table)
{
	struct lookupd *l = ((struct run *)ch->arg)->state;
	int64_t now_ms = clock_mono_ms();

	if (l->refused_ms && now_ms - l->refused_ms < TELL_MS)
		return;
	l->refused_ms = now_ms;
	log_line(&l->run->log, LOG_WARNING, "warning: smtpd asks for table %.*s, which no restriction names: refused",
		 STR_ARG(str_head(table, 100)));
}

/* smtpd may be taken over: it hears what the tables of restrictions say, and of no other table anything. */
static void on_access(struct channel *ch, uint32_t serial, void *message)
{
	const struct check_access *m = message;
	struct policy *p = lookupd_policy(ch);
	const struct maps *table = access_table(p, m->table);
	scoped_buf struct buf value = { 0 };

	struct access_answer a = { .result = ACCESS_TROUBLE };

	if (m->kind < ACCESS_KEY_CLIENT || m->kind > ACCESS_KEY_ADDRESS || m->name.n > ACCESS_NAME_MAX ||
	    m->address.n > ACCESS_NAME_MAX) {
		channel_break(ch, "a malformed question to a table");
		return;
	}
	enum dict_result r = table ? access_find(p, table, m->kind, m->name, m->address, &value) : DICT_ERROR;
	if (!table)
		tell_refused(ch, m->table);
	if (r == DICT_MISSING)
		a.result = ACCESS_NO_ROW;
	if (r == DICT_FOUND && value.n <= DICT_LINE_MAX)
		a = (struct access_answer){ ACCESS_ROW, buf_str(&value) };
	channel_answer(ch, serial, &access_answer_schema, &a);
}

const struct ipc_handler smtpd_handlers[4] = { { &check_sender_schema, on_sender },
					       { &check_recipient_schema, on_recipient },
					       { &check_address_schema, on_address },
					       { &check_access_schema, on_access } };
