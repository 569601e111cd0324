#include "mbox/record.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "mbox/view.h"

enum { CRC_DIGITS = 8 };

static void add_line(struct buf *out, struct str text)
{
	buf_add(out, text);
	buf_addf(out, " %08x\n", crc32c(0, text));
}

/* Takes " <crc>" off the end of the line; false when it is not there or not right. */
static bool check_line(struct str *line)
{
	uint32_t crc = 0;

	if (line->n <= CRC_DIGITS + 1 || line->n > MBOX_RECORD_LINE_MAX)
		return false;
	size_t n = line->n - CRC_DIGITS - 1;
	if (line->p[n] != ' ')
		return false;
	for (size_t i = n + 1; i < line->n; i++) {
		int digit = ascii_hex(line->p[i]);
		if (digit < 0)
			return false;
		crc = crc << 4 | (uint32_t)digit;
	}
	*line = str_head(*line, n);
	return crc32c(0, *line) == crc;
}

static bool take_u32(struct str s, uint32_t *out)
{
	uint64_t v;

	if (!str_u64(s, UINT32_MAX, &v) || v == 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

bool mbox_record_uidl_ok(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.n >= 1 && s.n <= MBOX_UIDL_MAX;
}

static const char *on_version(struct mbox_record *r, struct str rest)
{
	(void)r;
	return str_eq(rest, STR("1")) ? NULL : "written by a later version";
}

static const char *on_uidvalidity(struct mbox_record *r, struct str rest)
{
	return take_u32(rest, &r->uidvalidity) ? NULL : "bad uidvalidity";
}

static const char *on_mailbox(struct mbox_record *r, struct str rest)
{
	if (rest.n != sizeof(r->id) - 1)
		return "bad mailbox id";
	for (size_t i = 0; i < rest.n; i++) {
		if (ascii_hex(rest.p[i]) < 0)
			return "bad mailbox id";
		r->id[i] = rest.p[i];
	}
	return NULL;
}

static const char *on_uidnext(struct mbox_record *r, struct str rest)
{
	uint32_t v;

	if (!take_u32(rest, &v) || v <= r->uidnext)
		return "bad uidnext";
	r->stale += r->uidnext != 0;
	r->uidnext = v;
	return NULL;
}

static const char *on_modseq(struct mbox_record *r, struct str rest)
{
	uint64_t v;

	if (!str_u64(rest, MBOX_MODSEQ_MAX, &v) || v <= r->modseq)
		return "bad modseq";
	r->stale += r->modseq > 1;
	r->modseq = v;
	return NULL;
}

bool mbox_record_keyword_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 0x7f || strchr("(){%*\"\\]", name.p[i]))
			return false;
	return name.n >= 1 && name.n <= MBOX_KEYWORD_OCTETS_MAX;
}

int mbox_record_keyword_find(const struct mbox_record *r, struct str name)
{
	for (int i = 0; i < MBOX_RECORD_KEYWORDS; i++)
		if (r->keywords[i].n && str_ieq(r->keywords[i], name))
			return i;
	return -1;
}

static const char *on_keyword(struct mbox_record *r, struct str rest)
{
	struct str letter = str_cut(&rest, ' ');

	if (letter.n != 1 || letter.p[0] < 'a' || letter.p[0] > 'z' || r->keywords[letter.p[0] - 'a'].n ||
	    !mbox_record_keyword_ok(rest) || mbox_record_keyword_find(r, rest) >= 0)
		return "bad keyword";
	r->keywords[letter.p[0] - 'a'] = rest;
	return NULL;
}

static const char *on_uidl(struct mbox_record *r, struct str rest)
{
	struct mbox_kept_uidl *u = &r->uidls[r->n_uidls];
	struct str uid = str_cut(&rest, ' ');

	if (!take_u32(uid, &u->uid) || !mbox_record_uidl_ok(rest) || (r->n_uidls && u->uid <= u[-1].uid))
		return "bad uidl";
	u->text = rest;
	r->n_uidls++;
	return NULL;
}

static const char *on_uidls(struct mbox_record *r, struct str rest)
{
	if (r->dovecot_uidls || !str_eq(str_cut(&rest, ' '), STR("dovecot")) || !take_u32(rest, &r->dovecot_uidls))
		return "bad uidls";
	return NULL;
}

