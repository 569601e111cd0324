/* Table text: rows in order, keys and values without the line's end, and never more of them than lines. */
#include "base/utf8.h"
#include "dict/dict.h"
#include "dict/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(const struct text_row *row)
{
	ASSERT(row->key.n > 0 && row->value.n > 0 && row->key.n + row->value.n <= DICT_LINE_MAX);
	ASSERT(utf8_valid(row->key) && utf8_valid(row->value));
	ASSERT(!memchr(row->key.p, '\n', row->key.n) && !memchr(row->value.p, '\n', row->value.n));
	ASSERT(str_eq(str_trim(row->value), row->value));
	for (size_t i = 0; i < row->key.n; i++)
		ASSERT(row->key.p[i] == ascii_lower(row->key.p[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str whole = str_of(data, size);
	scoped_text struct text t = { .rest = whole };
	struct text_row row;
	size_t line = 0;

	ASSERT((text_refused(whole) == NULL) == (size == 0 || data[size - 1] == '\n'));
	while (text_next(&t, &row)) {
		ASSERT(row.line > line && row.line <= t.number);
		line = row.line;
		if (!row.bad)
			check_row(&row);
	}
	ASSERT(t.rest.n == 0);
	return 0;
}
