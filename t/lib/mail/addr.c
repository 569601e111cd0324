#include "unit.h"

#include "mail/addr.h"

static const struct {
	const char *in, *local, *domain;
	bool ok;
} splits[] = {
	{ "", "", "", false },
	{ "a", "a", "", false },
	{ "\"a@b", "\"a@b", "", false },
	{ "\"a\\\"@b", "\"a\\\"@b", "", false },
	{ "a@", "a", "", true },
	{ "@b", "", "b", true },
	{ "a@b", "a", "b", true },
	{ "a@b@c", "a@b", "c", true },
	{ "\"a@b\"@c", "\"a@b\"", "c", true },
	{ "\"a\\\"@b\"@c", "\"a\\\"@b\"", "c", true },
	{ "\"a\\\\\"@b", "\"a\\\\\"", "b", true },
};

START_TEST(split_cases)
{
	struct str local, domain;

	ck_assert_int_eq(addr_split(str_from(splits[_i].in), &local, &domain), splits[_i].ok);
	ck_assert_str_is(local, str_from(splits[_i].local));
	ck_assert_str_is(domain, str_from(splits[_i].domain));
}
END_TEST

static const struct {
	const char *local, *delimiters, *user, *extension;
	bool ok;
} extensions[] = {
	{ "", "+", "", "", false },
	{ "user", "+", "user", "", false },
	{ "user+ext", "", "user+ext", "", false },
	{ "+ext", "+", "+ext", "", false },
	{ "Mailer-Daemon", "-", "Mailer-Daemon", "", false },
	{ "double-bounce", "-", "double-bounce", "", false },
	{ "postmaster", "m", "postmaster", "", false },
	{ "owner-list", "-", "owner-list", "", false },
	{ "list-Request", "+-", "list-Request", "", false },
	{ "owner-", "-", "owner", "", true },
	{ "-request", "-", "-request", "", false },
	{ "owner-list+x", "+", "owner-list", "x", true },
	{ "user+", "+", "user", "", true },
	{ "user+a+b", "+", "user", "a+b", true },
	{ "user-a+b", "+-", "user", "a+b", true },
	{ "user-a+b", "+", "user-a", "b", true },
};

START_TEST(extension_cases)
{
	struct str user, extension;

	ck_assert_int_eq(
		addr_extension(str_from(extensions[_i].local), str_from(extensions[_i].delimiters), &user, &extension),
		extensions[_i].ok);
	ck_assert_str_is(user, str_from(extensions[_i].user));
	ck_assert_str_is(extension, str_from(extensions[_i].extension));
}
END_TEST

START_TEST(key_lower)
{
	scoped_buf struct buf out = { .limit = 8 };

	ck_assert(addr_key(STR("A@B.\xc3\x84z"), &out));
	ck_assert_str_is(buf_str(&out), STR("a@b.\xc3\x84z"));
	ck_assert(!addr_key(STR("xx"), &out));
	ck_assert_uint_eq(out.n, 7);
}
END_TEST

static const struct {
	struct str in;
	bool ok;
} valids[] = {
	{ STR(""), false },
	{ STR("a"), false },
	{ STR("a@b\0"), false },
	{ STR("a\0b@c"), false },
	{ STR("\"\0\"@c"), false },
	{ STR("\"@c"), false },
	{ STR("\"a\\\"@c"), false },
	{ STR("a@b\n"), false },
	{ STR("a@[1.2.3.4\0]"), false },
	{ STR("a@["), false },
	{ STR("a@[]"), false },
	{ STR("<a@b>"), false },
	{ STR("\xc3\xb6@b"), false },
	{ STR("a@\xc3\xb6"), false },
	{ STR("a@b"), true },
	{ STR("a@b_c"), true },
	{ STR("\"a\\\" b\"@b"), true },
	{ STR("a@[IPv6:::1]"), true },
};

START_TEST(valid_cases)
{
	ck_assert_int_eq(addr_valid(valids[_i].in), valids[_i].ok);
}
END_TEST

/* --- The public isemail cases: tests.xml under $TAYORI_SUITES/isemail ------------------------------------------- */

static bool read_suite(struct buf *out)
{
	const char *suites = getenv("TAYORI_SUITES");
	char path[512];
	size_t n;

	if (!suites)
		return false;
	snprintf(path, sizeof(path), "%s/isemail/tests.xml", suites);
	FILE *f = fopen(path, "r");
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

/* What stands between <tag> and </tag>, from *at on. */
static bool take_element(const char **at, const char *tag, struct str *out)
{
	char open[32], close[32];

	snprintf(open, sizeof(open), "<%s>", tag);
	snprintf(close, sizeof(close), "</%s>", tag);
	const char *p = strstr(*at, open);
	const char *end = p ? strstr(p, close) : NULL;
	if (!end)
		return false;
	*out = str_of(p + strlen(open), (size_t)(end - p) - strlen(open));
	*at = end;
	return true;
}

/* Undoes XML's entities; U+2400 and what follows stand for control characters. */
static void decode(struct str in, struct buf *out)
{
	while (in.n > 0) {
		unsigned code;
		if (str_eat_word(&in, STR("&amp;"))) {
			buf_addc(out, '&');
		} else if (str_starts(in, STR("&#x")) && sscanf(in.p, "&#x%x;", &code) == 1) {
			if (code >= 0x2400)
				buf_addc(out, (char)(code - 0x2400));
			else
				buf_addf(out, "%c%c", 0xc0 | (code >> 6), 0x80 | (code & 63));
			str_cut(&in, ';');
		} else {
			buf_addc(out, in.p[0]);
			in = str_skip(in, 1);
		}
	}
}

/*
 * Errors are refused and valid ones accepted, known to DNS or not. So are the forms that only RFC 5321 allows. Refused,
 * although RFC 5322 has them: what RFC 5321 does not allow in an envelope, comments and folding white space, and obsolete
 * forms, of which one is accepted: an IPv6 literal in which "::" stands for a single group.
 */
static bool expected(struct str category, struct str diagnosis)
{
	return str_eq(category, STR("ISEMAIL_VALID_CATEGORY")) || str_eq(category, STR("ISEMAIL_DNSWARN")) ||
	       str_eq(category, STR("ISEMAIL_RFC5321")) || str_eq(diagnosis, STR("ISEMAIL_RFC5321_IPV6DEPRECATED"));
}

START_TEST(isemail)
{
	scoped_buf struct buf xml = { 0 }, address = { 0 };
	struct str raw, category, diagnosis;
	size_t n = 0;

	if (!read_suite(&xml))
		return;
	const char *at = buf_cstr(&xml);
	for (; take_element(&at, "address", &raw); n++) {
		ck_assert(take_element(&at, "category", &category) && take_element(&at, "diagnosis", &diagnosis));
		buf_reset(&address);
		decode(raw, &address);
		ck_assert_msg(addr_valid(buf_str(&address)) == expected(category, diagnosis), "%.*s: %.*s",
			      STR_ARG(raw), STR_ARG(diagnosis));
	}
	ck_assert_uint_gt(n, 150);
}
END_TEST

TEST_MAIN("addr", tcase_add_loop_test(tc, split_cases, 0, COUNT(splits));
	  tcase_add_loop_test(tc, extension_cases, 0, COUNT(extensions)); tcase_add_test(tc, key_lower);
	  tcase_add_loop_test(tc, valid_cases, 0, COUNT(valids)); tcase_add_test(tc, isemail);)
