#include "mbox/former.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "mail/mutf7.h"
#include "mbox/name.h"
#include "mbox/scan.h"

static const char *const origins[] = { "none", "dovecot", "courier" };

const char *mbox_origin_name(enum mbox_origin origin)
{
	static const char *const names[] = { "nobody", "Dovecot", "Courier" };

	return names[origin];
}

size_t mbox_count_lines(struct str bytes)
{
	size_t n = 0;

	for (const char *at = bytes.p, *end = at + bytes.n; bytes.n && (at = memchr(at, '\n', (size_t)(end - at)));
	     at++)
		n++;
	return n + 1;
}

bool mbox_former_room(struct mbox_former *f, struct arena *arena, size_t more)
{
	if (more <= f->room - f->n)
		return true;
	if (more > MBOX_MESSAGES_MAX - f->n)
		return false;
	struct mbox_former_message *m = arena_array(arena, f->n + more, sizeof(*m));
	if (!m)
		return false;
	if (f->n)
		memcpy(m, f->m, f->n * sizeof(*m));
	f->m = m;
	f->room = f->n + more;
	return true;
}

struct str mbox_former_base(struct str name)
{
	struct mbox_name parts;

	return mbox_name_parse(name, &parts) ? parts.base : (struct str){ 0 };
}

static int find_keyword(const struct mbox_former *f, struct str name)
{
	for (int i = 0; i < MBOX_RECORD_KEYWORDS; i++)
		if (f->keywords[i].n && str_ieq(f->keywords[i], name))
			return i;
	return -1;
}

int mbox_former_letter(struct mbox_former *f, struct str name)
{
	int known = mbox_record_keyword_ok(name) ? find_keyword(f, name) : -1;

	for (int i = 0; known < 0 && i < MBOX_RECORD_KEYWORDS && mbox_record_keyword_ok(name); i++) {
		if (f->keywords[i].n)
			continue;
		f->keywords[i] = name;
		known = i;
	}
	f->lost += known < 0;
	return known;
}

/* ---- finding ---- */

static int compare_base(const void *pa, const void *pb)
{
	const struct mbox_former_message *a = *(const struct mbox_former_message *const *)pa;
	const struct mbox_former_message *b = *(const struct mbox_former_message *const *)pb;
	int order = str_cmp(a->base, b->base);

	return order ? order : a->uid < b->uid ? -1 : a->uid > b->uid;
}

bool mbox_former_index(const struct mbox_former *f, struct arena *arena, struct mbox_former_index *out)
{
	*out = (struct mbox_former_index){ arena_array(arena, f->n + 1, sizeof(*out->by_base)), f->n };
	if (!out->by_base)
		return false;
	for (size_t i = 0; i < f->n; i++)
		out->by_base[i] = &f->m[i];
	qsort(out->by_base, f->n, sizeof(*out->by_base), compare_base);
	return true;
}

struct mbox_former_message *mbox_former_find(const struct mbox_former_index *ix, struct str base)
{
	size_t from = 0, to = ix->n;

