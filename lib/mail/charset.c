#include "mail/charset.h"

#include <errno.h>
#include <iconv.h>
#include <unistr.h>

#include "base/err.h"
#include "base/utf8.h"
#include "mail/text.h"

enum kind {
	KIND_ASCII,  /* 8-bit octets are a mistake, and mostly UTF-8 */
	KIND_UTF8,   /* needs no iconv */
	KIND_SINGLE, /* a byte a character: a table, made at the beginning */
	KIND_MULTI,  /* a conversion that is kept open */
	KIND_WIDE,   /* the same, with the order of bytes told by the first character */
	KIND_JP,     /* escapes; once they are undone it is another charset */
	KIND_KR,
	KIND_HZ,
};

/*
 * What mail is written in, and under what names. Where a charset is commonly used for a larger one, it is read as
 * that one (as in browsers: encoding.spec.whatwg.org); names that are not here are unknown. Few modules of iconv are
 * needed so, and none of those that are seldom used and had holes.
 */
struct charset {
	enum kind kind;
	uint8_t unit; /* octets left out at once when they are no character */
	bool plain;   /* ASCII stands for itself */
	const char *iconv;
	const char *names; /* divided by blanks */
};

static const struct charset sets[] = {
	{ KIND_ASCII, 1, true, NULL, "us-ascii ascii ansi_x3.4-1968 iso646-us 646 csascii" },
	{ KIND_UTF8, 1, true, NULL, "utf-8 utf8 unicode-1-1-utf-8 x-utf-8" },
	{ KIND_SINGLE, 1, true, "CP1252",
	  "iso-8859-1 windows-1252 latin1 latin-1 iso8859-1 iso_8859-1 iso88591 l1 cp819 ibm819 cp1252 cp-1252 "
	  "x-cp1252 "
	  "csisolatin1 iso-ir-100 iso-8859-1-windows-3.1-latin-1" },
	{ KIND_SINGLE, 1, true, "ISO-8859-2", "iso-8859-2 latin2 iso8859-2 iso_8859-2 l2 csisolatin2 iso-ir-101" },
	{ KIND_SINGLE, 1, true, "ISO-8859-3", "iso-8859-3 latin3 iso8859-3 iso_8859-3 l3 csisolatin3 iso-ir-109" },
	{ KIND_SINGLE, 1, true, "ISO-8859-4", "iso-8859-4 latin4 iso8859-4 iso_8859-4 l4 csisolatin4 iso-ir-110" },
	{ KIND_SINGLE, 1, true, "ISO-8859-5",
	  "iso-8859-5 cyrillic iso8859-5 iso_8859-5 csisolatincyrillic iso-ir-144" },
	{ KIND_SINGLE, 1, true, "ISO-8859-6",
	  "iso-8859-6 arabic iso8859-6 iso_8859-6 iso-8859-6-i iso-8859-6-e csisolatinarabic iso-ir-127" },
	{ KIND_SINGLE, 1, true, "ISO-8859-7", "iso-8859-7 greek iso8859-7 iso_8859-7 csisolatingreek iso-ir-126" },
	{ KIND_SINGLE, 1, true, "ISO-8859-8",
	  "iso-8859-8 hebrew iso8859-8 iso_8859-8 iso-8859-8-i iso-8859-8-e csisolatinhebrew iso-ir-138" },
	{ KIND_SINGLE, 1, true, "CP1254",
	  "iso-8859-9 windows-1254 latin5 iso8859-9 iso_8859-9 l5 cp1254 csisolatin5 iso-ir-148" },
	{ KIND_SINGLE, 1, true, "ISO-8859-10", "iso-8859-10 latin6 iso8859-10 iso_8859-10 l6 csisolatin6 iso-ir-157" },
	{ KIND_SINGLE, 1, true, "CP874", "tis-620 iso-8859-11 windows-874 cp874 iso8859-11 tis620" },
	{ KIND_SINGLE, 1, true, "ISO-8859-13", "iso-8859-13 latin7 iso8859-13 iso_8859-13 l7" },
	{ KIND_SINGLE, 1, true, "ISO-8859-14", "iso-8859-14 latin8 iso8859-14 iso_8859-14 l8" },
	{ KIND_SINGLE, 1, true, "ISO-8859-15", "iso-8859-15 latin9 latin-9 iso8859-15 iso_8859-15 l9" },
	{ KIND_SINGLE, 1, true, "ISO-8859-16", "iso-8859-16 latin10 iso8859-16 iso_8859-16 l10" },
	{ KIND_SINGLE, 1, true, "CP1250", "windows-1250 cp1250 cp-1250 x-cp1250" },
	{ KIND_SINGLE, 1, true, "CP1251", "windows-1251 cp1251 cp-1251 x-cp1251" },
	{ KIND_SINGLE, 1, true, "CP1253", "windows-1253 cp1253 x-cp1253" },
	{ KIND_SINGLE, 1, true, "CP1255", "windows-1255 cp1255 x-cp1255" },
	{ KIND_SINGLE, 1, true, "CP1256", "windows-1256 cp1256 x-cp1256" },
	{ KIND_SINGLE, 1, true, "CP1257", "windows-1257 cp1257 x-cp1257" },
	{ KIND_SINGLE, 1, true, "CP1258", "windows-1258 cp1258 x-cp1258" },
	{ KIND_SINGLE, 1, true, "KOI8-R", "koi8-r koi8 koi cskoi8r" },
	{ KIND_SINGLE, 1, true, "KOI8-U", "koi8-u koi8-ru" },
	{ KIND_SINGLE, 1, true, "CP437", "ibm437 cp437 437 cspc8codepage437" },
	{ KIND_SINGLE, 1, true, "CP850", "ibm850 cp850 850 cspc850multilingual" },
	{ KIND_SINGLE, 1, true, "CP852", "ibm852 cp852 852 cspcp852" },
	{ KIND_SINGLE, 1, true, "CP866", "ibm866 cp866 866 csibm866" },
	{ KIND_SINGLE, 1, true, "MACINTOSH", "macintosh mac x-mac-roman x-macroman csmacintosh" },
	{ KIND_SINGLE, 1, true, "MAC-CYRILLIC", "x-mac-cyrillic" },
	{ KIND_MULTI, 1, true, "CP932",
	  "shift_jis shift-jis sjis x-sjis ms_kanji windows-31j cp932 ms932 csshiftjis cswindows31j" },
	{ KIND_MULTI, 1, true, "EUC-JP-MS", "euc-jp eucjp x-euc-jp euc-jp-ms cp51932 cseucpkdfmtjapanese" },
	{ KIND_MULTI, 1, true, "GB18030",
	  "gb18030 gb2312 gbk gb_2312-80 x-gbk cp936 ms936 windows-936 euc-cn cn-gb csgb2312 csiso58gb231280 chinese "
	  "iso-ir-58" },
	{ KIND_MULTI, 1, true, "BIG5", "big5 big-5 cn-big5 x-x-big5 cp950 csbig5" },
	{ KIND_MULTI, 1, false /* it holds characters back */, "BIG5-HKSCS", "big5-hkscs big5hkscs" },
	{ KIND_MULTI, 1, true, "UHC",
	  "euc-kr euckr ks_c_5601-1987 ks_c_5601-1989 ks_c_5601 ksc5601 ksc_5601 cp949 uhc windows-949 cseuckr "
	  "csksc56011987 korean iso-ir-149" },
	{ KIND_MULTI, 1, false, "UTF-7", "utf-7 unicode-1-1-utf-7 csunicode11utf7 x-unicode-2-0-utf-7" },
	{ KIND_MULTI, 2, false, "UTF-16BE", "utf-16be" },
	{ KIND_MULTI, 2, false, "UTF-16LE", "utf-16le" },
	{ KIND_MULTI, 4, false, "UTF-32BE", "utf-32be" },
	{ KIND_MULTI, 4, false, "UTF-32LE", "utf-32le" },
	{ KIND_WIDE, 2, false, "UTF-16BE", "utf-16 unicode csunicode ucs-2 iso-10646-ucs-2" },
	{ KIND_WIDE, 4, false, "UTF-32BE", "utf-32 ucs-4 iso-10646-ucs-4" },
	{ KIND_JP, 1, false, "EUC-JP-MS",
	  "iso-2022-jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-3 iso-2022-jp-ms cp50220 cp50221 cp50222 csiso2022jp "
	  "csiso2022jp2" },
	{ KIND_KR, 1, false, "UHC", "iso-2022-kr csiso2022kr" },
	{ KIND_HZ, 1, false, "GB18030", "hz-gb-2312 hz" },
};

