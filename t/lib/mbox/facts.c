#include "views.h"

#include "mail/imap.h"
#include "mbox/texts.h"

struct seen {
	struct buf text;
	size_t until; /* pauses after so many */
};

static bool see(void *ctx, size_t row, const struct mbox_facts *f)
{
	struct seen *s = ctx;

	buf_addf(&s->text, "%zu:%lld:%lld", row, (long long)f->arrival, (long long)f->vsize);
	if (f->envelope.n)
		buf_addf(&s->text, " E%.*s", STR_ARG(f->envelope));
	if (f->structure.n)
		buf_addf(&s->text, " S%.*s", STR_ARG(f->structure));
	if (f->body.n)
		buf_addf(&s->text, " B%.*s", STR_ARG(f->body));
	buf_addc(&s->text, '\n');
	return --s->until > 0;
}

static void ask(struct mbox_view *v, const size_t *which, size_t n, unsigned want, size_t until, struct seen *s,
		size_t *done, size_t *missing)
{
	struct err err = { 0 };

	buf_reset(&s->text);
	s->until = until;
	ck_assert_msg(mbox_view_facts(v, which, n, want, see, s, done, missing, &err) == MBOX_OK, "%s", err.text);
}

#define LETTER "From: a@b\r\nSubject: %s\r\n\r\nx\r\n"
#define ENVELOPE \
	"(NIL \"%s\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)"
#define BODY "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 1"

static void expect(struct buf *out, size_t row, const char *subject, unsigned want)
{
	buf_addf(out, "%zu:1795327677:%d", row,
		 (int)strlen("From: a@b\r\nSubject: \r\n\r\nx\r\n") + (int)strlen(subject));
	if (want & WANT_ENVELOPE)
		buf_addf(out, " E" ENVELOPE, subject);
	if (want & (WANT_STRUCTURE | WANT_BODY))
		buf_addf(out, " S" BODY " NIL NIL NIL NIL)");
	if (want & WANT_BODY)
		buf_addf(out, " B" BODY ")");
	buf_addc(out, '\n');
}

static void put_letters(bool appended)
{
	static const char *const subjects[] = { "one", "two", "three" };

	for (size_t i = 0; i < 3; i++) {
		char text[128], id[16];
		snprintf(text, sizeof(text), LETTER, subjects[i]);
		snprintf(id, sizeof(id), "Q1R%zu", i);
		if (appended)
			view_put("", text, 0);
		else
			home_deliver("", id, false, text, NULL);
	}
}

static const unsigned wants[] = { WANT_SIZES, WANT_ENVELOPE, WANT_STRUCTURE, WANT_BODY,
				  WANT_SIZES | WANT_ENVELOPE | WANT_BODY };

/* Read from the files the first time, from the index the second, with the files unreadable. */
START_TEST(asked)
{
	unsigned want = wants[_i / 2];
	struct seen s = { 0 };
	scoped_buf struct buf text = { 0 };
	size_t done, missing;

	put_letters(_i % 2);
	scoped_view struct mbox_view *v = view_open("");
	expect(&text, 2, "three", want);
	expect(&text, 0, "one", want);
	expect(&text, 1, "two", want);
	expect(&text, 1, "two", want);
	for (int round = 0; round < 2; round++) {
		ask(v, (size_t[]){ 2, 0, 1, 1 }, 4, want, 99, &s, &done, &missing);
		ck_assert_str_is(buf_str(&s.text), buf_str(&text));
		ck_assert(done == 4 && missing == 0);
		scoped_buf struct buf cmd = { 0 };
		buf_addf(&cmd, "for f in '%s'/cur/*; do truncate -s 0 \"$f\"; done", home_path);
		ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	}
	buf_free(&s.text);
}
END_TEST

/*
 * The delivery has written the texts down, and they are had from there, not from the file; unless what it wrote is not
 * whole, or not of that message.
 */
static const struct {
	const char *spoil;
	size_t missing; /* texts, when the files have become empty */
} spoils[] = {
	{ "true", 0 },
	{ "cp tayori-new x; cat x >> tayori-new", 0 },
	{ "echo >> tayori-new", 0 },
	{ "truncate -s -1 tayori-new", 1 },
	{ "truncate -s 0 tayori-new", 3 },
	{ "rm tayori-new", 3 },
	{ "mv tayori-new x; (echo; cat x) > tayori-new", 3 },
	{ "sed -i s/two/tow/ tayori-new", 2 },
	{ "rm tayori-new; mkfifo tayori-new", 3 },
	{ "rm tayori-new; ln -s /etc/passwd tayori-new", 3 },
};

