#include "unit.h"

#include "smtp/data.h"

static const struct {
	struct str wire, text;
	size_t ate;
	unsigned flags;
	uint64_t size;
	bool ends;
} cases[] = {
	{ STR(".\n"), STR("\n"), 2, DATA_BARE_LF, 1, false },
	{ STR("a\n.\n"), STR("a\n.\n"), 4, DATA_BARE_LF, 4, false },
	{ STR("a\n.\r\n"), STR("a\n.\n"), 5, DATA_BARE_LF, 5, false },
	{ STR("a\r\n.\n"), STR("a\n\n"), 5, DATA_BARE_LF, 4, false },
	{ STR("a\r.\r\r\n"), STR("a\r.\r\n"), 6, DATA_BARE_CR, 6, false },
	{ STR("a\r\n.\r.\r\n"), STR("a\n\r.\n"), 8, DATA_BARE_CR, 7, false },
	{ STR("a\r\r\n.\r\nQ"), STR("a\r\n"), 7, DATA_BARE_CR, 4, true },
	{ STR("\0\r\n.\r\nQ"), STR("\0\n"), 6, DATA_NUL, 3, true },
	{ STR("a\r\n.\r\n\0\n"), STR("a\n"), 6, 0, 3, true },
	{ STR(".\r\nQUIT\r\n"), STR(""), 3, 0, 0, true },
	{ STR("..\r\n.\r\n"), STR(".\n"), 7, 0, 3, true },
	{ STR(".a\r\n\r\n...\r\n.\r\n"), STR("a\n\n..\n"), 14, 0, 9, true },
	{ STR("a"), STR("a"), 1, 0, 1, false },
	{ STR("\r\n\r\n.\r\n.\r\n"), STR("\n\n"), 7, 0, 4, true },
};

static void check_end(size_t i, const struct data_decoder *d, size_t ate, const struct buf *out)
{
	ck_assert_str_is(buf_str(out), cases[i].text);
	ck_assert_uint_eq(ate, cases[i].ate);
	ck_assert_uint_eq(d->flags, cases[i].flags);
	ck_assert_uint_eq(d->size, cases[i].size);
	ck_assert_int_eq(d->place == DATA_END, cases[i].ends);
}

START_TEST(decode_cases)
{
	scoped_buf struct buf out = { 0 };
	size_t i = (size_t)_i;

	for (size_t cut = 0; cut <= cases[i].wire.n; cut++) {
		struct data_decoder d = { 0 };
		buf_reset(&out);
		size_t ate = data_decode(&d, str_head(cases[i].wire, cut), &out);
		if (ate == cut)
			ate += data_decode(&d, str_skip(cases[i].wire, cut), &out);
		check_end(i, &d, ate, &out);
	}
}
END_TEST

/* The same by definition instead of by state: ends at the first CRLF.CRLF of what begins behind a line end. */
static void reference(struct str wire, struct buf *text, size_t *ate, unsigned *flags)
{
	scoped_buf struct buf all = { 0 };

	buf_add(&all, STR("\r\n"));
	buf_add(&all, wire);
	const char *end = memmem(all.p, all.n, "\r\n.\r\n", 5);
	ck_assert_ptr_nonnull(end);
	*ate = (size_t)(end - all.p) + 3;
	*flags = 0;
	for (const char *p = all.p + 2; p < end + 2;) {
		bool crlf = p[0] == '\r' && p[1] == '\n';
		if (p[0] == '.' && p[-1] == '\n' && p[-2] == '\r') {
			p++;
			continue;
		}
		*flags |= !crlf && p[0] == '\r' ? DATA_BARE_CR : !crlf && p[0] == '\n' ? DATA_BARE_LF : 0;
		buf_addc(text, crlf ? '\n' : p[0]);
		p += crlf ? 2 : 1;
	}
}

static void check_against_reference(struct str wire)
{
	scoped_buf struct buf want = { 0 }, got = { 0 };
	size_t want_ate;
	unsigned flags;

	reference(wire, &want, &want_ate, &flags);
	for (size_t cut = 0; cut <= wire.n; cut++) {
		struct data_decoder d = { 0 };
		buf_reset(&got);
		size_t ate = data_decode(&d, str_head(wire, cut), &got);
		if (ate == cut)
			ate += data_decode(&d, str_skip(wire, cut), &got);
		ck_assert(d.place == DATA_END && ate == want_ate && d.flags == flags);
		ck_assert_str_is(buf_str(&got), buf_str(&want));
	}
	struct data_decoder d = { 0 };
	buf_reset(&got);
	for (size_t i = 0; i < want_ate; i++)
		ck_assert_uint_eq(data_decode(&d, str_of(wire.p + i, 1), &got), 1);
	ck_assert_str_is(buf_str(&got), buf_str(&want));
	ck_assert(d.place == DATA_END && d.flags == flags);
}

