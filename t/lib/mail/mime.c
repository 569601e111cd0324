#include "unit.h"

#include "mail/mime.h"

/*
 * Multiparts as subtype(...), messages as <...>, others as subtype'body'; what has no parts although it could:
 * subtype!'body'.
 */
static void draw_begin(const struct mime_part *p, struct str message, struct buf *out)
{
	struct str body = str_of(message.p + p->body, p->end - p->body);

	if (p->message && p->child) {
		buf_addc(out, '<');
		return;
	}
	buf_add(out, p->subtype);
	if (p->child)
		buf_addc(out, '(');
	else
		buf_addf(out, "%s'%.*s'", p->multipart || p->message ? "!" : "", STR_ARG(body));
}

static void draw(const struct mime_part *root, struct str message, struct buf *out)
{
	const struct mime_part *p = root;

	for (;;) {
		draw_begin(p, message, out);
		if (p->child) {
			p = p->child;
			continue;
		}
		while (p != root && !p->next) {
			p = p->parent;
			buf_addc(out, p->message ? '>' : ')');
		}
		if (p == root)
			return;
		p = p->next;
		buf_addc(out, ' ');
	}
}

#define MULTI(boundary) "Content-Type: multipart/mixed; boundary=" boundary "\n\n"

static const struct {
	struct str message, tree;
} trees[] = {
	/* no header, no body, no type */
	{ STR(""), STR("plain''") },
	{ STR("\n"), STR("plain''") },
	{ STR("\nhello\n"), STR("plain'hello\n'") },
	{ STR("hello\n"), STR("plain'hello\n'") },
	{ STR("A: b\n"), STR("plain''") },
	{ STR("A: b\nhello\n"), STR("plain'hello\n'") },
	{ STR("A: b\r\n\r\nhello\r\n"), STR("plain'hello\r\n'") },
	{ STR("Content-Type: text\n\nx"), STR("plain'x'") },
	{ STR("Content-Type: /x\n\nx"), STR("plain'x'") },
	{ STR("Content-Type: text/\n\nx"), STR("plain'x'") },
	{ STR("Content-Type:\n text / (a) html;charset=x\n\nx"), STR("html'x'") },
	{ STR("Content-Type: text/html\nContent-Type: image/gif\n\nx"), STR("html'x'") },
	/* multiparts that are none */
	{ STR("Content-Type: multipart/mixed\n\n--\n\nx\n"), STR("mixed!'--\n\nx\n'") },
	{ STR("Content-Type: multipart/mixed; boundary=\n\n--\n\nx\n"), STR("mixed!'--\n\nx\n'") },
	{ STR("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\nx\n"), STR("mixed!'--\n\nx\n'") },
	{ STR(MULTI("b") "-b\n\nx\n"), STR("mixed!'-b\n\nx\n'") },
	{ STR(MULTI("b") "x\n --b\n\nx\n"), STR("mixed!'x\n --b\n\nx\n'") },
	{ STR(MULTI("b") "--bb\n\nx\n--b-\n--b-- x\n"), STR("mixed!'--bb\n\nx\n--b-\n--b-- x\n'") },
	{ STR(MULTI("b") "--b--\n--b\n\nx\n"), STR("mixed!'--b--\n--b\n\nx\n'") },
	{ STR(MULTI("b") "--B\n\nx\n"), STR("mixed!'--B\n\nx\n'") },
	/* how parts end */
	{ STR(MULTI("b") "pre\n--b\n\nx\n--b\n\ny\n--b--\npost\n"), STR("mixed(plain'x' plain'y')") },
	{ STR(MULTI("b") "--b\n\nx\n--b\n\ny\n--b--"), STR("mixed(plain'x' plain'y')") },
	{ STR(MULTI("b") "--b\n\nx\n--b\n\ny\n"), STR("mixed(plain'x' plain'y\n')") },
	{ STR(MULTI("b") "--b\n\nx\n--b"), STR("mixed(plain'x' plain'')") },
	{ STR(MULTI("b") "--b"), STR("mixed(plain'')") },
	{ STR(MULTI("b") "--b\n--b\n--b--\n"), STR("mixed(plain'' plain'')") },
	{ STR(MULTI("b") "--b\n\n--b\n\n\n--b--\n"), STR("mixed(plain'' plain'')") },
	{ STR(MULTI("b") "--b\nA: b\n--b\nx\n--b--\n"), STR("mixed(plain'' plain'x')") },
	{ STR(MULTI("b") "--b \t\n\nx\n--b\t\n\ny\n--b-- \n"), STR("mixed(plain'x' plain'y')") },
	{ STR(MULTI("b") "--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"), STR("mixed(plain'x' plain'y')") },
	{ STR(MULTI("\"a:b \"") "--a:b\nA: b\n--a:b\n\nx\n"), STR("mixed(plain'' plain'x\n')") },
	{ STR(MULTI("\"a (b)\"") "--a (b)\n\nx\n--a (b)--\n"), STR("mixed(plain'x')") },
	{ STR("Content-Type: multipart/mixed; x=\"y;boundary=a\"; boundary=b (c)\n\n--b\n\nx\n--a\n\n--b--"),
	  STR("mixed(plain'x\n--a\n')") },
	/* parts in parts */
	{ STR(MULTI("a") "--a\n" MULTI("b") "--b\n\nx\n--b\n\ny\n--b--\n--a\n\nz\n--a--\n"),
	  STR("mixed(mixed(plain'x' plain'y') plain'z')") },
	{ STR(MULTI("a") "--a\n" MULTI("b") "--b\n\nx\n--a\n\nz\n--b\n\n--a--\n"),
	  STR("mixed(mixed(plain'x') plain'z\n--b\n')") },
	{ STR(MULTI("a") "--a\n" MULTI("b") "--b\n\n--a\n\nz\n--a--\n"), STR("mixed(mixed(plain'') plain'z')") },
	{ STR(MULTI("a") "--a\n" MULTI("b") "--a\n\nz\n--a--\n"), STR("mixed(mixed!'' plain'z')") },
	{ STR(MULTI("a") "--a\n" MULTI("ab") "--ab\n\nx\n--ab--\n--a--\n"), STR("mixed(mixed(plain'x'))") },
	{ STR(MULTI("a") "--a\n" MULTI("a") "--a\n\nx\n--a--\n--a\n\ny\n--a--\n"),
	  STR("mixed(mixed(plain'x') plain'y')") },
	{ STR(MULTI("a") "--a\n" MULTI("a--") "--a--\n\nx\n--a----\n--a--\n"), STR("mixed(mixed(plain'x'))") },
	/* messages */
	{ STR("Content-Type: message/rfc822\n\n"), STR("<plain''>") },
	{ STR("Content-Type: Message/RFC822\n\nA: b\n\nx\n"), STR("<plain'x\n'>") },
	{ STR("Content-Type: message/global\n\nA: b\n\nx\n"), STR("<plain'x\n'>") },
	{ STR("Content-Type: message/partial\n\nA: b\n\nx\n"), STR("partial'A: b\n\nx\n'") },
	{ STR("Content-Type: message/rfc822\nContent-Transfer-Encoding: BASE64 (x)\n\neA==\n"),
	  STR("rfc822!'eA==\n'") },
	{ STR("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nx: y\n\nz"), STR("<<plain'z'>>") },
	{ STR(MULTI("a") "--a\nContent-Type: message/rfc822\n\nA: b\n--a\n\nz\n--a--\n"),
	  STR("mixed(<plain''> plain'z')") },
	{ STR(MULTI("a") "--a\nContent-Type: message/rfc822\n\n" MULTI("b") "--b\n\nx\n--b--\n\n--a--\n"),
	  STR("mixed(<mixed(plain'x')>)") },
	{ STR("Content-Type: multipart/digest; boundary=a\n\n--a\n\nA: b\n\nx\n--a\nContent-Type: text\n\ny\n--a--\n"),
	  STR("digest(<plain'x'> plain'y')") },
};