START_TEST(written_at_delivery)
{
	struct seen s = { 0 };
	scoped_buf struct buf cmd = { 0 };
	size_t done, missing, empty = 0;

	put_letters(false);
	buf_addf(&cmd, "cd '%s' && { %s; }", home_path, spoils[_i].spoil);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	scoped_view struct mbox_view *v = view_open("");
	ck_assert(!home_has("tayori-new"));
	buf_reset(&cmd);
	buf_addf(&cmd, "for f in '%s'/cur/*; do truncate -s 0 \"$f\"; done", home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	ask(v, (size_t[]){ 0, 1, 2 }, 3, WANT_ENVELOPE, 99, &s, &done, &missing);
	for (const char *at = buf_cstr(&s.text); (at = strstr(at, "E(NIL NIL NIL")); at++)
		empty++;
	ck_assert_uint_eq(empty, spoils[_i].missing);
	buf_free(&s.text);
}
END_TEST

START_TEST(pauses_and_gaps)
{
	struct seen s = { 0 };
	scoped_buf struct buf text = { 0 };
	size_t done, missing;

	put_letters(false);
	scoped_view struct mbox_view *v = view_open("");
	scoped_view struct mbox_view *w = view_open("");
	ask(v, (size_t[]){ 0, 1, 2 }, 3, WANT_ENVELOPE, 2, &s, &done, &missing);
	expect(&text, 0, "one", WANT_ENVELOPE);
	expect(&text, 1, "two", WANT_ENVELOPE);
	ck_assert_str_is(buf_str(&s.text), buf_str(&text));
	ck_assert(done == 2 && missing == 0);
	view_expunge(w, 1); /* v does not know yet */
	buf_reset(&text);
	expect(&text, 0, "one", WANT_BODY);
	expect(&text, 2, "three", WANT_BODY);
	ask(v, (size_t[]){ 0, 1, 2 }, 3, WANT_BODY, 99, &s, &done, &missing);
	ck_assert_str_is(buf_str(&s.text), buf_str(&text));
	ck_assert(done == 3 && missing == 1);
	view_sync(v);
	ask(v, (size_t[]){ 1 }, 1, WANT_SIZES, 99, &s, &done, &missing);
	ck_assert(done == 1 && missing == 1 && s.text.n == 0);
	ask(v, NULL, 0, WANT_SIZES, 99, &s, &done, &missing);
	ck_assert(done == 0 && missing == 0);
	buf_free(&s.text);
}
END_TEST

/* Renamed by another program since: found; removed: missing; in many batches, some of them with long texts. */
START_TEST(many)
{
	enum { N = 700 };
	struct seen s = { 0 };
	scoped_buf struct buf letter = { 0 };
	size_t which[N], done, missing;

	buf_addf(&letter, "From: a@b\n");
	for (int i = 0; i < 3000; i++)
		buf_addf(&letter, "To: recipient%d@example.com\n", i);
	buf_addf(&letter, "\nx\n");
	home_maildir();
	for (int i = 0; i < N; i++) {
		char path[32];
		snprintf(path, sizeof(path), "cur/%d.m%d.h:2,", 1000 + i, i);
		home_put(path, i % 10 ? "From: a@b\n\nx\n" : buf_cstr(&letter));
		which[i] = (size_t)i;
	}
	scoped_view struct mbox_view *v = view_open("");
	ck_assert_uint_eq(v->n, N);
	scoped_buf struct buf cmd = { 0 };
	buf_addf(&cmd, "cd '%s' && for f in cur/*.300:2,; do mv $f ${f}S; done && rm cur/*.301:2,", home_path);
	ck_assert_int_eq(system(buf_cstr(&cmd)), 0);
	for (int round = 0; round < 2; round++) {
		ask(v, which, N, WANT_ENVELOPE | WANT_BODY, N + 1, &s, &done, &missing);
		ck_assert_uint_eq(done, N);
		ck_assert_uint_eq(missing, 1);
		size_t lines = 0;
		for (size_t i = 0; i < s.text.n; i++)
			lines += s.text.p[i] == '\n';
		ck_assert_uint_eq(lines, N - 1);
	}
	buf_free(&s.text);
}
END_TEST

/* A header longer than what is read of a file at first. */
START_TEST(long_header)
{
	scoped_buf struct buf text = { 0 };
	scoped_texts struct mbox_texts header = { 0 }, all = { 0 };

	for (int i = 0; i < 4000; i++)
		buf_addf(&text, "X-Filler: %d and more of it\n", i);
	buf_addf(&text, "Subject: at the end\n\nbody\n");
	for (int i = 0; i < 60000; i++)
		buf_addf(&text, "a line of the body, to make it large\n");
	home_put("m", buf_cstr(&text));
	scoped_fd int fd = openat(home, "m", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(mbox_texts_read(fd, WANT_ENVELOPE, &header), 0);
	ck_assert_int_eq(mbox_texts_read(fd, WANT_ENVELOPE | WANT_STRUCTURE, &all), 0);
	ck_assert_str_is(buf_str(&header.envelope), buf_str(&all.envelope));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&header.envelope), "at the end"));
	ck_assert(!header.has_structure && all.has_structure);
}
END_TEST