enum { NAME_MAX_OCTETS = 40 };

/* One for the process, filled once: iconv_open is not possible later. */
static struct {
	bool tried[COUNT(sets)];
	bool ok[COUNT(sets)];
	iconv_t conversion[COUNT(sets)]; /* KIND_MULTI */
	uint16_t high[COUNT(sets)][128]; /* KIND_SINGLE; 0: no character */
} loaded;

static uint16_t byte_read(iconv_t cd, char byte)
{
	unsigned char code[16] = { 0 };
	char *in = &byte, *out = (char *)code;
	size_t in_n = 1, out_n = sizeof(code);

	iconv(cd, NULL, NULL, NULL, NULL);
	if (iconv(cd, &in, &in_n, &out, &out_n) == (size_t)-1)
		return 0;
	iconv(cd, NULL, NULL, &out, &out_n); /* some wait for an accent */
	return out_n < sizeof(code) ? (uint16_t)(code[0] | code[1] << 8) : 0;
}

static bool load_single(size_t i)
{
	iconv_t cd = iconv_open("UCS-4LE", sets[i].iconv);

	if (cd == (iconv_t)-1)
		return false;
	for (size_t k = 0; k < 128; k++)
		loaded.high[i][k] = byte_read(cd, (char)(k + 128));
	iconv_close(cd);
	return true;
}

