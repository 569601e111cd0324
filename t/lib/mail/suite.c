#include "unit.h"

#include <dirent.h>

#include "mail/address_list.h"
#include "mail/date.h"
#include "mail/imap.h"
#include "mail/text.h"

/* The cases of the mail-parser library under $TAYORI_SUITES, when they are there. */

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return false;
	do {
		ck_assert(buf_reserve(out, 4096));
		n = fread(out->p + out->n, 1, 4096, f);
		out->n += n;
	} while (n > 0);
	fclose(f);
	return true;
}

static bool read_suite(const char *name, struct buf *out)
{
	const char *suites = getenv("TAYORI_SUITES");
	char path[512];

	snprintf(path, sizeof(path), "%s/mail-parser/%s", suites ? suites : "", name);
	return suites && read_file(path, out);
}

/* The character of an escape of JSON whose '\\' has been eaten. */
static void json_escape(struct str *in, struct buf *out)
{
	char c = in->p[0];
	unsigned code;

	*in = str_skip(*in, 1);
	if (c == 'u' && sscanf(in->p, "%4x", &code) == 1) {
		*in = str_skip(*in, 4);
		text_to_utf8(STR("utf-16be"), str_of((char[]){ (char)(code >> 8), (char)code }, 2), out);
	} else {
		buf_addc(out, c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
	}
}

/* The next value in JSON: its first character, with the text of a string or number in `text`. 0 at the end. */
static char json_next(struct str *in, struct buf *text)
{
	buf_reset(text);
	while (in->n > 0 && strchr(" \n,:", in->p[0]))
		*in = str_skip(*in, 1);
	if (in->n == 0)
		return 0;
	char first = in->p[0];
	*in = str_skip(*in, 1);
	if (first == '"') {
		while (!str_eat(in, '"')) {
			if (str_eat(in, '\\')) {
				json_escape(in, text);
				continue;
			}
			buf_addc(text, in->p[0]);
			*in = str_skip(*in, 1);
		}
	} else if (ascii_alnum(first)) {
		buf_addc(text, first);
		while (in->n > 0 && ascii_alnum(in->p[0])) {
			buf_addc(text, in->p[0]);
			*in = str_skip(*in, 1);
		}
	}
	return first;
}

static void list_addresses(struct str header, struct buf *out)
{
	scoped_arena struct arena arena = { 0 };
	struct address_iter it = { .rest = header, .arena = &arena };
	struct address a;

	while (address_next(&it, &a))
		if (a.kind == ADDRESS_MAILBOX)
			buf_addf(out, "%.*s%s%.*s\n", STR_ARG(a.mailbox), a.host.n > 0 ? "@" : "", STR_ARG(a.host));
}

/* The suite puts comments, routes and the blanks of obsolete domains into its answers: those cases differ. */
START_TEST(addresses)
{
	scoped_buf struct buf json = { 0 }, text = { 0 }, header = { 0 }, want = { 0 }, got = { 0 };
	size_t same = 0, n = 0;
	char kind;

	if (!read_suite("address.json", &json))
		return;
	struct str in = buf_str(&json);
	do {
		kind = json_next(&in, &text);
		bool begins = kind == '"' && str_eq(buf_str(&text), STR("header"));
		if ((begins || kind == 0) && header.n > 0) {
			buf_reset(&got);
			list_addresses(buf_str(&header), &got);
			same += str_eq(buf_str(&got), buf_str(&want));
			n++;
		}
		if (begins) {
			buf_reset(&want);
			json_next(&in, &header);
		} else if (kind == '"' && str_eq(buf_str(&text), STR("address")) && json_next(&in, &text) == '"') {
			buf_add(&want, buf_str(&text));
			buf_addc(&want, '\n');
		}
	} while (kind);
	ck_assert_uint_ge(n, 60);
	ck_assert_uint_le(n - same, 6);
}
END_TEST

/* Fills v with year, month, day, hour, minute, second, zone before GMT, its hours and minutes; false for null. */
static bool json_date(struct str *in, int v[9])
{
	scoped_buf struct buf text = { 0 };
	uint64_t number;

	if (json_next(in, &text) != '{')
		return false;
	for (size_t i = 0; i < 9; i++) {
		json_next(in, &text);
		char kind = json_next(in, &text);
		v[i] = kind == 't';
		if (ascii_digit(kind) && str_u64(buf_str(&text), 9999, &number))
			v[i] = (int)number;
	}
	return true;
}

static bool date_agrees(struct str header, bool wanted, const int v[9])
{
	int64_t seconds, days;
	int zone;
	bool ok = date_parse(header, &seconds, &zone);

	if (!ok || !wanted)
		return ok == wanted;
	int want_zone = (v[7] * 60 + v[8]) * (v[6] ? -1 : 1);
	ck_assert(date_days(v[0], v[1], v[2], &days));
	return zone == want_zone && seconds == days * 86400 + v[3] * 3600 + v[4] * 60 + v[5] - want_zone * 60;
}

/*
 * The suite finds dates in numbers alone, and behind the words of a Received field; and takes one comment for broken.
 */
START_TEST(dates)
{
	scoped_buf struct buf json = { 0 }, text = { 0 }, header = { 0 };
	size_t same = 0, n = 0;
	char kind;
	int v[9];

	if (!read_suite("date.json", &json))
		return;
	struct str in = buf_str(&json);
	while ((kind = json_next(&in, &text))) {
		if (kind != '"' || !str_eq(buf_str(&text), STR("header")))
			continue;
		json_next(&in, &header);
		json_next(&in, &text);
		bool wanted = json_date(&in, v);
		same += date_agrees(buf_str(&header), wanted, v);
		n++;
	}
	ck_assert_uint_ge(n, 40);
	ck_assert_uint_le(n - same, 4);
}
END_TEST

static void check_message(const char *path)
{
	scoped_buf struct buf message = { 0 }, out = { 0 };
	scoped_arena struct arena arena = { 0 };

	ck_assert(read_file(path, &message));
	const struct mime_part *root = mime_parse(buf_str(&message), &arena);
	imap_envelope(buf_str(&message), &out);
	imap_structure(buf_str(&message), root, true, &out);
	ck_assert(out.n > 0 && !text_search(buf_str(&message), root, true, STR("in none of them")));
}

START_TEST(messages)
{
	static const char *const folders[] = { "malformed", "rfc", "thirdparty" };
	const char *suites = getenv("TAYORI_SUITES");
	char path[512], name[1024];

	for (size_t i = 0; i < COUNT(folders) && suites; i++) {
		snprintf(path, sizeof(path), "%s/mail-parser/eml/%s", suites, folders[i]);
		DIR *d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d));) {
			snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
			if (str_ends(str_from(name), STR(".eml")))
				check_message(name);
		}
		if (d)
			closedir(d);
	}
}
END_TEST

TEST_MAIN("suite", tcase_add_test(tc, addresses); tcase_add_test(tc, dates); tcase_add_test(tc, messages);)
