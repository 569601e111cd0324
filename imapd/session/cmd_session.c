/* Commands that need no folder: CAPABILITY NOOP LOGOUT ID ENABLE IDLE NAMESPACE, and those of the time before the login. */
#include "commands.h"

enum { ID_PAIRS_MAX = 30 };

void capabilities_put(const struct session *s, struct buf *out)
{
	buf_add(out, STR("IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS UNSELECT CHILDREN MOVE SPECIAL-USE "
			 "LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH CONDSTORE QRESYNC APPENDLIMIT="));
	put_number(out, (uint64_t)s->conf->message_size_limit);
}

void cmd_capability(struct session *s, struct request *r)
{
	if (!request_end(r))
		return;
	buf_add(&s->wire.out, STR("* CAPABILITY "));
	capabilities_put(s, &s->wire.out);
	buf_add(&s->wire.out, STR("\r\n"));
}

void cmd_noop(struct session *s, struct request *r)
{
	(void)s;
	request_end(r);
}

void cmd_logout(struct session *s, struct request *r)
{
	if (!request_end(r))
		return;
	wire_say(&s->wire, "* BYE until next time");
	s->over = true;
}

void cmd_already(struct session *s, struct request *r)
{
	(void)s;
	answer_bad(r, "you are logged in already");
}

static bool take_id_pairs(struct parse *p)
{
	struct str key, value;
	bool nil;
	size_t n = 0;

	if (parse_try(p, ')'))
		return true;
	do {
		if (n++ == ID_PAIRS_MAX)
			return parse_wrong(p, "too many fields");
		if (!parse_string(p, &key) || !parse_space(p) || !parse_nstring(p, &value, &nil))
			return false;
	} while (parse_try(p, ' '));
	return parse_char(p, ')');
}

/* RFC 2971. What the client is has no effect here. */
void cmd_id(struct session *s, struct request *r)
{
	struct parse *p = &r->in;

	if (!parse_space(p) || !(parse_try_word(p, "NIL") || (parse_char(p, '(') && take_id_pairs(p))) ||
	    !parse_end(p)) {
		answer_bad(r, NULL);
		return;
	}
	wire_say(&s->wire, "* ID (\"name\" \"Tayori\")");
}

void session_enable(struct session *s, unsigned what)
{
	s->enabled |= what;
}

void cmd_enable(struct session *s, struct request *r)
{
	unsigned asked = 0;
	struct str word;

	do {
		if (!parse_space(&r->in) || !parse_atom(&r->in, &word)) {
			answer_bad(r, NULL);
			return;
		}
		if (str_ieq(word, STR("CONDSTORE")))
			asked |= ENABLED_CONDSTORE;
		else if (str_ieq(word, STR("QRESYNC")))
			asked |= ENABLED_CONDSTORE | ENABLED_QRESYNC;
	} while (r->in.rest.n > 0);
	unsigned fresh = asked & ~s->enabled;
	session_enable(s, asked);
	wire_say(&s->wire, "* ENABLED%s%s", fresh & ENABLED_CONDSTORE ? " CONDSTORE" : "",
		 fresh & ENABLED_QRESYNC ? " QRESYNC" : "");
}

void cmd_idle(struct session *s, struct request *r)
{
	if (!request_end(r))
		return;
	buf_add(&s->idle_tag, r->tag);
	wire_put(&s->wire, STR("+ idling\r\n"));
	r->status = ANSWER_NONE;
}

void cmd_namespace(struct session *s, struct request *r)
{
	if (request_end(r))
		wire_say(&s->wire, "* NAMESPACE ((\"\" \".\")) NIL NIL");
}