START_TEST(all_short_inputs)
{
	static const char alphabet[] = "\r\n.a";
	char wire[16];

	for (size_t n = 0; n <= 6; n++) {
		for (size_t k = 0; k < 1u << 2 * n; k++) {
			for (size_t i = 0; i < n; i++)
				wire[i] = alphabet[k >> 2 * i & 3];
			memcpy(wire + n, "\r\n.\r\n", 5);
			check_against_reference(str_of(wire, n + 5));
		}
	}
}
END_TEST

/* Every pair of line ends around a dot in the middle of a message: only CRLF on both sides may end it there. */
START_TEST(smuggling)
{
	static const char *const ends[] = { "\r\n", "\n", "\r", "\n\r", "\r\r\n", "\r\n\n", "\n\n", "\r\r", "", " " };

	for (size_t i = 0; i < COUNT(ends); i++) {
		for (size_t k = 0; k < COUNT(ends); k++) {
			scoped_buf struct buf wire = { 0 };
			buf_addf(&wire, "Subject: x\r\n\r\na%s.%sMAIL FROM:<b@c>\r\n.\r\n", ends[i], ends[k]);
			struct data_decoder d = { 0 };
			size_t ate = data_decode(&d, buf_str(&wire), NULL);
			bool early =
				str_ends(str_from(ends[i]), STR("\r\n")) && str_starts(str_from(ends[k]), STR("\r\n"));
			ck_assert_int_eq(d.place, DATA_END);
			ck_assert_msg((ate < wire.n) == early, "ends %zu and %zu", i, k);
			check_against_reference(buf_str(&wire));
		}
	}
}
END_TEST

START_TEST(full_sink)
{
	scoped_buf struct buf out = { .limit = 4 };
	struct data_decoder d = { 0 };

	ck_assert_uint_eq(data_decode(&d, STR("ab\r\ncdef\r\ng\r\n.\r\nX"), &out), 16);
	ck_assert_int_eq(d.place, DATA_END);
	ck_assert_uint_eq(d.flags, DATA_TOO_LONG);
	ck_assert_uint_eq(d.size, 13);
	ck_assert_str_is(buf_str(&out), STR("ab\n"));
	ck_assert_uint_eq(data_decode(&d, STR("X"), &out), 0);
}
END_TEST

static const struct {
	bool stuff;
	struct str text, wire;
} encodings[] = {
	{ true, STR(""), STR(".\r\n") },
	{ false, STR(""), STR("") },
	{ true, STR("a"), STR("a\r\n.\r\n") },
	{ false, STR("a"), STR("a\r\n") },
	{ true, STR("."), STR("..\r\n.\r\n") },
	{ true, STR(".\n"), STR("..\r\n.\r\n") },
	{ true, STR("a\n\n.b\n..\na.\n"), STR("a\r\n\r\n..b\r\n...\r\na.\r\n.\r\n") },
	{ false, STR(".a\n.\n\0\n"), STR(".a\r\n.\r\n\0\r\n") },
};

START_TEST(encode_cases)
{
	struct str text = encodings[_i].text;

	for (size_t cut = 0; cut <= text.n; cut++) {
		scoped_buf struct buf out = { 0 };
		struct data_encoder e = { .stuff = encodings[_i].stuff };
		ck_assert(data_encode(&e, str_head(text, cut), &out));
		ck_assert(data_encode(&e, str_skip(text, cut), &out));
		ck_assert(data_encode_end(&e, &out));
		ck_assert_str_is(buf_str(&out), encodings[_i].wire);
	}
	for (size_t limit = 1; limit < encodings[_i].wire.n; limit++) {
		scoped_buf struct buf out = { .limit = limit };
		struct data_encoder e = { .stuff = encodings[_i].stuff };
		ck_assert(!data_encode(&e, text, &out) || !data_encode_end(&e, &out));
	}
}
END_TEST

TEST_MAIN("data", tcase_add_loop_test(tc, decode_cases, 0, COUNT(cases)); tcase_add_test(tc, all_short_inputs);
	  tcase_add_test(tc, smuggling); tcase_add_test(tc, full_sink);
	  tcase_add_loop_test(tc, encode_cases, 0, COUNT(encodings));)
