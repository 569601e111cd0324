#include "mail/imap.h"

#include "mail/address_list.h"
#include "mail/inner.h"

static bool is_quotable(struct str s)
{
	if (s.n > IMAP_QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void add_quoted(struct str s, struct buf *out)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}

static void add_literal(struct str s, struct buf *out)
{
	size_t n = s.n;

	for (size_t i = 0; i < s.n; i++)
		n -= s.p[i] == '\0';
	buf_addf(out, "{%zu}\r\n", n);
	while (s.n > 0)
		buf_add(out, str_cut(&s, '\0'));
}

void imap_string(struct str s, struct buf *out)
{
	if (is_quotable(s))
		add_quoted(s, out);
	else
		add_literal(s, out);
}

void imap_nstring(struct str s, struct buf *out)
{
	if (s.n > 0)
		imap_string(s, out);
	else
		buf_add(out, STR("NIL"));
}

enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, FIELDS };

/* The fields in order, and how many 32nds of the text each may take. */
static const struct {
	struct str name;
	unsigned share;
	bool addresses;
} fields[FIELDS] = {
	[DATE] = { STR("Date"), 1, false },
	[SUBJECT] = { STR("Subject"), 2, false },
	[FROM] = { STR("From"), 1, true },
	[SENDER] = { STR("Sender"), 1, true },
	[REPLY_TO] = { STR("Reply-To"), 1, true },
	[TO] = { STR("To"), 12, true },
	[CC] = { STR("Cc"), 8, true },
	[BCC] = { STR("Bcc"), 3, true },
	[IN_REPLY_TO] = { STR("In-Reply-To"), 2, false },
	[MESSAGE_ID] = { STR("Message-ID"), 1, false },
};

struct envelope {
	struct buf text[FIELDS]; /* as they go out, empty when there is nothing */
	bool seen[FIELDS];	 /* for those of which the first one counts */
	size_t addresses[FIELDS];
	size_t most;
};

static void envelope_free(struct envelope *e)
{
	for (size_t i = 0; i < FIELDS; i++)
		buf_free(&e->text[i]);
}

static size_t share_of(const struct envelope *e, size_t field)
{
	return e->most / 32 * fields[field].share;
}

/* A tab can only come from a fold; as a blank it spares a literal. */
static void add_text(struct envelope *e, size_t field, struct str value)
{
	scoped_buf struct buf line = { 0 };

	if (e->seen[field])
		return;
	e->seen[field] = true;
	header_unfold(value, &line);
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '\t')
			line.p[i] = ' ';
	if (line.n > 0 && imap_string_cost(buf_str(&line)) <= share_of(e, field))
		imap_string(buf_str(&line), &e->text[field]);
}

static const struct str group_end = { "(NIL NIL NIL NIL)", 17 };

/* RFC 3501, 7.4.2: a NIL host tells of a group, so that a mailbox without a host has an empty one. */
static void add_address(const struct address *a, struct buf *out)
{
	if (a->kind == ADDRESS_GROUP_END) {
		buf_add(out, group_end);
		return;
	}
	if (a->kind == ADDRESS_GROUP) {
		buf_add(out, STR("(NIL NIL "));
		imap_string(a->name, out);
		buf_add(out, STR(" NIL)"));
		return;
	}
	buf_addc(out, '(');
	imap_nstring(a->name, out);
	buf_addc(out, ' ');
	imap_nstring(a->route, out);
	buf_addc(out, ' ');
	imap_string(a->mailbox, out);
	buf_addc(out, ' ');
	imap_string(a->host, out);
	buf_addc(out, ')');
}

static size_t address_cost(const struct address *a)
{
	return imap_string_cost(a->name) + imap_string_cost(a->route) + imap_string_cost(a->mailbox) +
	       imap_string_cost(a->host) + 2 * group_end.n;
}

static void add_addresses(struct envelope *e, size_t field, struct str value)
{
	scoped_arena struct arena arena = { 0 };
	struct address_iter it = { .rest = value, .arena = &arena };
	struct buf *out = &e->text[field];
	struct address a;
	bool in_group = false;

	while (e->addresses[field] < IMAP_ADDRESSES_MAX && address_next(&it, &a)) {
		if (a.kind != ADDRESS_GROUP_END && out->n + address_cost(&a) > share_of(e, field))
			break;
		add_address(&a, out);
		e->addresses[field]++;
		in_group = it.in_group;
	}
	if (in_group)
		buf_add(out, group_end);
}

static void read_header(struct envelope *e, struct str header)
{
	struct header_iter it = header_begin(header);
	struct header_field f;

	while (header_next(&it, &f)) {
		size_t i = 0;
		while (i < FIELDS && !str_ieq(f.name, fields[i].name))
			i++;
		if (i < FIELDS && fields[i].addresses)
			add_addresses(e, i, f.value);
		else if (i < FIELDS)
			add_text(e, i, f.value);
	}
}

static void add_field(const struct envelope *e, size_t field, struct buf *out)
{
	struct str text = buf_str(&e->text[field]);

	if (text.n == 0 && (field == SENDER || field == REPLY_TO))
		text = buf_str(&e->text[FROM]);
	if (text.n == 0) {
		buf_add(out, STR("NIL"));
		return;
	}
	if (fields[field].addresses)
		buf_addc(out, '(');
	buf_add(out, text);
	if (fields[field].addresses)
		buf_addc(out, ')');
}

void imap_envelope_within(struct str header, size_t most, struct buf *out)
{
	__attribute__((cleanup(envelope_free))) struct envelope e = { .most = most };

	if (most > 0)
		read_header(&e, header);
	for (size_t i = 0; i < FIELDS; i++) {
		buf_addc(out, i == 0 ? '(' : ' ');
		add_field(&e, i, out);
	}
	buf_addc(out, ')');
}

void imap_envelope(struct str header, struct buf *out)
{
	imap_envelope_within(header, IMAP_TEXT_MAX - 1024, out);
}
