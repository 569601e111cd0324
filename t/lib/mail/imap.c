#include "unit.h"

#include "mail/imap.h"

static const struct {
	struct str in, out;
} strings[] = {
	{ STR("\0"), STR("{0}\r\n") },
	{ STR("a\0b"), STR("{2}\r\nab") },
	{ STR("\r\n"), STR("{2}\r\n\r\n") },
	{ STR("\x7f"), STR("{1}\r\n\x7f") },
	{ STR("\t"), STR("{1}\r\n\t") },
	{ STR("\xc3\xa4"), STR("{2}\r\n\xc3\xa4") },
	{ STR("a \"b\" \\ {3}"), STR("\"a \\\"b\\\" \\\\ {3}\"") },
};

START_TEST(string_cases)
{
	scoped_buf struct buf out = { 0 };

	imap_string(strings[_i].in, &out);
	imap_nstring((struct str){ 0 }, &out);
	imap_string((struct str){ 0 }, &out);
	ck_assert(str_starts(buf_str(&out), strings[_i].out));
	ck_assert_str_is(str_skip(buf_str(&out), strings[_i].out.n), STR("NIL\"\""));
}
END_TEST

START_TEST(string_long)
{
	scoped_buf struct buf in = { 0 }, out = { 0 };

	for (size_t i = 0; i < 1000; i++)
		buf_addc(&in, 'x');
	imap_string(buf_str(&in), &out);
	ck_assert_uint_eq(out.n, 1002);
	buf_addc(&in, 'x');
	buf_reset(&out);
	imap_string(buf_str(&in), &out);
	ck_assert_uint_eq(out.n, 8 + 1001);
}
END_TEST

static const struct {
	struct str header;
	const char *envelope;
} envelopes[] = {
	{ STR(""), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ STR("Subject:\nDate: \n \n\nSubject: x\n"), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ STR("Subject: a\nSubject: b\n"), "(NIL \"a\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ STR("Subject: a\n\tb\n"), "(NIL \"a b\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ STR("subject : \xe4\0\n"), "(NIL {1}\r\n\xe4 NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ STR("From: a@b\nSender:\nReply-To: ,\n"),
	  "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)" },
	{ STR("From: a@b\nSender: c@d\nReply-To: e@f, g\n"), "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) "
							     "((NIL NIL \"e\" \"f\")(NIL NIL \"g\" \"\")) NIL NIL NIL "
							     "NIL NIL)" },
	{ STR("To: a@b\nTo: x <@r:c@d>\nCc: <>\nBcc: g: h@i;\n"),
	  "(NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")(\"x\" \"@r\" \"c\" \"d\")) ((NIL NIL \"\" \"\")) "
	  "((NIL NIL \"g\" NIL)(NIL NIL \"h\" \"i\")(NIL NIL NIL NIL)) NIL NIL)" },
	{ STR("To: g: a@b\nTo: :\n"), "(NIL NIL NIL NIL NIL ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL "
				      "NIL)(NIL NIL \"\" NIL)(NIL NIL NIL "
				      "NIL)) NIL NIL NIL NIL)" },
	{ STR("Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\nIn-Reply-To: <a@b>\n <c@d>\nMessage-Id: <e@f>\n"),
	  "(\"Mon, 7 Feb 1994 21:52:25 -0800 (PST)\" NIL NIL NIL NIL NIL NIL NIL \"<a@b> <c@d>\" \"<e@f>\")" },
};

START_TEST(envelope_cases)
{
	scoped_buf struct buf out = { 0 };

	imap_envelope(envelopes[_i].header, &out);
	ck_assert_str_is(buf_str(&out), str_from(envelopes[_i].envelope));
}
END_TEST

#define MULTI(boundary) "Content-Type: multipart/mixed; boundary=" boundary "\n\n"
#define TEXT "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
#define NO_ENVELOPE " (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "

static const struct {
	struct str message;
	const char *body, *structure;
} structures[] = {
	{ STR(""), TEXT "0 0)", TEXT "0 0 NIL NIL NIL NIL)" },
	{ STR("\na\nb"), TEXT "4 1)", TEXT "4 1 NIL NIL NIL NIL)" },
	{ STR(MULTI("b")), "(" TEXT "0 0) \"mixed\")",
	  "(" TEXT "0 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ STR("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nx\n"),
	  "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 3" NO_ENVELOPE TEXT "0 0) 1)",
	  "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 3" NO_ENVELOPE TEXT
	  "0 0 NIL NIL NIL NIL) 1 NIL NIL NIL NIL)" },
	{ STR("Content-Type: IMAGE/Gif; name=\"\xe4\"; b=c\nContent-ID: <i>\nContent-Description: d\nContent-MD5: m\n"
	      "Content-Disposition: inline; filename=f\nContent-Language: en\nContent-Location: l\n"
	      "Content-Transfer-Encoding: BASE64\n\nx\r\ny\n"),
	  "(\"IMAGE\" \"Gif\" (\"name\" {1}\r\n\xe4 \"b\" \"c\") \"<i>\" \"d\" \"BASE64\" 6)",
	  "(\"IMAGE\" \"Gif\" (\"name\" {1}\r\n\xe4 \"b\" \"c\") \"<i>\" \"d\" \"BASE64\" 6 \"m\" "
	  "(\"inline\" (\"filename\" \"f\")) (\"en\") \"l\")" },
	{ STR(MULTI("b") "--b\n\nx\n--b\nContent-Type: message/rfc822\n\nSubject: s\n\ny\nz\n--b--\n"),
	  "(" TEXT
	  "1 0)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT
	  "4 1) 3) \"mixed\")",
	  "(" TEXT
	  "1 0 NIL NIL NIL NIL)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 18 (NIL \"s\" NIL NIL NIL NIL NIL NIL "
	  "NIL NIL) " TEXT "4 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ STR("Content-Disposition: attachment\nContent-Language: , en,,de ,\nContent-Type: multipart/x; "
	      "boundary=b\n\n--b\n"),
	  "(" TEXT "0 0) \"x\")",
	  "(" TEXT "0 0 NIL NIL NIL NIL) \"x\" (\"boundary\" \"b\") (\"attachment\" NIL) (\"en\" \"de\") NIL)" },
};

START_TEST(structure_cases)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf body = { 0 }, structure = { 0 };
	const struct mime_part *root = mime_parse(structures[_i].message, &arena);

	imap_structure(structures[_i].message, root, false, &body);
	imap_structure(structures[_i].message, root, true, &structure);
	ck_assert_str_is(buf_str(&body), str_from(structures[_i].body));
	ck_assert_str_is(buf_str(&structure), str_from(structures[_i].structure));
}
END_TEST

