/* Pattern tables, after Postfix's: the first line is the key. Whatever the text, a look-up ends, within its limits. */
#include "dict/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct rules_kind *kind, struct str key, struct str text)
{
	struct content c = { 0 };
	struct err err = { 0 };

	if (rules_read(kind, text, &c, &err)) {
		scoped_buf struct buf value = { 0 };
		enum dict_result r = pattern_get(&c, key, &value, &err);
		ASSERT(value.n <= DICT_LINE_MAX);
		ASSERT(r != DICT_ERROR || err.text[0]);
	} else {
		ASSERT(err.text[0]);
	}
	content_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of(data, size);

	/* short texts find as much, and patterns are slow */
	if (size > 400)
		return 0;
	struct str key = str_cut(&text, '\n');
	run(&pcre_rules, key, text);
	run(&regexp_rules, key, text);
	return 0;
}