START_TEST(tree_cases)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf tree = { 0 };

	draw(mime_parse(trees[_i].message, &arena), trees[_i].message, &tree);
	ck_assert_str_is(buf_str(&tree), trees[_i].tree);
}
END_TEST

/* RFC 3501, 6.4.5: numbers and what they name. */
static const struct str numbered = STR(
	MULTI("o") "--o\n\ntext 1\n--o\nContent-Type: application/octet-stream\n\ntext 2\n--o\n"
		   "Content-Type: message/rfc822\n\n" MULTI(
			   "m") "--m\n\ntext 3.1\n--m\nContent-Type: application/octet-stream\n\n"
				"text 3.2\n--m--\n--o\n" MULTI(
					"p") "--p\nContent-Type: image/gif\n\ntext 4.1\n--p\nContent-Type: "
					     "message/rfc822\n\n" MULTI("q") "--q\n\ntext 4.2.1\n--q\nContent-Type: "
									     "multipart/alternative; "
									     "boundary=r\n\n--r\n\ntext 4.2.2.1\n"
									     "--r\nContent-Type: text/richtext\n\ntext "
									     "4.2.2.2\n--r--\n--q--\n--p--\n--"
									     "o\nContent-Type: message/rfc822\n\n"
									     "A: b\n\ntext 5.1\n--o--\n");

