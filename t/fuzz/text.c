/*
 * What people read: the first line names a charset, the rest is text in it, a header value, and a body in which its
 * own end is found again. All that comes out is UTF-8.
 */
#include "base/err.h"
#include "base/utf8.h"
#include "mail/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fold(struct str text)
{
	scoped_buf struct buf folded = { 0 }, again = { 0 };

	text_fold(text, &folded);
	struct str f = buf_str(&folded);
	ASSERT(utf8_valid(f) && str_find(f, '\n') < 0 && (f.n < 2 || !memmem(f.p, f.n, "  ", 2)));
	text_fold(f, &again);
	ASSERT(str_eq(buf_str(&again), f));
	ASSERT(text_holds(f, str_skip(f, f.n / 2)));
}

/* A body of that charset holds what its text as a whole holds. */
static void check_search(struct str charset, struct str text)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf message = { 0 }, utf8 = { 0 }, folded = { 0 };

	buf_addf(&message, "Content-Type: text/plain; charset=\"%.*s\"\n\n", STR_ARG(charset));
	buf_add(&message, text);
	const struct mime_part *root = mime_parse(buf_str(&message), &arena);
	struct str known = mime_param(root->params, STR("charset"));
	text_to_utf8(known.n > 0 ? known : STR("us-ascii"), str_skip(buf_str(&message), root->body), &utf8);
	text_fold(buf_str(&utf8), &folded);
	struct str needle = str_head(str_skip(buf_str(&folded), folded.n / 3), 40);
	if (utf8_valid(needle))
		ASSERT(text_search(buf_str(&message), root, false, needle));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_buf struct buf utf8 = { 0 }, header = { 0 }, decoded = { 0 };
	struct str rest = str_of(data, size), charset = str_cut(&rest, '\n');

	text_to_utf8(charset, rest, &utf8);
	ASSERT(utf8_valid(buf_str(&utf8)));
	text_header(rest, &header);
	ASSERT(utf8_valid(buf_str(&header)) && str_find(buf_str(&header), '\n') < 0);
	check_fold(buf_str(&utf8));
	check_fold(rest);
	check_search(charset, rest);
	mime_decode(STR("quoted-printable"), rest, &decoded);
	mime_decode(STR("base64"), rest, &decoded);
	ASSERT(decoded.n <= 2 * rest.n);
	return 0;
}
