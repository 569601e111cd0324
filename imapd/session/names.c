#include "names.h"

#include "mail/mutf7.h"

static struct str normal_inbox(struct str name)
{
	return str_ieq(name, STR("INBOX")) ? STR("INBOX") : name;
}

bool name_read(struct request *r, struct str wire, struct str *out)
{
	struct buf utf8 = { 0 };

	if (wire.n == 0 || wire.n > NAME_WIRE_MAX)
		return answer_no(r, "CANNOT", wire.n ? "the name is too long" : "the name is empty");
	bool ok = mutf7_decode(wire, &utf8);
	*out = arena_str(&r->arena, buf_str(&utf8));
	buf_free(&utf8);
	if (!ok)
		return answer_no(r, "CANNOT", "the name is not in modified UTF-7");
	*out = normal_inbox(*out);
	if (!mbox_folder_ok(*out))
		return answer_no(r, "CANNOT", "this cannot be a folder's name");
	return true;
}

bool name_take(struct request *r, struct str *out)
{
	struct str wire;

	if (!parse_space(&r->in) || !parse_astring(&r->in, &wire))
		return answer_bad(r, NULL);
	return name_read(r, wire, out);
}

static bool is_atom(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!parse_atom_char(s.p[i]))
			return false;
	return s.n > 0 && !str_ieq(s, STR("NIL"));
}

void name_put(struct buf *out, struct str name)
{
	scoped_buf struct buf wire = { 0 };

	mutf7_encode(name, &wire);
	if (is_atom(buf_str(&wire))) {
		buf_add(out, buf_str(&wire));
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < wire.n; i++) {
		if (wire.p[i] == '"' || wire.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, wire.p[i]);
	}
	buf_addc(out, '"');
}