	while (from < to) { /* the first one that is greater */
		size_t mid = from + (to - from) / 2;
		if (str_cmp(ix->by_base[mid]->base, base) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from && str_eq(ix->by_base[from - 1]->base, base) ? ix->by_base[from - 1] : NULL;
}

struct mbox_former_message *mbox_former_uid(const struct mbox_former *f, uint32_t uid)
{
	size_t from = 0, to = f->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (f->m[mid].uid == uid)
			return &f->m[mid];
		if (f->m[mid].uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

/* ---- names of folders ---- */

bool mbox_former_name(struct str disk, struct buf *out)
{
	size_t before = out->n;

	if (!mutf7_decode(disk, out) && !buf_add(out, disk))
		return false;
	struct str name = str_skip(buf_str(out), before);
	if (name.n > 0 && mbox_folder_ok(name))
		return true;
	out->n = before;
	return false;
}

bool mbox_former_disk(struct str name, bool utf7, struct buf *out)
{
	return utf7 ? mutf7_encode(name, out) : buf_add(out, name);
}

/* ---- tayori-imported/names ---- */

static const char explanation[] =
	"# Another server kept this folder; its files lie here. 'tayori mailbox import USER --undo' gives the folder "
	"back:\n"
	"# by hand, rename each message that has T=<uidvalidity>.<UID> in its name to the name below, with the flags "
	"that it\n"
	"# has now behind it; move the files from here to where they were; remove tayori-*.\n";

void mbox_former_format(const struct mbox_former *f, struct buf *out)
{
	buf_add(out, str_from(explanation));
	buf_addf(out, "tayori-imported 1\norigin %s\nnames %s\nfolder %.*s\nuidvalidity %u\nuidnext %u\n",
		 origins[f->origin], f->utf7 ? "utf7" : "utf8", STR_ARG(f->folder), f->uidvalidity, f->uidnext);
	for (size_t i = 0; i < MBOX_RECORD_KEYWORDS; i++)
		if (f->keywords[i].n)
			buf_addf(out, "keyword %c %.*s\n", (char)('a' + i), STR_ARG(f->keywords[i]));
	if (f->lost)
		buf_addf(out, "lost %zu\n", f->lost);
	for (size_t i = 0; i < f->n; i++) {
		const struct mbox_former_message *m = &f->m[i];
		char letters[MBOX_LETTERS_MAX];
		buf_addf(out, "message %u %.*s\n", m->uid, STR_ARG(m->base));
		if (m->uidl.n)
			buf_addf(out, "uidl %u %.*s\n", m->uid, STR_ARG(m->uidl));
		if (m->letters)
			buf_addf(out, "letters %u %.*s\n", m->uid, (int)mbox_name_letters(m->letters, letters),
				 letters);
	}
	buf_add(out, STR("end\n"));
}

static bool take_u32(struct str s, uint32_t *out)
{
	uint64_t v;

	if (!str_u64(s, UINT32_MAX, &v) || v == 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool on_version(struct mbox_former *f, struct str rest)
{
	(void)f;
	return str_eq(rest, STR("1"));
}

static bool on_origin(struct mbox_former *f, struct str rest)
{
	for (size_t i = 0; i < COUNT(origins); i++)
		if (str_eq(rest, str_from(origins[i])))
			return f->origin = (enum mbox_origin)i, true;
	return false;
}

static bool on_names(struct mbox_former *f, struct str rest)
{
	f->utf7 = str_eq(rest, STR("utf7"));
	return f->utf7 || str_eq(rest, STR("utf8"));
}

static bool on_folder(struct mbox_former *f, struct str rest)
{
	f->folder = rest;
	return rest.n <= MBOX_NAME_MAX && str_find(rest, '/') < 0 && str_find(rest, '\0') < 0;
}

static bool on_uidvalidity(struct mbox_former *f, struct str rest)
{
	return take_u32(rest, &f->uidvalidity);
}

static bool on_uidnext(struct mbox_former *f, struct str rest)
{
	return take_u32(rest, &f->uidnext);
}

static bool on_keyword(struct mbox_former *f, struct str rest)
{
	struct str letter = str_cut(&rest, ' ');

	if (letter.n != 1 || letter.p[0] < 'a' || letter.p[0] > 'z' || f->keywords[letter.p[0] - 'a'].n ||
	    !mbox_record_keyword_ok(rest) || find_keyword(f, rest) >= 0)
		return false;
	f->keywords[letter.p[0] - 'a'] = rest;
	return true;
}

static bool on_lost(struct mbox_former *f, struct str rest)
{
	uint32_t n;

	if (!take_u32(rest, &n))
		return false;
	f->lost = n;
	return true;
}

static bool on_message(struct mbox_former *f, struct str rest)
{
	struct mbox_former_message *m = &f->m[f->n];

	*m = (struct mbox_former_message){ 0 };
	if (f->n == f->room || !take_u32(str_cut(&rest, ' '), &m->uid) || m->uid >= f->uidnext ||
	    (f->n && m->uid <= m[-1].uid))
		return false;
	m->base = rest;
	f->n++;
	return rest.n > 0 && mbox_former_base(rest).n == rest.n;
}

/* Of the message before. */
static struct mbox_former_message *of_last(struct mbox_former *f, struct str *rest)
{
	uint32_t uid;

	if (!take_u32(str_cut(rest, ' '), &uid) || f->n == 0 || f->m[f->n - 1].uid != uid)
		return NULL;
	return &f->m[f->n - 1];
}

static bool on_uidl(struct mbox_former *f, struct str rest)
{
	struct mbox_former_message *m = of_last(f, &rest);

	if (!m || !mbox_record_uidl_ok(rest))
		return false;
	m->uidl = rest;
	return true;
}

static bool on_letters(struct mbox_former *f, struct str rest)
{
	struct mbox_former_message *m = of_last(f, &rest);

	if (!m)
		return false;
	m->letters = mbox_name_flags(rest) & ~(MBOX_KEYWORD_A - 1u);
	return m->letters != 0;
}

static const struct {
	const char *word;
	bool (*take)(struct mbox_former *f, struct str rest);
} lines[] = {
	{ "tayori-imported", on_version },
	{ "origin", on_origin },
	{ "names", on_names },
	{ "folder", on_folder },
	{ "uidvalidity", on_uidvalidity },
	{ "uidnext", on_uidnext },
	{ "keyword", on_keyword },
	{ "message", on_message },
	{ "uidl", on_uidl },
	{ "letters", on_letters },
	{ "lost", on_lost },
};

enum { HEAD = 6 }; /* the first lines, in this order */

static bool take_line(struct mbox_former *f, size_t number, struct str line)
{
	struct str word = str_cut(&line, ' ');
	size_t from = number < HEAD ? number : HEAD, to = number < HEAD ? number + 1 : COUNT(lines);

	for (size_t i = from; i < to; i++)
		if (str_eq(word, str_from(lines[i].word)))
			return lines[i].take(f, line);
	return false;
}

bool mbox_former_parse(struct str bytes, struct arena *arena, struct mbox_former *out, struct err *err)
{
	size_t number = 0, n = mbox_count_lines(bytes);

	*out = (struct mbox_former){ 0 };
	if (n > MBOX_MESSAGES_MAX) /* a message may have three */
		n = MBOX_MESSAGES_MAX;
	if (bytes.n > FORMER_BYTES_MAX || !mbox_former_room(out, arena, n))
		return err_at(err, bytes, "too large");
	while (bytes.n > 0) {
		struct str rest = bytes, line = str_cut(&rest, '\n');
		if (number >= HEAD && str_eq(line, STR("end")) && rest.n == 0)
			return true;
		bool comment = line.n > 0 && line.p[0] == '#';
		if (!comment && (line.n > FORMER_LINE_MAX || !take_line(out, number, line)))
			return err_at(err, bytes, "bad line");
		number += !comment;
		bytes = rest;
	}
	return err_at(err, bytes, "cut off");
}
