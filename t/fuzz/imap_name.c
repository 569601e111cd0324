/* Mailbox names: one that is taken comes back as it was, and every pattern of LIST ends. */
#include "base/err.h"
#include "imapd/session/match.h"
#include "imapd/session/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take(struct str text, struct request *r, struct str *name)
{
	*r = (struct request){ .in = { .rest = text } };
	r->in.arena = &r->arena;
	return name_take(r, name);
}

static void drop(struct request *r)
{
	buf_free(&r->code);
	arena_free(&r->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request r, again;
	struct str in = str_of(data, size), pattern = str_cut(&in, '\n'), name, back;
	struct buf text = { 0 };

	match_name(pattern, in, size % 2);
	ASSERT(pattern.n > MATCH_PATTERN_MAX || in.n > MATCH_NAME_MAX || match_name(STR("*"), in, false));
	if (take(in, &r, &name)) {
		ASSERT(mbox_folder_ok(name));
		buf_addc(&text, ' ');
		name_put(&text, name);
		ASSERT(take(buf_str(&text), &again, &back));
		ASSERT(str_eq(name, back) && again.in.rest.n == 0);
		drop(&again);
	} else {
		ASSERT(r.status == ANSWER_BAD || r.status == ANSWER_NO);
	}
	buf_free(&text);
	drop(&r);
	return 0;
}