static size_t multi_find(const char *iconv_name)
{
	size_t i = 0;

	while (i < COUNT(sets) && (sets[i].kind != KIND_MULTI || strcmp(sets[i].iconv, iconv_name) != 0))
		i++;
	return i;
}

static bool load(size_t i)
{
	size_t inner;

	if (loaded.tried[i])
		return loaded.ok[i];
	loaded.tried[i] = true;
	switch (sets[i].kind) {
	case KIND_ASCII:
	case KIND_UTF8: loaded.ok[i] = true; break;
	case KIND_SINGLE: loaded.ok[i] = load_single(i); break;
	case KIND_MULTI:
		loaded.conversion[i] = iconv_open("UTF-8", sets[i].iconv);
		loaded.ok[i] = loaded.conversion[i] != (iconv_t)-1;
		break;
	default:
		inner = multi_find(sets[i].iconv);
		loaded.ok[i] = inner < i && load(inner);
		break;
	}
	return loaded.ok[i];
}

void text_preload(void)
{
	for (size_t i = 0; i < COUNT(sets); i++)
		load(i);
}

static bool has_name(const char *names, struct str name)
{
	struct str rest = str_from(names);

	while (rest.n > 0)
		if (str_ieq(str_cut(&rest, ' '), name))
			return true;
	return false;
}

static const struct charset *charset_find(struct str name)
{
	name = str_trim(name);
	if (name.n == 0 || name.n > NAME_MAX_OCTETS)
		return NULL;
	for (size_t i = 0; i < COUNT(sets); i++)
		if (has_name(sets[i].names, name))
			return load(i) ? &sets[i] : NULL;
	return NULL;
}

bool text_charset_ok(struct str charset)
{
	return charset_find(charset) != NULL;
}

void charset_begin(struct charset_reader *r, struct str name)
{
	const struct charset *set = charset_find(name);

	*r = (struct charset_reader){ .set = set, .multi = -1 };
	if (set && set->kind >= KIND_MULTI && set->kind != KIND_WIDE)
		r->multi = (int)multi_find(set->iconv);
	if (r->multi >= 0)
		iconv(loaded.conversion[r->multi], NULL, NULL, NULL, NULL);
}

void charset_free(struct charset_reader *r)
{
	buf_free(&r->inner);
}

bool charset_is_plain(const struct charset_reader *r)
{
	return !r->set || r->set->plain;
}

static const struct str unreadable = { "\xef\xbf\xbd", 3 };

/* Octets at the end that begin a character of UTF-8 which is not complete. */
static size_t utf8_tail(struct str s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		uint8_t c = (uint8_t)s.p[s.n - n];
		if (c >= 0xc0)
			return n < (c >= 0xf0 ? 4u : c >= 0xe0 ? 3u : 2u) ? n : 0;
		if (c < 0x80)
			return 0;
	}
	return 0;
}

static void add_utf8(struct str s, struct buf *out)
{
	while (s.n > 0) {
		const uint8_t *bad = u8_check((const uint8_t *)s.p, s.n);
		size_t good = bad ? (size_t)((const char *)bad - s.p) : s.n;
		ucs4_t c;
		buf_add(out, str_head(s, good));
		s = str_skip(s, good);
		if (s.n == 0)
			return;
		buf_add(out, unreadable);
		s = str_skip(s, (size_t)u8_mbtouc(&c, (const uint8_t *)s.p, s.n));
	}
}

/* Octets of an unknown charset, or of a charset whose characters are in `high` (NULL: there are none). */
static void add_single(struct str s, const uint16_t *high, struct buf *out)
{
	size_t plain = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i], bytes[4];
		if (c < 0x80) {
			plain++;
			continue;
		}
		buf_add(out, str_of(s.p + i - plain, plain));
		plain = 0;
		int n = high && high[c - 128] ? u8_uctomb(bytes, high[c - 128], sizeof(bytes)) : 0;
		buf_add(out, n > 0 ? str_of(bytes, (size_t)n) : unreadable);
	}
	buf_add(out, str_of(s.p + s.n - plain, plain));
}

