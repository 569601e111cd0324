#include "mbox/fresh.h"
#include "mbox/texts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fresh(struct str in)
{
	struct mbox_fresh fresh = { 0 };
	size_t at = 0;
	struct str key;
	void *value;

	mbox_fresh_parse(in, &fresh);
	while (table_next(&fresh.by_stem, &at, &key, &value)) {
		const struct mbox_fresh_texts *t = value;
		ASSERT(mbox_is_one_list(t->envelope) && mbox_is_one_list(t->structure));
	}
	mbox_fresh_free(&fresh);
}

/* What is made of a structure is one list, and nothing more can be taken from it. */
static void convert(struct str in)
{
	scoped_buf struct buf body = { 0 }, again = { 0 };

	if (!mbox_body_of(in, &body)) {
		ASSERT(body.n == 0);
		return;
	}
	ASSERT(body.n <= in.n && mbox_is_one_list(buf_str(&body)) && mbox_is_one_list(in));
	ASSERT(mbox_body_of(buf_str(&body), &again) && str_eq(buf_str(&again), buf_str(&body)));
}

/* The input as a structure, as a file of records, and as texts in a record that is right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of(data, size), half = str_head(in, size / 2);
	scoped_buf struct buf record = { 0 };
	struct mbox_fresh_texts t = { 7, STR("stem"), half, str_skip(in, size / 2) };

	convert(in);
	read_fresh(in);
	mbox_fresh_format(&t, &record);
	buf_add(&record, in);
	read_fresh(buf_str(&record));
	return 0;
}