/* One list whose parentheses are paired, strings taken whole. */
static bool is_list(struct str s)
{
	size_t open = 0;
	uint64_t n;

	while (s.n > 0) {
		char c = s.p[0];
		s = str_skip(s, 1);
		if (c == '{') {
			if (!str_u64(str_cut(&s, '}'), s.n, &n) || s.n < n + 2)
				return false;
			s = str_skip(s, n + 2);
		}
		while (c == '"' && s.n > 0 && s.p[0] != '"')
			s = str_skip(s, s.p[0] == '\\' ? 2 : 1);
		if (c == '"' && !str_eat(&s, '"'))
			return false;
		open += c == '(';
		if (c == ')' && open-- == 0)
			return false;
		if (open == 0 && s.n > 0)
			return false;
	}
	return open == 0;
}

static void check_limit(const struct buf *message, size_t least)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf structure = { 0 }, body = { 0 }, envelope = { 0 };
	const struct mime_part *root = mime_parse(buf_str(message), &arena);

	imap_structure(buf_str(message), root, true, &structure);
	imap_structure(buf_str(message), root, false, &body);
	imap_envelope(buf_str(message), &envelope);
	ck_assert(is_list(buf_str(&structure)) && structure.n <= IMAP_TEXT_MAX);
	ck_assert(is_list(buf_str(&body)) && body.n <= IMAP_TEXT_MAX);
	ck_assert(is_list(buf_str(&envelope)) && envelope.n <= IMAP_TEXT_MAX);
	ck_assert_uint_ge(structure.n > envelope.n ? structure.n : envelope.n, least);
}

START_TEST(limit_addresses)
{
	scoped_buf struct buf m = { 0 };

	buf_add(&m, STR("Subject: x\nFrom: g:"));
	for (size_t i = 0; i < 10000; i++)
		buf_add(&m, STR("a,"));
	buf_add(&m, STR("\nTo:"));
	while (m.n < 900000)
		buf_addf(&m, " h%zu: a@b, \"\"", m.n);
	buf_add(&m, STR("\nMessage-ID: y\n"));
	check_limit(&m, 200000);
}
END_TEST

START_TEST(limit_long)
{
	static const char *const names[] = { "Date", "Subject", "From", "To", "Message-ID" };

	for (size_t i = 0; i < COUNT(names); i++) {
		scoped_buf struct buf m = { 0 };
		buf_addf(&m, "%s: ", names[i]);
		while (m.n < 900000)
			buf_addc(&m, 'x');
		buf_add(&m, STR("\nCc: a@b\n"));
		check_limit(&m, 60);
	}
}
END_TEST

/* Parts with all that a part may have, and at the end as many within each other as there may be. */
START_TEST(limit_parts)
{
	scoped_buf struct buf m = { 0 };

	buf_add(&m, STR(MULTI("b")));
	for (size_t i = 0; i < 5000; i++) {
		buf_addf(&m, "--b\nContent-ID: <%0100zu>\nContent-Language: a, b\nContent-Type: text/plain", i);
		for (size_t k = 0; k < 10; k++)
			buf_addf(&m, ";p%zu=\"\xe4\"", k);
		buf_addf(&m, "\nContent-Transfer-Encoding: %0120zu\n\n", i);
	}
	check_limit(&m, IMAP_TEXT_MAX / 2);
	buf_reset(&m);
	for (size_t i = 0; i < MIME_DEPTH_MAX; i++)
		buf_addf(&m,
			 "Content-Type: message/rfc822\nSubject: %010000zu\nTo: a@b\nContent-Transfer-Encoding: "
			 "%0127zu\n\n",
			 i, i);
	check_limit(&m, IMAP_TEXT_MAX / 2);
}
END_TEST

TEST_MAIN("imap", tcase_add_loop_test(tc, string_cases, 0, COUNT(strings)); tcase_add_test(tc, string_long);
	  tcase_add_loop_test(tc, envelope_cases, 0, COUNT(envelopes));
	  tcase_add_loop_test(tc, structure_cases, 0, COUNT(structures)); tcase_add_test(tc, limit_addresses);
	  tcase_add_test(tc, limit_long); tcase_add_test(tc, limit_parts);)