/* BODY from BODYSTRUCTURE is what imap_structure gives. */
static const char *const messages[] = {
	"",
	"\n",
	"Subject: x\n\nx\n",
	"Content-Type: application/octet-stream; name=\"a\\\"b\"\nContent-MD5: x\nContent-Disposition: attachment; "
	"filename=x\n\nx\n",
	"Content-Type: message/rfc822\n\nSubject: in\nFrom: \"a (b) \\\\\" <c@d>\n\nx\n",
	"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; "
	"boundary=b\n\n--b\n\nx\n--b--\n",
	"Content-Type: multipart/mixed; boundary=a\nContent-Language: de, en\n\n--a\n\nx\n--a\nContent-Type: "
	"multipart/alternative;"
	" boundary=b\n\n--b\nContent-Type: text/html; charset=\"\xc3\xa4\"\nContent-Description: "
	"{3}\n\n<p>\n--b--\n--a\n"
	"Content-Type: message/rfc822\n\nSubject: (\n\nx\n--a--\n",
	"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: one\n\nx\n--b--\n",
	"Content-Type: multipart/mixed; boundary=b\n\nno parts\n",
	"Content-Type: message/external-body; access-type=x\n\nSubject: y\n\n",
};

START_TEST(body_of_structure)
{
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf extended = { 0 }, plain = { 0 }, made = { 0 };
	struct str m = str_from(messages[_i]);
	struct mime_part *root = mime_parse(m, &a);

	imap_structure(m, root, true, &extended);
	imap_structure(m, root, false, &plain);
	ck_assert_msg(mbox_body_of(buf_str(&extended), &made), "%.*s", STR_ARG(buf_str(&extended)));
	ck_assert_str_is(buf_str(&made), buf_str(&plain));
	for (size_t n = 0; n < extended.n; n++) { /* cut: refused, nothing added */
		buf_reset(&made);
		ck_assert(!mbox_body_of(str_head(buf_str(&extended), n), &made));
		ck_assert_uint_eq(made.n, 0);
	}
}
END_TEST

/* POP3 has no use for them, but IMAP may: they go when the last message goes. */
START_TEST(emptied_by_pop3)
{
	put_letters(false);
	scoped_mbox struct mbox *m = home_open("");
	ck_assert_uint_eq(m->n, 3);
	ck_assert_int_eq(mbox_remove(m, (size_t[]){ 0, 2 }, 2, NULL), MBOX_OK);
	ck_assert(home_has("tayori-new"));
	ck_assert_int_eq(mbox_remove(m, (size_t[]){ 1 }, 1, NULL), MBOX_OK);
	ck_assert(!home_has("tayori-new"));
}
END_TEST

TEST_MAIN("mbox facts", tcase_add_checked_fixture(tc, user_make, user_remove);
	  tcase_add_loop_test(tc, asked, 0, 2 * (int)COUNT(wants));
	  tcase_add_test(tc, emptied_by_pop3); tcase_add_loop_test(tc, written_at_delivery, 0, COUNT(spoils)); tcase_add_test(tc, pauses_and_gaps);
	  tcase_add_test(tc, many); tcase_add_test(tc, long_header);
	  tcase_add_loop_test(tc, body_of_structure, 0, COUNT(messages)))
