/* CREATE DELETE RENAME SUBSCRIBE UNSUBSCRIBE STATUS: folders by name. */
#include "names.h"
#include "status.h"

/* A trailing delimiter says that folders below it are wanted; the name is without it (RFC 3501, 6.3.3). */
void cmd_create(struct session *s, struct request *r)
{
	struct err err = { 0 };
	struct str wire, name;

	if (!parse_space(&r->in) || !parse_astring(&r->in, &wire)) {
		answer_bad(r, NULL);
		return;
	}
	if (wire.n > 1 && str_ends(wire, STR(".")))
		wire.n--;
	if (request_end(r) && name_read(r, wire, &name))
		answer_mbox(r, mbox_create(s->user, name, &err), &err, "NONEXISTENT");
}

void cmd_delete(struct session *s, struct request *r)
{
	struct err err = { 0 };
	struct str name;

	if (!name_take(r, &name) || !request_end(r))
		return;
	if (str_eq(name, STR("INBOX"))) {
		answer_no(r, "CANNOT", "INBOX stays");
		return;
	}
	if (s->view && str_eq(s->view->name, name))
		session_unselect(s);
	answer_mbox(r, mbox_delete(s->user, name, &err), &err, "NONEXISTENT");
}

void cmd_rename(struct session *s, struct request *r)
{
	struct err err = { 0 };
	struct str from, to;

	if (!name_take(r, &from) || !name_take(r, &to) || !request_end(r))
		return;
	if (str_eq(to, STR("INBOX")))
		answer_no(r, "ALREADYEXISTS", "there is an INBOX already");
	else
		answer_mbox(r, mbox_rename(s->user, from, to, &err), &err, "NONEXISTENT");
}

static void subscribe(struct session *s, struct request *r, bool on)
{
	struct err err = { 0 };
	struct str name;

	if (name_take(r, &name) && request_end(r))
		answer_mbox(r, mbox_subscribe(s->user, name, on, &err), &err, "NONEXISTENT");
}

void cmd_subscribe(struct session *s, struct request *r)
{
	subscribe(s, r, true);
}

void cmd_unsubscribe(struct session *s, struct request *r)
{
	subscribe(s, r, false);
}

enum status_item {
	STATUS_MESSAGES,
	STATUS_RECENT,
	STATUS_UIDNEXT,
	STATUS_UIDVALIDITY,
	STATUS_UNSEEN,
	STATUS_DELETED,
	STATUS_SIZE,
	STATUS_HIGHESTMODSEQ,
	STATUS_APPENDLIMIT,
	STATUS_ITEMS,
};

static const char *const item_names[STATUS_ITEMS] = {
	"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "DELETED", "SIZE", "HIGHESTMODSEQ", "APPENDLIMIT",
};

static bool take_item(struct parse *p, unsigned *items)
{
	for (size_t i = 0; i < STATUS_ITEMS; i++)
		if (parse_try_word(p, item_names[i])) {
			*items |= 1u << i;
			return true;
		}
	return parse_wrong(p, "no such item of STATUS");
}

bool status_parse(struct parse *p, unsigned *items)
{
	if (!parse_char(p, '('))
		return false;
	do
		if (!take_item(p, items))
			return false;
	while (parse_try(p, ' '));
	return parse_char(p, ')');
}

static uint64_t item_value(const struct session *s, const struct mbox_status *st, size_t item)
{
	switch (item) {
	case STATUS_MESSAGES: return st->messages;
	case STATUS_RECENT: return st->recent;
	case STATUS_UIDNEXT: return st->uidnext;
	case STATUS_UIDVALIDITY: return st->uidvalidity;
	case STATUS_UNSEEN: return st->unseen;
	case STATUS_DELETED: return st->deleted;
	case STATUS_SIZE: return st->octets;
	case STATUS_HIGHESTMODSEQ: return st->modseq;
	default: return (uint64_t)s->conf->message_size_limit;
	}
}

enum mbox_result status_tell(struct session *s, struct str name, unsigned items, struct err *err)
{
	struct buf *out = &s->wire.out;
	struct mbox_status st;
	enum mbox_result result = mbox_status(s->user, name, &st, err);
	bool first = true;

	if (result)
		return result;
	if (items & 1u << STATUS_HIGHESTMODSEQ)
		session_enable(s, ENABLED_CONDSTORE);
	buf_add(out, STR("* STATUS "));
	name_put(out, name);
	buf_add(out, STR(" ("));
	for (size_t i = 0; i < STATUS_ITEMS; i++) {
		if (!(items & 1u << i))
			continue;
		buf_addf(out, "%s%s ", first ? "" : " ", item_names[i]);
		put_number(out, item_value(s, &st, i));
		first = false;
	}
	buf_add(out, STR(")\r\n"));
	wire_tide(&s->wire);
	return MBOX_OK;
}

void cmd_status(struct session *s, struct request *r)
{
	struct err err = { 0 };
	unsigned items = 0;
	struct str name;

	if (!name_take(r, &name))
		return;
	if (!parse_space(&r->in) || !status_parse(&r->in, &items) || !parse_end(&r->in)) {
		answer_bad(r, NULL);
		return;
	}
	answer_mbox(r, status_tell(s, name, items, &err), &err, "NONEXISTENT");
}