void charset_guess(struct str s, struct buf *out)
{
	uint8_t bytes[4];

	if (utf8_valid(s)) {
		buf_add(out, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		buf_add(out, str_of(bytes, (size_t)u8_uctomb(bytes, (uint8_t)s.p[i], sizeof(bytes))));
}

static size_t convert_direct(const struct charset *set, struct str bytes, bool last, struct buf *out)
{
	if (!set) {
		add_single(bytes, NULL, out);
		return bytes.n;
	}
	if (set->kind == KIND_SINGLE) {
		add_single(bytes, loaded.high[set - sets], out);
		return bytes.n;
	}
	if (!last)
		bytes.n -= utf8_tail(bytes);
	if (set->kind == KIND_UTF8)
		add_utf8(bytes, out);
	else
		charset_guess(bytes, out);
	return bytes.n;
}

/* What a conversion still holds back. */
static void convert_end(iconv_t cd, struct buf *out)
{
	if (!buf_reserve(out, 32))
		return;
	char *to = out->p + out->n;
	size_t room = out->room - out->n;
	iconv(cd, NULL, NULL, &to, &room);
	out->n = (size_t)(to - out->p);
}

static size_t convert_multi(const struct charset *set, iconv_t cd, struct str bytes, bool last, struct buf *out)
{
	char *from = (char *)bytes.p;
	size_t left = bytes.n;

	while (left > 0 && buf_reserve(out, (left < 1 << 16 ? left : 1 << 16) + 64)) {
		char *to = out->p + out->n;
		size_t room = out->room - out->n;
		size_t r = iconv(cd, &from, &left, &to, &room);
		out->n = (size_t)(to - out->p);
		if (r != (size_t)-1 || errno == E2BIG)
			continue;
		if (errno == EINVAL && !last)
			return bytes.n - left;
		size_t n = left < set->unit ? left : set->unit;
		buf_add(out, unreadable);
		from += n;
		left -= n;
	}
	if (last)
		convert_end(cd, out);
	return bytes.n;
}

/* Big-endian when nothing is said (RFC 2781, 4.3). Returns the octets of the mark, or -1 when it is not there yet. */
static int read_mark(struct charset_reader *r, struct str bytes, bool last)
{
	static const struct {
		struct str mark;
		const char *iconv;
	} marks[] = {
		{ STR("\xff\xfe\0\0"), "UTF-32LE" },
		{ STR("\0\0\xfe\xff"), "UTF-32BE" },
		{ STR("\xff\xfe"), "UTF-16LE" },
		{ STR("\xfe\xff"), "UTF-16BE" },
	};
	const char *iconv_name = r->set->iconv;
	struct str mark = { 0 };

	if (bytes.n < 4 && !last)
		return -1;
	for (size_t i = 0; i < COUNT(marks); i++)
		if (marks[i].mark.n == r->set->unit && str_starts(bytes, marks[i].mark)) {
			iconv_name = marks[i].iconv;
			mark = marks[i].mark;
		}
	size_t multi = multi_find(iconv_name);
	if (!load(multi))
		multi = multi_find(r->set->iconv);
	r->multi = (int)multi;
	iconv(loaded.conversion[multi], NULL, NULL, NULL, NULL);
	return (int)mark.n;
}

static void unescape(struct charset_reader *r, struct str bytes)
{
	switch (r->set->kind) {
	case KIND_JP: charset_unescape_jp(r, bytes); break;
	case KIND_KR: charset_unescape_kr(r, bytes); break;
	default: charset_unescape_hz(r, bytes); break;
	}
}

size_t charset_convert(struct charset_reader *r, struct str bytes, bool last, struct buf *out)
{
	const struct charset *set = r->set;
	int mark = 0;

	if (!set || set->kind < KIND_MULTI)
		return convert_direct(set, bytes, last, out);
	if (set->kind == KIND_WIDE && r->multi < 0)
		mark = read_mark(r, bytes, last);
	if (mark < 0)
		return 0;
	iconv_t cd = loaded.conversion[r->multi];
	if (set->kind <= KIND_WIDE)
		return (size_t)mark + convert_multi(set, cd, str_skip(bytes, (size_t)mark), last, out);
	unescape(r, bytes);
	buf_consume(&r->inner, convert_multi(set, cd, buf_str(&r->inner), last, out));
	return bytes.n;
}

void text_to_utf8(struct str charset, struct str bytes, struct buf *out)
{
	__attribute__((cleanup(charset_free))) struct charset_reader r;

	charset_begin(&r, charset);
	charset_convert(&r, bytes, true, out);
}
