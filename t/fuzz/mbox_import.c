#include "base/err.h"
#include "mbox/former.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct mbox_former *f)
{
	for (size_t i = 0; i < f->n; i++) {
		ASSERT(f->m[i].uid && f->m[i].uid < f->uidnext && f->m[i].base.n);
		ASSERT(i == 0 || f->m[i].uid > f->m[i - 1].uid);
		ASSERT(f->m[i].uidl.n == 0 || mbox_record_uidl_ok(f->m[i].uidl));
	}
}

/* What is written down is read again as it was. */
static void there_and_back(struct mbox_former *f)
{
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf text = { 0 }, again = { 0 };
	struct mbox_former g;

	check(f);
	f->folder = STR("a b");
	mbox_former_format(f, &text);
	ASSERT(mbox_former_parse(buf_str(&text), &arena, &g, NULL));
	mbox_former_format(&g, &again);
	ASSERT(str_eq(buf_str(&text), buf_str(&again)));
}

/* A list that was given back is one that can be taken over. */
static void list_back(struct mbox_former *f, struct str list, bool (*parse)(struct str, struct arena *, struct mbox_former *, struct err *))
{
	static const struct mbox_former_later later = { UINT32_MAX - 2, STR("later"), STR("id") };
	scoped_arena struct arena arena = { 0 };
	scoped_buf struct buf text = { 0 };
	struct mbox_former g = { 0 };

	ASSERT(mbox_former_uids(f, list, UINT32_MAX, "0123", &later, 1, &text));
	if (f->uidnext <= later.uid)
		ASSERT(parse(buf_str(&text), &arena, &g, NULL) && g.uidvalidity == f->uidvalidity && g.uidnext == UINT32_MAX &&
		       g.n == f->n + 1);
}

static void dovecot(struct str in)
{
	scoped_arena struct arena arena = { 0 };
	struct mbox_former f = { .origin = ORIGIN_DOVECOT };
	struct err err = { .start = in.p, .at = -1 };

	if (!mbox_dovecot_uidlist(in, &arena, &f, &err)) {
		ASSERT(err.at >= 0 && (size_t)err.at <= in.n);
		return;
	}
	list_back(&f, in, mbox_dovecot_uidlist);
	mbox_dovecot_keywords(in, &f);
	there_and_back(&f);
}

static void courier(struct str in)
{
	scoped_arena struct arena arena = { 0 };
	struct mbox_former f = { .origin = ORIGIN_COURIER };
	struct mbox_former_index ix;
	struct err err = { .start = in.p, .at = -1 };
	struct str list = in, rest = { 0 };

	for (size_t i = 0; i + 1 < in.n; i++) /* the second file behind an empty line */
		if (in.p[i] == '\n' && in.p[i + 1] == '\n') {
			list = str_head(in, i + 1);
			rest = str_skip(in, i + 2);
			break;
		}
	if (!mbox_courier_uiddb(list, &arena, &f, &err)) {
		ASSERT(err.at >= 0 && (size_t)err.at <= in.n);
		return;
	}
	list_back(&f, list, mbox_courier_uiddb);
	if (!mbox_courier_pop3(rest, &arena, &f, NULL))
		return;
	ASSERT(mbox_former_index(&f, &arena, &ix));
	if (mbox_courier_keywords(rest, &ix, &f, NULL) && f.n)
		mbox_courier_keyword_file(rest, &f.m[0], &f);
	there_and_back(&f);
}

static void subscriptions(struct str in)
{
	scoped_buf struct buf ours = { 0 }, theirs = { 0 }, again = { 0 };
	size_t lost = 0;

	mbox_dovecot_subscriptions(in, &ours, &lost);
	mbox_former_subscriptions(ORIGIN_DOVECOT, true, in, buf_str(&ours), &theirs);
	mbox_dovecot_subscriptions(buf_str(&theirs), &again, &lost);
	ASSERT(str_eq(buf_str(&ours), buf_str(&again)));
	buf_reset(&ours);
	mbox_courier_subscriptions(in, &ours, &lost);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_arena struct arena arena = { 0 };
	struct str in = str_of(data, size);
	struct mbox_former f;
	uint64_t n;

	dovecot(in);
	courier(in);
	subscriptions(in);
	if (mbox_former_parse(in, &arena, &f, NULL))
		check(&f);
	mbox_courier_keyword_name(in, &n);
	return 0;
}
