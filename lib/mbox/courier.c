#include <stdlib.h>

#include "mbox/former.h"
#include "mbox/mbox.h"
#include "mbox/name.h"

static bool take_u32(struct str s, uint32_t *out)
{
	uint64_t v;

	if (!str_u64(s, UINT32_MAX, &v) || v == 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

static int by_uid(const void *pa, const void *pb)
{
	const struct mbox_former_message *a = pa, *b = pb;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

/* The file is in no order. */
static bool order(struct mbox_former *f)
{
	qsort(f->m, f->n, sizeof(*f->m), by_uid);
	for (size_t i = 1; i < f->n; i++)
		if (f->m[i].uid == f->m[i - 1].uid)
			return false;
	return true;
}

static const char *take_message(struct str line, struct mbox_former *out)
{
	struct mbox_former_message m = { 0 };

	if (line.n > FORMER_LINE_MAX)
		return "a line too long";
	if (!take_u32(str_cut(&line, ' '), &m.uid) || m.uid == UINT32_MAX)
		return "a bad UID";
	m.base = mbox_former_base(line);
	if (m.base.n)
		out->m[out->n++] = m;
	if (out->uidnext <= m.uid)
		out->uidnext = m.uid + 1;
	return NULL;
}

bool mbox_courier_uiddb(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err)
{
	struct str all = bytes, line = str_cut(&bytes, '\n');

	if (!str_eq(str_cut(&line, ' '), STR("1")) || !take_u32(str_cut(&line, ' '), &out->uidvalidity) ||
	    !take_u32(line, &out->uidnext))
		return err_at(err, all, "a bad first line");
	if (bytes.n > FORMER_BYTES_MAX || !mbox_former_room(out, arena, mbox_count_lines(bytes)))
		return err_at(err, bytes, "too large");
	while (bytes.n > 0) {
		struct str rest = bytes;
		const char *wrong = take_message(str_cut(&rest, '\n'), out);
		if (wrong)
			return err_at(err, bytes, wrong);
		bytes = rest;
	}
	return order(out) || err_at(err, all, "one UID twice");
}

/* ---- POP3 ---- */

struct pop3_line {
	struct str base;
	uint32_t uid, uidv; /* 0: none; then the id is made from the name */
};

/* "name size 17:1143:0", "name size 17:1143", "name size 17", "name size": a field more in each version. */
static bool take_pop3(int version, struct str line, struct pop3_line *out)
{
	ptrdiff_t at = version ? str_rfind(line, ' ') : (ptrdiff_t)line.n;
	struct str numbers = at < 0 ? (struct str){ 0 } : str_skip(line, (size_t)at + 1);

	*out = (struct pop3_line){ 0 };
	if (at < 0)
		return false;
	line = str_head(line, (size_t)at);
	ptrdiff_t size = str_rfind(line, ' ');
	uint64_t uid = 0, uidv = 0;
	if (size <= 0 || (version && !str_u64(str_cut(&numbers, ':'), UINT32_MAX, &uid)) ||
	    (numbers.n && !str_u64(str_cut(&numbers, ':'), UINT32_MAX, &uidv)))
		return false;
	*out = (struct pop3_line){ mbox_former_base(str_head(line, (size_t)size)), (uint32_t)uid, (uint32_t)uidv };
	return true;
}

/* As Courier writes it; empty when it is longer than POP3 allows, since then it was never of use. */
static struct str pop3_id(const struct pop3_line *line, struct arena *arena)
{
	scoped_buf struct buf id = { .limit = MBOX_NAME_MAX };
	bool fits = true;

	if (line->uid && line->uidv)
		buf_addf(&id, "UID%u-%u", line->uid, line->uidv);
	else if (line->uid)
		buf_addf(&id, "UID%u", line->uid);
	for (size_t i = 0; !line->uid && i < line->base.n && fits; i++) {
		char c = line->base.p[i];
		if (c <= ' ' || c >= 0x7f || c == '\'' || c == '"' || c == '+')
			fits = buf_addf(&id, "+%02X", (unsigned)(unsigned char)c);
		else
			fits = buf_addc(&id, c);
	}
	return fits && mbox_record_uidl_ok(buf_str(&id)) ? arena_str(arena, buf_str(&id)) : (struct str){ 0 };
}

static int by_pop3_uid(const void *pa, const void *pb)
{
	const struct pop3_line *a = pa, *b = pb;

	return a->uid != b->uid ? (a->uid < b->uid ? -1 : 1) : str_cmp(a->base, b->base);
}

static bool take_pop3_lines(int version, struct str bytes, struct arena *arena, struct pop3_line **out, size_t *n,
			    struct err *err)
{
	struct pop3_line *list = arena_array(arena, mbox_count_lines(bytes), sizeof(*list));

	*n = 0;
	if (!list)
		return err_at(err, bytes, "too large");
	while (bytes.n > 0) {
		struct str rest = bytes, line = str_cut(&rest, '\n');
		if (line.n > FORMER_LINE_MAX || !take_pop3(version, line, &list[*n]))
			return err_at(err, bytes, "a bad line");
		*n += list[*n].base.n > 0;
		bytes = rest;
	}
	qsort(list, *n, sizeof(*list), by_pop3_uid);
	*out = list;
	return true;
}

static bool add_pop3(struct pop3_line *list, size_t n, struct arena *arena, struct mbox_former *out)
{
	struct mbox_former_index ix;

	if (!mbox_former_room(out, arena, n) || !mbox_former_index(out, arena, &ix))
		return false;
	for (size_t i = 0; i < n; i++) {
		struct mbox_former_message *m = mbox_former_find(&ix, list[i].base);
		struct str id = pop3_id(&list[i], arena);
		if (m) {
			m->uidl = id;
			continue;
		}
		if (out->uidnext == UINT32_MAX)
			return false;
		out->m[out->n++] =
			(struct mbox_former_message){ .uid = out->uidnext++, .base = list[i].base, .uidl = id };
	}
	return true;
}

bool mbox_courier_pop3(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err)
{
	struct str all = bytes;
	struct pop3_line *list;
	uint64_t version = 0;
	size_t n;

	if (bytes.n > FORMER_BYTES_MAX)
		return err_at(err, bytes, "too large");
	if (str_starts(bytes, STR("/"))) {
		struct str line = str_skip(str_cut(&bytes, '\n'), 1);
		if (!str_u64(str_cut(&line, ' '), 3, &version) || version == 0)
			return err_at(err, all, "a bad first line");
	}
	if (!take_pop3_lines((int)version, bytes, arena, &list, &n, err))
		return false;
	return add_pop3(list, n, arena, out) || err_at(err, all, "too large");
}

/* ---- keywords ---- */

enum { COURIER_KEYWORDS_MAX = 1000 };

static uint32_t letter_bit(int letter)
{
	return letter < 0 ? 0 : (uint32_t)MBOX_KEYWORD_A << letter;
}

/* The list's keywords by their number, as bits. */
struct numbered {
	uint32_t bits[COURIER_KEYWORDS_MAX];
	size_t n;
};

static uint32_t take_numbers(struct str text, const struct numbered *known)
{
	uint32_t bits = 0;

	while (text.n > 0) {
		uint64_t at;
		if (str_u64(str_cut(&text, ' '), COURIER_KEYWORDS_MAX, &at) && at < known->n)
			bits |= known->bits[at];
	}
	return bits;
}

bool mbox_courier_keywords(struct str bytes, const struct mbox_former_index *ix, struct mbox_former *out,
			   struct err *err)
{
	struct numbered known = { .n = 0 };
	struct str line;

	while (bytes.n > 0) {
		struct str rest = bytes;
		if ((line = str_cut(&rest, '\n')).n == 0)
			break;
		if (known.n == COURIER_KEYWORDS_MAX || line.n > FORMER_LINE_MAX)
			return err_at(err, bytes, "too many keywords");
		known.bits[known.n++] = letter_bit(mbox_former_letter(out, line));
		bytes = rest;
	}
	str_cut(&bytes, '\n');
	while (bytes.n > 0) {
		line = str_cut(&bytes, '\n');
		struct mbox_former_message *m = mbox_former_find(ix, str_cut(&line, ':'));
		if (m)
			m->letters = take_numbers(line, &known);
	}
	return true;
}

void mbox_courier_keyword_file(struct str bytes, struct mbox_former_message *m, struct mbox_former *out)
{
	m->letters = 0;
	while (bytes.n > 0) {
		struct str line = str_cut(&bytes, '\n');
		if (line.n)
			m->letters |= letter_bit(mbox_former_letter(out, line));
	}
}

struct str mbox_courier_keyword_name(struct str file, uint64_t *n)
{
	*n = UINT64_MAX;
	if (str_eat(&file, '.') && (!str_u64(str_cut(&file, '.'), UINT64_MAX - 1, n) || *n == 0))
		return (struct str){ 0 };
	return file.n && file.p[0] != '.' && file.p[0] != ':' ? file : (struct str){ 0 };
}

void mbox_courier_subscriptions(struct str bytes, struct buf *out, size_t *lost)
{
	while (bytes.n > 0) {
		struct str line = str_cut(&bytes, '\n');
		bool inbox = str_ieq(line, STR("INBOX"));
		if (line.n == 0)
			continue;
		if (inbox)
			buf_add(out, STR("INBOX\n"));
		else if (str_istarts(line, STR("INBOX.")) && mbox_former_name(str_skip(line, 6), out))
			buf_addc(out, '\n');
		else
			++*lost; /* shared folders */
	}
}
