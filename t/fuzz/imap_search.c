/* SEARCH's keys: every input has a tree within the limits, or says what is wrong. */
#include "base/err.h"
#include "imapd/session/search.h"
#include "mail/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct search_key *k, unsigned depth)
{
	size_t n = 1;

	ASSERT(depth <= 3 * SEARCH_DEPTH_MAX); /* a key may stand for up to three nodes */
	ASSERT(k->kind != KEY_NOT || k->child);
	ASSERT(k->kind != KEY_OR || (k->child && k->child->next));
	for (const struct search_key *c = k->child; c; c = c->next)
		n += count(c, depth + 1);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool loaded;
	struct arena arena = { 0 };
	struct parse p = { .rest = str_of(data, size < 65536 ? size : 65536), .arena = &arena };
	struct search search = { 0 };

	if (!loaded)
		text_preload();
	loaded = true;
	if (search_parse(&p, &search))
		ASSERT(count(search.root, 0) <= 5 * SEARCH_KEYS_MAX && (!search.extended || search.give));
	else
		ASSERT(p.wrong || search.bad_charset);
	arena_free(&arena);
	return 0;
}