static const struct {
	uint32_t numbers[6];
	const char *body; /* NULL: there is none; "": not looked at */
} numbers[] = {
	{ { 6 }, NULL },
	{ { 1, 1 }, NULL },
	{ { 3, 3 }, NULL },
	{ { 3, 1, 1 }, NULL },
	{ { 5, 2 }, NULL },
	{ { 5, 1, 1 }, NULL },
	{ { 4, 1, 1 }, NULL },
	{ { UINT32_MAX }, NULL },
	{ { 1 }, "text 1" },
	{ { 2 }, "text 2" },
	{ { 3 }, "" },
	{ { 3, 1 }, "text 3.1" },
	{ { 3, 2 }, "text 3.2" },
	{ { 4 }, "" },
	{ { 4, 1 }, "text 4.1" },
	{ { 4, 2 }, "" },
	{ { 4, 2, 1 }, "text 4.2.1" },
	{ { 4, 2, 2 }, "" },
	{ { 4, 2, 2, 1 }, "text 4.2.2.1" },
	{ { 4, 2, 2, 2 }, "text 4.2.2.2" },
	{ { 5, 1 }, "text 5.1" },
	{ { 5 }, "A: b\n\ntext 5.1" },
};

START_TEST(number_cases)
{
	scoped_arena struct arena arena = { 0 };
	size_t n = 0;

	while (numbers[_i].numbers[n] > 0)
		n++;
	const struct mime_part *p = mime_part(mime_parse(numbered, &arena), numbers[_i].numbers, n);
	ck_assert_int_eq(p == NULL, numbers[_i].body == NULL);
	if (p && numbers[_i].body[0])
		ck_assert_str_is(str_of(numbered.p + p->body, p->end - p->body), str_from(numbers[_i].body));
}
END_TEST

START_TEST(number_single)
{
	scoped_arena struct arena arena = { 0 };
	const struct mime_part *plain = mime_parse(STR("A: b\n\nx"), &arena);
	const struct mime_part *message = mime_parse(STR("Content-Type: message/rfc822\n\nA: b\n\nx"), &arena);
	const struct mime_part *base64 =
		mime_parse(STR("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nA: b\n\nx"), &arena);
	const uint32_t one[3] = { 1, 1, 1 }, none[1] = { 0 }, two[1] = { 2 };

	ck_assert_ptr_eq(mime_part(plain, NULL, 0), plain);
	ck_assert_ptr_eq(mime_part(plain, one, 1), plain);
	ck_assert_ptr_null(mime_part(plain, one, 2));
	ck_assert_ptr_null(mime_part(plain, none, 1));
	ck_assert_ptr_null(mime_part(plain, two, 1));
	ck_assert_ptr_eq(mime_part(message, one, 1), message);
	ck_assert_ptr_eq(mime_part(message, one, 2), message->child);
	ck_assert_ptr_null(mime_part(message, one, 3));
	ck_assert_ptr_eq(mime_part(base64, one, 1), base64);
	ck_assert_ptr_null(mime_part(base64, one, 2));
}
END_TEST

START_TEST(counts)
{
	scoped_arena struct arena arena = { 0 };
	const struct str message = STR(MULTI("b") "\n--b\r\nA: b\r\nC: d\n\r\nx\ny\r\nz\r\n--b\n\nx\n\n--b--\nlast");
	const struct mime_part *root = mime_parse(message, &arena), *a = root->child, *b = a->next;

	ck_assert_uint_eq(root->head_bare, 2);
	ck_assert_uint_eq(root->end, message.n);
	ck_assert_uint_eq(root->lines, 13);
	ck_assert_uint_eq(root->body_bare, 8);
	ck_assert_uint_eq(a->head_bare, 1);
	ck_assert_uint_eq(a->lines, 2);
	ck_assert_uint_eq(a->body_bare, 1);
	ck_assert_str_is(str_of(message.p + a->head, a->body - a->head), STR("A: b\r\nC: d\n\r\n"));
	ck_assert_uint_eq(b->head_bare, 1);
	ck_assert_uint_eq(b->lines, 1);
	ck_assert_uint_eq(b->body_bare, 1);
}
END_TEST

