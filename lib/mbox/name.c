#include "mbox/name.h"

#include "base/err.h"
#include "base/random.h"
#include "mbox/mbox.h"

enum { SECONDS_DIGITS = 12, MICROSECONDS_DIGITS = 6 };

static bool take_number(struct str field, char letter, int64_t *out)
{
	uint64_t v;

	if (field.n < 3 || field.p[0] != letter || field.p[1] != '=' || !str_u64(str_skip(field, 2), INT64_MAX, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

static bool take_tag(struct str field, uint32_t *uidvalidity, uint32_t *uid)
{
	uint64_t v, u;

	if (!str_starts(field, STR("T=")))
		return false;
	field = str_skip(field, 2);
	struct str first = str_cut(&field, '.');
	if (!str_u64(first, UINT32_MAX, &v) || !str_u64(field, UINT32_MAX, &u) || v == 0 || u == 0)
		return false;
	*uidvalidity = (uint32_t)v;
	*uid = (uint32_t)u;
	return true;
}

/* Whether a name's S, W or T field stands here: one that is replaced when the message is tagged. */
static bool own_field(struct str field)
{
	int64_t n;
	uint32_t v, u;

	return take_number(field, 'S', &n) || take_number(field, 'W', &n) || take_tag(field, &v, &u);
}

static void parse_stem(struct str stem, struct mbox_name *out)
{
	struct str seconds = str_cut(&stem, '.');
	uint64_t v;

	if (stem.n > 0 && seconds.n <= SECONDS_DIGITS && str_u64(seconds, INT64_MAX, &v))
		out->seconds = (int64_t)v;
	struct str unique = str_cut(&stem, '.');
	if (!str_eat(&unique, 'M') || unique.n <= MICROSECONDS_DIGITS)
		return;
	for (int i = 0; i < MICROSECONDS_DIGITS; i++)
		if (!ascii_digit(unique.p[i]))
			return;
	unique = str_skip(unique, MICROSECONDS_DIGITS);
	if (mbox_id_ok(unique))
		out->id = unique;
}

bool mbox_name_parse(struct str file, struct mbox_name *out)
{
	*out = (struct mbox_name){ .seconds = -1, .size = -1, .vsize = -1 };
	if (file.n == 0 || file.n > MBOX_NAME_MAX || file.p[0] == '.' || str_find(file, '/') >= 0 ||
	    str_find(file, '\0') >= 0)
		return false;
	out->info = file;
	out->base = str_cut(&out->info, ':');
	if (str_starts(out->info, STR("2,")))
		out->flags = str_skip(out->info, 2);
	struct str fields = out->base;
	out->stem = str_cut(&fields, ',');
	parse_stem(out->stem, out);
	while (fields.n > 0) {
		struct str field = str_cut(&fields, ',');
		if (out->size < 0 && take_number(field, 'S', &out->size))
			continue;
		if (out->vsize < 0 && take_number(field, 'W', &out->vsize))
			continue;
		if (out->uid == 0)
			take_tag(field, &out->uidvalidity, &out->uid);
	}
	return true;
}

static const char letters[] = "DFPRST"; /* in the order of the bits in mbox.h */

uint32_t mbox_name_flags(struct str flags)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < flags.n; i++) {
		char c = flags.p[i];
		const char *at = c ? strchr(letters, c) : NULL;
		if (at)
			bits |= 1u << (at - letters);
		else if (c >= 'a' && c <= 'z')
			bits |= (uint32_t)MBOX_KEYWORD_A << (c - 'a');
	}
	return bits;
}

size_t mbox_name_letters(uint32_t flags, char out[MBOX_LETTERS_MAX])
{
	size_t n = 0;

	for (unsigned i = 0; i < MBOX_LETTERS_MAX; i++)
		if (flags & 1u << i)
			out[n++] = i < sizeof(letters) - 1 ? letters[i] : (char)('a' + (i - (sizeof(letters) - 1)));
	return n;
}

bool mbox_id_ok(struct str id)
{
	if (id.n == 0 || id.n > MBOX_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!ascii_alnum(id.p[i]) && id.p[i] != '-' && id.p[i] != '_')
			return false;
	return true;
}

static void add_host(struct str host, struct buf *out)
{
	size_t end = out->n + MBOX_HOST_MAX;

	if (host.n == 0)
		host = STR("localhost");
	for (size_t i = 0; i < host.n; i++) {
		char c = host.p[i];
		bool plain = c > ' ' && c < 0x7f && c != '/' && c != ':' && c != ',' && c != '\\';
		if (out->n + (plain ? 1 : 4) > end)
			return;
		if (plain)
			buf_addc(out, c);
		else
			buf_addf(out, "\\%03o", (unsigned)(unsigned char)c);
	}
}

void mbox_name_stem(int64_t now_us, struct str id, struct str host, struct buf *out)
{
	int64_t us = now_us > 0 ? now_us : 0;

	buf_addf(out, "%lld.M%06d%.*s.", (long long)(us / 1000000), (int)(us % 1000000), STR_ARG(id));
	add_host(host, out);
}

static bool add_fields(struct str fields, struct buf *out)
{
	while (fields.n > 0) {
		struct str field = str_cut(&fields, ',');
		if (!own_field(field) && !(buf_addc(out, ',') && buf_add(out, field)))
			return false;
	}
	return true;
}

/* Instead of a name that grew too long: what counts is the tag, the date and the flags. */
static void add_short_stem(const struct mbox_name *old, struct buf *out)
{
	buf_addf(out, "%lld.L%016llx.long", old->seconds < 0 ? 0LL : (long long)old->seconds,
		 (unsigned long long)random_u64());
}

/* Each letter once, so that the short name stays short. */
static void add_letters(struct str flags, struct buf *out)
{
	bool seen[256] = { false };

	for (size_t i = 0; i < flags.n; i++) {
		unsigned char c = (unsigned char)flags.p[i];
		if (ascii_alpha((char)c) && !seen[c])
			buf_addc(out, (char)c);
		seen[c] = true;
	}
}

void mbox_name_tag(const struct mbox_name *old, int64_t size, int64_t vsize, uint32_t uidvalidity, uint32_t uid,
		   struct buf *out)
{
	scoped_buf struct buf tag = { 0 }, whole = { .limit = MBOX_NAME_MAX };
	struct str fields = old->base;

	str_cut(&fields, ',');
	buf_addf(&tag, ",S=%lld,W=%lld,T=%u.%u:", (long long)size, (long long)vsize, uidvalidity, uid);
	if (buf_add(&whole, old->stem) && add_fields(fields, &whole) && buf_add(&whole, buf_str(&tag)) &&
	    buf_add(&whole, old->info.n ? old->info : STR("2,"))) {
		buf_add(out, buf_str(&whole));
		return;
	}
	add_short_stem(old, out);
	buf_add(out, buf_str(&tag));
	buf_add(out, STR("2,"));
	add_letters(old->flags, out);
}

void mbox_name_untag(const struct mbox_name *old, struct buf *out)
{
	struct str fields = old->base;
	uint32_t v, u;

	buf_add(out, str_cut(&fields, ','));
	while (fields.n > 0) {
		struct str field = str_cut(&fields, ',');
		if (take_tag(field, &v, &u))
			continue;
		buf_addc(out, ',');
		buf_add(out, field);
	}
}

/* In the order of ASCII, as maildir wants it; capitals that we do not know may be another program's. */
static void add_flags(const struct mbox_name *old, uint32_t flags, struct buf *out)
{
	char ours[MBOX_LETTERS_MAX];
	bool set[128] = { false };

	for (size_t i = 0; i < old->flags.n; i++) {
		char c = old->flags.p[i];
		if (c >= 'A' && c <= 'Z' && !strchr(letters, c))
			set[(int)c] = true;
	}
	for (size_t i = mbox_name_letters(flags, ours); i > 0; i--)
		set[(int)ours[i - 1]] = true;
	for (int c = 'A'; c <= 'z'; c++)
		if (set[c])
			buf_addc(out, (char)c);
}

void mbox_name_reflag(const struct mbox_name *old, uint32_t flags, struct buf *out)
{
	scoped_buf struct buf info = { 0 };

	buf_add(&info, STR(":2,"));
	add_flags(old, flags, &info);
	if (old->base.n + info.n <= MBOX_NAME_MAX) {
		buf_add(out, old->base);
	} else {
		add_short_stem(old, out);
		if (old->size >= 0 && old->vsize >= 0)
			buf_addf(out, ",S=%lld,W=%lld", (long long)old->size, (long long)old->vsize);
		if (old->uid)
			buf_addf(out, ",T=%u.%u", old->uidvalidity, old->uid);
	}
	buf_add(out, buf_str(&info));
}
