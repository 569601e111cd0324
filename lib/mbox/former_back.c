#include "mbox/former.h"

/* The first line with a higher UIDNEXT, whatever else stands in it. */
static void add_dovecot_head(struct str line, uint32_t uidnext, struct buf *out)
{
	struct str version = str_cut(&line, ' ');

	buf_add(out, version);
	if (str_eq(version, STR("1"))) {
		struct str uidvalidity = str_cut(&line, ' ');
		buf_addf(out, " %.*s %u\n", STR_ARG(uidvalidity), uidnext);
		return;
	}
	while (line.n > 0) {
		struct str field = str_cut(&line, ' ');
		if (str_starts(field, STR("N")))
			buf_addf(out, " N%u", uidnext);
		else
			buf_addf(out, " %.*s", STR_ARG(field));
	}
	buf_addc(out, '\n');
}

/* A last line that is cut off: Dovecot does not believe it, Courier does. */
static void add_lines(enum mbox_origin origin, struct str lines, struct buf *out)
{
	bool ended = lines.n == 0 || lines.p[lines.n - 1] == '\n';

	if (!ended && origin == ORIGIN_DOVECOT)
		lines = str_head(lines, (size_t)(str_rfind(lines, '\n') + 1));
	buf_add(out, lines);
	if (!ended && origin == ORIGIN_COURIER)
		buf_addc(out, '\n');
}

static uint32_t last_uid(struct str lines)
{
	uint64_t last = 0, uid;

	while (lines.n > 0) {
		struct str line = str_cut(&lines, '\n');
		if (str_u64(str_cut(&line, ' '), UINT32_MAX, &uid) && uid > last)
			last = uid;
	}
	return (uint32_t)last;
}

static void add_later(const struct mbox_former *f, bool fields, const struct mbox_former_later *m, struct buf *out)
{
	buf_addf(out, "%u ", m->uid);
	if (fields && m->uidl.n)
		buf_addf(out, "P%.*s ", STR_ARG(m->uidl));
	buf_addf(out, "%s%.*s\n", fields && f->origin == ORIGIN_DOVECOT ? ":" : "", STR_ARG(m->base));
}

bool mbox_former_uids(const struct mbox_former *f, struct str old, uint32_t uidnext, const char *id,
		      const struct mbox_former_later *later, size_t n, struct buf *out)
{
	struct str head = str_cut(&old, '\n');
	bool fields = f->origin == ORIGIN_DOVECOT && !str_starts(head, STR("1 "));

	if (head.n && f->origin == ORIGIN_DOVECOT)
		add_dovecot_head(head, uidnext, out);
	else if (fields)
		buf_addf(out, "3 V%u N%u G%s\n", f->uidvalidity, uidnext, id);
	else
		buf_addf(out, "1 %u %u\n", f->uidvalidity, uidnext);
	size_t from = out->n;
	add_lines(f->origin, old, out);
	uint32_t last = last_uid(str_skip(buf_str(out), from)); /* an undo that was cut off has written them before */
	for (size_t i = 0; i < n; i++)
		if (later[i].uid > last)
			add_later(f, fields, &later[i], out);
	return f->origin != ORIGIN_NONE;
}

/* As lines of a list in parts. */
static void add_escaped(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '.')
			buf_addc(out, '\t');
		else if (in.p[i] == '\001')
			buf_add(out, STR("\0011"));
		else
			buf_addc(out, in.p[i]);
	}
}

void mbox_former_subscriptions(enum mbox_origin origin, bool utf7, struct str old, struct str names, struct buf *out)
{
	bool parts = str_starts(old, STR("V\t2\n"));
	scoped_buf struct buf disk = { 0 };

	if (parts)
		buf_add(out, STR("V\t2\n\n"));
	while (names.n > 0) {
		struct str name = str_cut(&names, '\n');
		buf_reset(&disk);
		if (name.n == 0 || !mbox_former_disk(name, utf7, &disk))
			continue;
		if (parts)
			add_escaped(buf_str(&disk), out);
		else if (origin == ORIGIN_COURIER && !str_ieq(name, STR("INBOX")))
			buf_addf(out, "INBOX.%.*s", STR_ARG(buf_str(&disk)));
		else
			buf_add(out, buf_str(&disk));
		buf_addc(out, '\n');
	}
}