static const struct {
	struct str value, params; /* of Content-Type: text/x */
} params[] = {
	{ STR(""), STR("") },
	{ STR(";"), STR("") },
	{ STR("; a"), STR("") },
	{ STR("; =b; a=b"), STR("a=b,") },
	{ STR("; a b=c; d=e"), STR("d=e,") },
	{ STR("; a=; b=\"\""), STR("a=,b=,") },
	{ STR(" junk a=b; c=d"), STR("c=d,") },
	{ STR("; a=b c; d=\"e;f"), STR("a=b,d=e;f,") },
	{ STR(" a=b c=\"d\" e=f"), STR("a=b,c=d,e=f,") },
	{ STR(";;a=(x\\)y)b(z) ; c =\n \"d\\\"e\\\\\n f\" x"), STR("a=b,c=d\"e\\ f,") },
	{ STR("; a=\"b\\"), STR("a=b\\,") },
	{ STR("; name==?utf-8?q?x?=; n*0*=utf-8''a"), STR("name==?utf-8?q?x?=,n*0*=utf-8''a,") },
	{ STR("; A=\xe4; a=c"), STR("A=\xe4,a=c,") },
	{ STR("(;a=b; c=d"), STR("") },
};

static void list_params(const struct mime_param *p, struct buf *out)
{
	for (; p; p = p->next)
		buf_addf(out, "%.*s=%.*s,", STR_ARG(p->name), STR_ARG(p->value));
}

START_TEST(param_cases)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf message = { 0 }, got = { 0 };

	buf_addf(&message, "Content-Type: text/x%.*s\n\n", STR_ARG(params[_i].value));
	list_params(mime_parse(buf_str(&message), &arena)->params, &got);
	ck_assert_str_is(buf_str(&got), params[_i].params);
}
END_TEST

START_TEST(fields)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf got = { 0 };
	const struct mime_part *p =
		mime_parse(STR("content-disposition: attachment (x) ; filename=\"a b\"\nContent-ID:\n "
			       "<x@y>\nContent-Description: a\n"
			       " (b)\nContent-Transfer-Encoding: (c) Quoted-Printable\nContent-MD5: q==\n"
			       "Content-Language: en (x), de\nContent-Location: http://a(b)\nContent-ID: z\n"),
			   &arena);
	const struct mime_part *none =
		mime_parse(STR("Content-Type: TEXT; charset=x\nContent-Transfer-Encoding: 8 bit\n"), &arena);

	list_params(p->disposition_params, &got);
	ck_assert_str_is(p->disposition, STR("attachment"));
	ck_assert_str_is(buf_str(&got), STR("filename=a b,"));
	ck_assert_str_is(p->id, STR("<x@y>"));
	ck_assert_str_is(p->description, STR("a (b)"));
	ck_assert_str_is(p->encoding, STR("Quoted-Printable"));
	ck_assert_str_is(p->md5, STR("q=="));
	ck_assert_str_is(p->language, STR("en,de"));
	ck_assert_str_is(p->location, STR("http://a(b)"));
	ck_assert_str_is(p->type, STR("text"));
	ck_assert_str_is(mime_param(p->params, STR("CHARSET")), STR("us-ascii"));
	ck_assert_str_is(mime_param(none->params, STR("charset")), STR("x"));
	ck_assert_str_is(none->encoding, STR("7bit"));
	ck_assert_str_is(none->id, STR(""));
}
END_TEST

static const struct {
	struct str encoding, in, out;
} decodes[] = {
	{ STR("base64"), STR(""), STR("") },
	{ STR("base64"), STR("!"), STR("") },
	{ STR("base64"), STR("a"), STR("") },
	{ STR("BASE64"), STR("aG\nVs bG8\xff"), STR("hello") },
	{ STR("base64"), STR("aGVsbG8=aGVsbG8=\n"), STR("hellohello") },
	{ STR("base64"), STR("aGVsbG9="), STR("hello") },
	{ STR("7bit"), STR("a=41\0"), STR("a=41\0") },
	{ STR("x-uuencode"), STR("a=41"), STR("a=41") },
	{ STR("quoted-printable"), STR("="), STR("") },
	{ STR("quoted-printable"), STR("=4"), STR("=4") },
	{ STR("quoted-printable"), STR("=4g=G1=="), STR("=4g=G1=") },
	{ STR("quoted-printable"), STR("a=20b=\nc= \t\nd =\r\ne"), STR("a bcd e") },
	{ STR("quoted-printable"), STR("a  \nb\t\r\nc  d "), STR("a\nb\r\nc  d") },
	{ STR("Quoted-Printable"), STR("=c3=A4_=00"), STR("\xc3\xa4_\0") },
};

