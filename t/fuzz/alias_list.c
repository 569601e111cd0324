/* Lists of aliases and .forward files: every item is one of its kind, and read again it is the same item. */
#include "base/err.h"
#include "mail/alias_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct alias_item *item)
{
	static const char *const begins[] = {
		[ALIAS_COMMAND] = "|", [ALIAS_FILE] = "/", [ALIAS_INCLUDE] = ":include:/"
	};

	ASSERT(item->text.n > 0 && item->text.n <= ALIAS_ITEM_MAX);
	ASSERT(str_find(item->text, '\n') < 0 && str_find(item->text, '\0') < 0);
	if (item->kind < COUNT(begins) && begins[item->kind])
		ASSERT(str_starts(item->text, str_from(begins[item->kind])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_alias_list struct alias_list list = { .rest = str_of(data, size), .file = size % 2 };
	struct alias_item item;
	size_t n = 0;

	for (; alias_list_next(&list, &item); n++)
		check(&item);
	ASSERT(n <= size);
	return 0;
}