static const struct {
	const char *word;
	const char *(*take)(struct mbox_record *r, struct str rest);
} lines[] = {
	{ "tayori-folder", on_version },
	{ "uidvalidity", on_uidvalidity },
	{ "mailbox", on_mailbox },
	{ "uidnext", on_uidnext },
	{ "uidl", on_uidl },
	{ "modseq", on_modseq },
	{ "keyword", on_keyword },
	{ "uidls", on_uidls },
};

enum { HEAD = 4 }; /* the first lines, in this order; after them come those from the last of the head on */

static const char *take_line(struct mbox_record *r, size_t number, struct str line)
{
	if (!check_line(&line))
		return "bad checksum";
	struct str word = str_cut(&line, ' ');
	size_t from = number < HEAD ? number : HEAD - 1, to = number < HEAD ? number + 1 : COUNT(lines);
	for (size_t i = from; i < to; i++)
		if (str_eq(word, str_from(lines[i].word)))
			return lines[i].take(r, line);
	return "unknown line";
}

/* Room for every line that could be a UIDL: "uidl 1 x " and the checksum make at least 18 octets. */
static bool make_room(struct str bytes, struct arena *arena, struct mbox_record *r)
{
	r->uidls = arena_array(arena, bytes.n / 18 + 1, sizeof(*r->uidls));
	return r->uidls != NULL;
}

bool mbox_record_parse(struct str bytes, struct arena *arena, struct mbox_record *out, struct err *err)
{
	size_t number = 0;

	*out = (struct mbox_record){ .modseq = 1 };
	if (bytes.n > MBOX_RECORD_BYTES_MAX || !make_room(bytes, arena, out))
		return err_at(err, bytes, "too large");
	while (bytes.n > 0) {
		struct str rest = bytes;
		bool ended = str_find(rest, '\n') >= 0;
		struct str line = str_cut(&rest, '\n');
		out->torn = rest.n == 0 && number >= HEAD && (!ended || str_find(line, '\0') >= 0);
		const char *wrong = out->torn ? NULL : ended ? take_line(out, number, line) : "cut off";
		if (wrong)
			return err_at(err, bytes, wrong);
		bytes = rest;
		number++;
	}
	return number >= HEAD || err_at(err, bytes, "cut off");
}

__attribute__((format(printf, 2, 3))) static void add_linef(struct buf *out, const char *format, ...)
{
	char text[MBOX_RECORD_LINE_MAX];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	add_line(out, str_of(text, (size_t)n));
}

void mbox_record_uidnext(uint32_t uidnext, struct buf *out)
{
	add_linef(out, "uidnext %u", uidnext);
}

void mbox_record_modseq(uint64_t modseq, struct buf *out)
{
	add_linef(out, "modseq %llu", (unsigned long long)modseq);
}

void mbox_record_keyword(unsigned letter, struct str name, struct buf *out)
{
	add_linef(out, "keyword %c %.*s", (char)('a' + letter), STR_ARG(name));
}

void mbox_record_format(const struct mbox_record *r, struct buf *out)
{
	add_line(out, STR("tayori-folder 1"));
	add_linef(out, "uidvalidity %u", r->uidvalidity);
	add_linef(out, "mailbox %s", r->id);
	mbox_record_uidnext(r->uidnext, out);
	if (r->modseq > 1)
		mbox_record_modseq(r->modseq, out);
	for (unsigned i = 0; i < MBOX_RECORD_KEYWORDS; i++)
		if (r->keywords[i].n)
			mbox_record_keyword(i, r->keywords[i], out);
	if (r->dovecot_uidls)
		add_linef(out, "uidls dovecot %u", r->dovecot_uidls);
	for (size_t i = 0; i < r->n_uidls; i++)
		add_linef(out, "uidl %u %.*s", r->uidls[i].uid, STR_ARG(r->uidls[i].text));
}

struct str mbox_record_uidl(const struct mbox_record *r, uint32_t uid)
{
	size_t from = 0, to = r->n_uidls;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (r->uidls[mid].uid == uid)
			return r->uidls[mid].text;
		if (r->uidls[mid].uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return (struct str){ 0 };
}

struct str mbox_record_shown_uidl(const struct mbox_record *r, uint32_t uid, char out[MBOX_RECORD_UIDL_MAX + 1])
{
	struct str kept = mbox_record_uidl(r, uid);
	bool dovecot = uid < r->dovecot_uidls;

	if (kept.n)
		return kept;
	int n = snprintf(out, MBOX_RECORD_UIDL_MAX + 1, "%08x%08x", dovecot ? uid : r->uidvalidity,
			 dovecot ? r->uidvalidity : uid);
	return str_of(out, (size_t)n);
}