START_TEST(decode_cases)
{
	scoped_buf struct buf out = { 0 }, small = { .limit = 3 };

	mime_decode(decodes[_i].encoding, decodes[_i].in, &out);
	ck_assert_str_is(buf_str(&out), decodes[_i].out);
	mime_decode(decodes[_i].encoding, decodes[_i].in, &small);
	ck_assert_uint_le(small.n, 3);
}
END_TEST

START_TEST(limit_parts)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf m = { 0 };
	size_t n = 0;

	buf_add(&m, STR(MULTI("b")));
	for (size_t i = 0; i < MIME_PARTS_MAX + 100; i++)
		buf_add(&m, STR("--b\n\nx\n"));
	buf_add(&m, STR("--b--\npost\n"));
	const struct mime_part *last = NULL, *root = mime_parse(buf_str(&m), &arena);
	for (const struct mime_part *p = root->child; p; p = p->next, n++)
		last = p;
	ck_assert_uint_eq(n, MIME_PARTS_MAX - 1);
	ck_assert_uint_eq(last->end, m.n - strlen("\n--b--\npost\n"));
	ck_assert_uint_eq(last->lines, 101 * 3);
}
END_TEST

START_TEST(limit_depth)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf m = { 0 };

	for (size_t i = 0; i < MIME_DEPTH_MAX + 10; i++)
		buf_addf(&m, MULTI("b%zu") "--b%zu\n", i, i);
	for (const struct mime_part *p = mime_parse(buf_str(&m), &arena); p; p = p->child)
		ck_assert(p->multipart && (p->child != NULL) == (p->depth < MIME_DEPTH_MAX));
	buf_reset(&m);
	for (size_t i = 0; i < MIME_DEPTH_MAX + 10; i++)
		buf_add(&m, STR("Content-Type: message/rfc822\n\n"));
	for (const struct mime_part *p = mime_parse(buf_str(&m), &arena); p; p = p->child)
		ck_assert(p->message && (p->child != NULL) == (p->depth < MIME_DEPTH_MAX));
}
END_TEST

START_TEST(limit_header)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf m = { 0 };
	size_t n = 0;

	while (m.n < MIME_HEADER_MAX + 1000)
		buf_addf(&m, "A: %0200d\n", 0);
	buf_add(&m, STR("Content-Type: image/gif\n\nx"));
	const struct mime_part *p = mime_parse(buf_str(&m), &arena);
	ck_assert_str_is(p->type, STR("text"));
	ck_assert(p->body <= MIME_HEADER_MAX && p->body > MIME_HEADER_MAX - 1000 && p->end == m.n);
	buf_reset(&m);
	buf_add(&m, STR("Content-Type: image/gif"));
	for (size_t i = 0; i < MIME_PARAMS_MAX + 10; i++)
		buf_addf(&m, "; p%zu=q", i);
	for (const struct mime_param *param = mime_parse(buf_str(&m), &arena)->params; param; param = param->next)
		n++;
	ck_assert_uint_eq(n, MIME_PARAMS_MAX);
}
END_TEST

START_TEST(limit_memory)
{
	scoped_arena struct arena arena = { .budget = 2000 };
	const struct mime_part *root = mime_parse(numbered, &arena);

	ck_assert(root->multipart && root->end == numbered.n);
	for (const struct mime_part *p = root->child; p; p = p->next)
		ck_assert(p->end <= root->end && p->type.n > 0);
}
END_TEST

TEST_MAIN("mime", tcase_add_loop_test(tc, tree_cases, 0, COUNT(trees));
	  tcase_add_loop_test(tc, number_cases, 0, COUNT(numbers)); tcase_add_test(tc, number_single);
	  tcase_add_test(tc, counts); tcase_add_loop_test(tc, param_cases, 0, COUNT(params));
	  tcase_add_test(tc, fields); tcase_add_loop_test(tc, decode_cases, 0, COUNT(decodes));
	  tcase_add_test(tc, limit_parts); tcase_add_test(tc, limit_depth); tcase_add_test(tc, limit_header);
	  tcase_add_test(tc, limit_memory);)
