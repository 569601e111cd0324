#include "mbox/former.h"
#include "mbox/name.h"

enum { DOVECOT_UID_MAX = UINT32_MAX - 1 };

/* "V1795327677 N5 G0123...", of which we need two. */
static bool take_fields(struct str rest, struct mbox_former *out)
{
	uint64_t v = 0, n = 0;

	while (rest.n > 0) {
		struct str field = str_cut(&rest, ' ');
		if (str_eat(&field, 'V') && !str_u64(field, UINT32_MAX, &v))
			return false;
		else if (str_eat(&field, 'N') && !str_u64(field, UINT32_MAX, &n))
			return false;
	}
	out->uidvalidity = (uint32_t)v;
	out->uidnext = (uint32_t)n;
	return v != 0 && n != 0;
}

static bool take_numbers(struct str rest, struct mbox_former *out)
{
	uint64_t v, n;

	if (!str_u64(str_cut(&rest, ' '), UINT32_MAX, &v) || !str_u64(rest, UINT32_MAX, &n) || v == 0 || n == 0)
		return false;
	out->uidvalidity = (uint32_t)v;
	out->uidnext = (uint32_t)n;
	return true;
}

/* 1 or 3; 0: neither. */
static int take_header(struct str line, struct mbox_former *out)
{
	struct str version = str_cut(&line, ' ');

	if (str_eq(version, STR("3")) && take_fields(line, out))
		return 3;
	return str_eq(version, STR("1")) && take_numbers(line, out) ? 1 : 0;
}

/* "W123 S100 Pid :base"; what comes before the ':' is optional, and of letters that we need not know. */
static bool take_extras(struct str *rest, struct str *uidl)
{
	while (rest->n > 0 && rest->p[0] != ':') {
		struct str field = str_cut(rest, ' ');
		if (str_eat(&field, 'P') && mbox_record_uidl_ok(field))
			*uidl = field;
	}
	return str_eat(rest, ':');
}

static const char *take_message(int version, struct str line, uint32_t last, struct mbox_former *out)
{
	struct mbox_former_message m = { 0 };
	uint64_t uid;

	if (line.n > FORMER_LINE_MAX)
		return "a line too long";
	if (!str_u64(str_cut(&line, ' '), DOVECOT_UID_MAX, &uid) || uid == 0)
		return "a bad UID";
	if (uid <= last)
		return "UIDs out of order";
	if (version == 3 && !take_extras(&line, &m.uidl))
		return "no file name";
	m.uid = (uint32_t)uid;
	m.base = mbox_former_base(line);
	out->m[out->n++] = m; /* with an empty base: a name that no file can have, but its UID was given */
	return NULL;
}

static void drop_nameless(struct mbox_former *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->m[i].base.n)
			f->m[kept++] = f->m[i];
	f->n = kept;
}

bool mbox_dovecot_uidlist(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err)
{
	struct str all = bytes, line = str_cut(&bytes, '\n');
	int version = take_header(line, out);
	uint32_t last = 0;

	if (!version)
		return err_at(err, all, "a bad first line");
	if (bytes.n > FORMER_BYTES_MAX || !mbox_former_room(out, arena, mbox_count_lines(bytes)))
		return err_at(err, bytes, "too large");
	while (bytes.n > 0) {
		struct str rest = bytes;
		if (str_find(rest, '\n') < 0) /* cut off while it was written: Dovecot does not believe it either */
			break;
		const char *wrong = take_message(version, str_cut(&rest, '\n'), last, out);
		if (wrong)
			return err_at(err, bytes, wrong);
		last = out->m[out->n - 1].uid;
		bytes = rest;
	}
	drop_nameless(out);
	if (out->uidnext <= last) /* lines are added without a new header */
		out->uidnext = last + 1;
	return true;
}

void mbox_dovecot_keywords(struct str bytes, struct mbox_former *out)
{
	while (bytes.n > 0) {
		struct str name = str_cut(&bytes, '\n'), number = str_cut(&name, ' ');
		uint64_t n;
		bool ok = str_u64(number, MBOX_RECORD_KEYWORDS - 1, &n) && mbox_record_keyword_ok(name) &&
			  out->keywords[n].n == 0;
		for (size_t i = 0; ok && i < MBOX_RECORD_KEYWORDS; i++)
			ok = !str_ieq(out->keywords[i], name);
		if (ok)
			out->keywords[n] = name;
		else
			out->lost += number.n > 0;
	}
}

/* Names are in parts, with a tab between; \001 escapes. */
static void add_unescaped(struct str in, struct buf *out)
{
	static const char marks[] = "01trn", plain[] = "\0\001\t\r\n";

	for (size_t i = 0; i < in.n; i++) {
		const char *at = in.p[i] == '\001' && i + 1 < in.n && in.p[i + 1] ? strchr(marks, in.p[i + 1]) : NULL;
		if (at)
			i++;
		buf_addc(out, at ? plain[at - marks] : in.p[i] == '\t' ? '.' : in.p[i]);
	}
}

void mbox_dovecot_subscriptions(struct str bytes, struct buf *out, size_t *lost)
{
	bool parts = str_starts(bytes, STR("V\t2\n"));
	scoped_buf struct buf name = { 0 };

	if (parts) /* a header, to an empty line */
		while (bytes.n > 0 && str_cut(&bytes, '\n').n > 0)
			;
	while (bytes.n > 0) {
		struct str line = str_cut(&bytes, '\n');
		buf_reset(&name);
		if (parts)
			add_unescaped(line, &name);
		else
			buf_add(&name, line);
		if (line.n == 0)
			continue;
		if (mbox_former_name(buf_str(&name), out))
			buf_addc(out, '\n');
		else
			++*lost;
	}
}

/* ---- the way back ---- */

void mbox_dovecot_keywords_add(struct str old, const struct str keywords[MBOX_RECORD_KEYWORDS], struct buf *out)
{
	bool known[MBOX_RECORD_KEYWORDS] = { false };

	buf_add(out, old);
	if (old.n && old.p[old.n - 1] != '\n')
		buf_addc(out, '\n');
	while (old.n > 0) {
		struct str line = str_cut(&old, '\n');
		uint64_t n;
		if (str_u64(str_cut(&line, ' '), MBOX_RECORD_KEYWORDS - 1, &n))
			known[n] = true;
	}
	for (unsigned i = 0; i < MBOX_RECORD_KEYWORDS; i++)
		if (keywords[i].n && !known[i])
			buf_addf(out, "%u %.*s\n", i, STR_ARG(keywords[i]));
}
