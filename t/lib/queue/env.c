#include "unit.h"

#include "base/hash.h"
#include "base/random.h"
#include "queue/env.h"
#include "queue/record.h"

static const struct queue_id ID = { "0BCDFGHJKL012345" };

static struct env_recipient sample_recipients[] = {
	{ .address = { "a@example.org", 13 },
	  .original = { "A@Example.Org", 13 },
	  .transport = { "local", 5 },
	  .user = { "a", 1 } },
	{ .address = { "b@example.net", 13 },
	  .transport = { "smtp", 4 },
	  .nexthop = { "example.net", 11 },
	  .flags = 5 },
	{ .address = { "", 0 } },
};

static struct env sample(void)
{
	return (struct env){ .id = ID,
			     .arrival_us = 1795326749000001,
			     .sender = STR("s@example.com"),
			     .envid = STR("QQ314159"),
			     .service = STR("smtpd/25"),
			     .client_name = STR("mx.example.com"),
			     .client_address = STR("192.0.2.1"),
			     .login = STR("user"),
			     .flags = 3,
			     .content_size = 1234,
			     .content_crc = 0xdeadbeef,
			     .next_try_us = 7,
			     .attempts = 0,
			     .recipients = sample_recipients,
			     .n = COUNT(sample_recipients) };
}

static void encode_sample(struct buf *out)
{
	struct env env = sample();

	ck_assert(env_encode(&env, out));
}

static void add_progress(struct buf *out)
{
	struct env env = sample();
	uint32_t old[] = { 2 };

	ck_assert(env_put_result(&ID, 0, ENV_DELIVERED, 8, STR("2.0.0"), STR("ok"), out));
	ck_assert(env_put_result(&ID, 1, ENV_DEFERRED, 9, STR("4.4.1"), STR("timeout"), out));
	ck_assert(env_put_schedule(&ID, 1795326750000000, 1, out));
	ck_assert(env_put_hold(&ID, true, out));
	ck_assert(env_put_replace(&env, old, 1, sample_recipients, 2, out));
	ck_assert(env_put_hold(&ID, false, out));
}

static void check_same(const struct env *a, const struct env *b)
{
	ck_assert_str_eq(a->id.text, b->id.text);
	ck_assert(a->arrival_us == b->arrival_us && a->flags == b->flags && a->content_size == b->content_size);
	ck_assert(a->content_crc == b->content_crc && a->next_try_us == b->next_try_us && a->attempts == b->attempts);
	ck_assert(a->held == b->held && a->acknowledged == b->acknowledged && a->n == b->n);
	ck_assert(str_eq(a->sender, b->sender) && str_eq(a->envid, b->envid) && str_eq(a->service, b->service));
	ck_assert(str_eq(a->client_name, b->client_name) && str_eq(a->client_address, b->client_address));
	ck_assert(str_eq(a->login, b->login));
	for (uint32_t i = 0; i < a->n; i++) {
		const struct env_recipient *x = &a->recipients[i], *y = &b->recipients[i];
		ck_assert(str_eq(x->address, y->address) && str_eq(x->original, y->original));
		ck_assert(str_eq(x->transport, y->transport) && str_eq(x->nexthop, y->nexthop));
		ck_assert(str_eq(x->user, y->user) && x->flags == y->flags && x->state == y->state);
		ck_assert(x->at_us == y->at_us && str_eq(x->status, y->status) && str_eq(x->text, y->text));
	}
}

/* Decodes a copy of exactly that size, so that a sanitizer sees the first byte too many. */
static enum env_verdict decode_exact(struct str bytes, size_t *valid)
{
	scoped_arena struct arena a = { 0 };
	struct env env;
	char *copy = malloc(bytes.n ? bytes.n : 1);

	memcpy(copy, bytes.n ? bytes.p : "", bytes.n);
	enum env_verdict verdict = env_decode(&ID, str_of(copy, bytes.n), &a, &env, valid, NULL);
	free(copy);
	return verdict;
}

/* Records whose checksums are right but whose fields are not: type, payload, verdict when it follows a whole head. */
static const struct {
	const char *what;
	uint8_t type;
	struct str payload;
} bad_records[] = {
	{ "no type", 0, STR("") },
	{ "unknown type", 7, STR("x") },
	{ "last type", 255, STR("x") },
	{ "second head", 1, STR("") },
	{ "recipients nobody announced", 2, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
	{ "no recipients, unannounced", 2, STR("") },
	{ "short result", 3, STR("\0\0\0\0\2") },
	{ "result of nobody", 3, STR("\3\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0") },
	{ "result of nobody, far", 3, STR("\377\377\377\377\2\0\0\0\0\0\0\0\0\0\0\0\0") },
	{ "result pending", 3, STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
	{ "result without such a state", 3, STR("\0\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\0") },
	{ "long status", 3, STR("\0\0\0\0\2\0\0\0\0\0\0\0\0\21\0aaaaaaaaaaaaaaaaa\0\0") },
	{ "text runs out", 3, STR("\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\1\0") },
	{ "text too long", 3, STR("\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\377\377") },
	{ "result and more", 3, STR("\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0!") },
	{ "short schedule", 4, STR("\0\0\0\0\0\0\0\0\0\0\0") },
	{ "empty hold", 5, STR("") },
	{ "hold twice", 5, STR("\2") },
	{ "replaced by nobody", 6, STR("\0\0\0\0") },
	{ "replaced by too many", 6, STR("\376\377\377\377") },
	{ "replaced by one too many", 6, STR("\116\303\0\0") }, /* 49,998 and the 3 that are */
	{ "replaces nobody", 6, STR("\1\0\0\0\3\0\0\0") },
	{ "replaces half a number", 6, STR("\1\0\0\0\0\0") },
};

static void put_raw(struct buf *out, uint8_t type, struct str payload)
{
	struct record_writer w = record_start(out, crc32c(0, queue_id_str(&ID)));

	for (size_t i = 0; i < payload.n; i++)
		record_put_u8(&w, (uint8_t)payload.p[i]);
	ck_assert(record_finish(&w, type));
}

START_TEST(bad_record_cases)
{
	scoped_buf struct buf b = { 0 };
	size_t valid;

	encode_sample(&b);
	put_raw(&b, bad_records[_i].type, bad_records[_i].payload);
	ck_assert_msg(decode_exact(buf_str(&b), &valid) == ENV_DAMAGED, "%s", bad_records[_i].what);
	buf_reset(&b);
	put_raw(&b, bad_records[_i].type, bad_records[_i].payload);
	ck_assert_msg(decode_exact(buf_str(&b), &valid) == ENV_DAMAGED, "%s, at first", bad_records[_i].what);
}
END_TEST

START_TEST(limits)
{
	static char big[ENV_STRING_MAX + 1];
	scoped_buf struct buf b = { 0 };
	struct env env = sample();

	env.sender = str_of(big, sizeof(big));
	ck_assert(!env_encode(&env, &b));
	env.sender.n--;
	ck_assert(env_encode(&env, &b));
	buf_reset(&b);
	env.n = 0;
	ck_assert(!env_encode(&env, &b));
	env.n = ENV_RECIPIENTS_MAX + 1;
	ck_assert(!env_encode(&env, &b));
	env = sample();
	ck_assert(!env_put_replace(&env, NULL, 0, sample_recipients, 0, &b));
	ck_assert(!env_put_replace(&env, NULL, 0, sample_recipients, ENV_RECIPIENTS_MAX - 2, &b));
	ck_assert(!env_put_replace(&env, (uint32_t[]){ 3 }, 1, sample_recipients, 1, &b));
	ck_assert(!env_put_result(&ID, 0, ENV_PENDING, 0, STR(""), STR(""), &b));
	ck_assert(!env_put_result(&ID, 0, ENV_FAILED, 0, STR(""), str_of(big, ENV_TEXT_MAX + 1), &b));
	ck_assert(!env_put_result(&ID, 0, ENV_FAILED, 0, str_of(big, ENV_STATUS_MAX + 1), STR(""), &b));
	b.limit = 200;
	ck_assert(!env_encode(&env, &b));
	ck_assert_uint_eq(b.n, 0);
}
END_TEST

START_TEST(most_recipients)
{
	struct env_recipient *list = calloc(ENV_RECIPIENTS_MAX, sizeof(*list));
	scoped_arena struct arena a = { 0 }, small = { .budget = 1 << 20 };
	scoped_buf struct buf b = { 0 };
	struct env env = sample(), back;
	size_t valid;

	for (uint32_t i = 0; i < ENV_RECIPIENTS_MAX; i++) {
		list[i].address = STR("someone@a-host-with-a-long-name.example.org");
		list[i].flags = i;
	}
	env.recipients = list;
	env.n = ENV_RECIPIENTS_MAX;
	ck_assert(env_encode(&env, &b));
	ck_assert_int_eq(env_decode(&ID, buf_str(&b), &small, &back, &valid, NULL), ENV_DAMAGED);
	ck_assert_int_eq(env_decode(&ID, buf_str(&b), &a, &back, &valid, NULL), ENV_WHOLE);
	check_same(&env, &back);
	free(list);
}
END_TEST

START_TEST(progress_folds)
{
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf b = { 0 }, again = { 0 };
	struct env env, back;
	size_t valid;

	encode_sample(&b);
	ck_assert_int_eq(env_decode(&ID, buf_str(&b), &a, &env, &valid, NULL), ENV_WHOLE);
	struct env first = sample();
	check_same(&env, &first);
	add_progress(&b);
	ck_assert_int_eq(env_decode(&ID, buf_str(&b), &a, &env, &valid, NULL), ENV_WHOLE);
	ck_assert_uint_eq(valid, b.n);
	ck_assert(env.n == 5 && !env.held && env.acknowledged && env.attempts == 1);
	ck_assert(env.next_try_us == 1795326750000000);
	ck_assert(env.recipients[0].state == ENV_DELIVERED && env.recipients[1].state == ENV_DEFERRED);
	ck_assert_str_is(env.recipients[1].text, STR("timeout"));
	ck_assert(env.recipients[2].state == ENV_REPLACED && env.recipients[3].state == ENV_PENDING);
	ck_assert_str_is(env.recipients[4].nexthop, STR("example.net"));
	/* written afresh it means the same */
	ck_assert(env_encode(&env, &again));
	ck_assert_int_eq(env_decode(&ID, buf_str(&again), &a, &back, &valid, NULL), ENV_WHOLE);
	check_same(&env, &back);
}
END_TEST

START_TEST(another_id)
{
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf b = { 0 };
	struct queue_id other = { "0BCDFGHJKL012346" };
	struct env env;
	size_t valid;

	encode_sample(&b);
	ck_assert_int_eq(env_decode(&other, buf_str(&b), &a, &env, &valid, NULL), ENV_DAMAGED);
}
END_TEST

START_TEST(every_bit_flipped)
{
	scoped_buf struct buf b = { 0 };
	size_t valid;

	encode_sample(&b);
	add_progress(&b);
	for (size_t i = 0; i < b.n * 8; i++) {
		b.p[i / 8] = (char)(b.p[i / 8] ^ (1 << (i % 8)));
		ck_assert_msg(decode_exact(buf_str(&b), &valid) == ENV_DAMAGED, "bit %zu of byte %zu", i % 8, i / 8);
		b.p[i / 8] = (char)(b.p[i / 8] ^ (1 << (i % 8)));
	}
}
END_TEST

/* A crash leaves a prefix, or a prefix and zeros: never damage, and never less than what was flushed before. */
START_TEST(torn_everywhere)
{
	scoped_buf struct buf b = { 0 };
	size_t valid, head, last = 0;

	encode_sample(&b);
	head = b.n;
	add_progress(&b);
	for (size_t n = 0; n <= b.n; n++) {
		scoped_buf struct buf zeros = { 0 };
		enum env_verdict want = n < head ? ENV_TORN : ENV_WHOLE;
		ck_assert_msg(decode_exact(str_head(buf_str(&b), n), &valid) == want, "cut at %zu", n);
		ck_assert(valid <= n && valid >= last);
		last = valid;
		buf_add(&zeros, str_head(buf_str(&b), n));
		while (zeros.n < b.n)
			buf_addc(&zeros, 0);
		ck_assert_msg(decode_exact(buf_str(&zeros), &valid) == want, "zeros from %zu", n);
		ck_assert_uint_eq(valid, last);
	}
	ck_assert_uint_eq(last, b.n);
}
END_TEST

static struct str random_str(struct arena *a, size_t most)
{
	size_t n = random_u64() % 8 == 0 ? most : random_u64() % 16;
	char *p = arena_alloc(a, n + 1);

	random_bytes(p, n);
	return str_of(p, n);
}

static void random_recipient(struct arena *a, struct env_recipient *r)
{
	*r = (struct env_recipient){ .address = random_str(a, ENV_STRING_MAX),
				     .original = random_str(a, ENV_STRING_MAX),
				     .transport = random_str(a, ENV_STRING_MAX),
				     .nexthop = random_str(a, ENV_STRING_MAX),
				     .user = random_str(a, ENV_STRING_MAX),
				     .flags = (uint32_t)random_u64() };
	r->state = random_u64() % ENV_STATES;
	if (r->state == ENV_PENDING)
		return;
	r->at_us = (int64_t)random_u64();
	r->status = random_str(a, ENV_STATUS_MAX);
	r->text = random_str(a, ENV_TEXT_MAX);
}

START_TEST(decode_of_encode)
{
	for (int round = 0; round < 300; round++) {
		scoped_arena struct arena a = { 0 };
		scoped_buf struct buf b = { 0 };
		struct env env = { .id = queue_id_make((int64_t)random_u64(), (uint32_t)random_u64()),
				   .arrival_us = (int64_t)random_u64(),
				   .sender = random_str(&a, ENV_STRING_MAX),
				   .envid = random_str(&a, ENV_STRING_MAX),
				   .service = random_str(&a, ENV_STRING_MAX),
				   .client_name = random_str(&a, ENV_STRING_MAX),
				   .client_address = random_str(&a, ENV_STRING_MAX),
				   .login = random_str(&a, ENV_STRING_MAX),
				   .flags = (uint32_t)random_u64(),
				   .content_size = random_u64(),
				   .content_crc = (uint32_t)random_u64(),
				   .next_try_us = (int64_t)random_u64(),
				   .attempts = (uint32_t)random_u64(),
				   .held = random_u64() & 1,
				   .n = (uint32_t)(1 + random_u64() % 100) };
		struct env back;
		size_t valid;

		env.acknowledged = random_u64() & 1;
		env.recipients = arena_array(&a, env.n, sizeof(*env.recipients));
		for (uint32_t i = 0; i < env.n; i++) {
			random_recipient(&a, &env.recipients[i]);
			env.acknowledged |= env.recipients[i].state != ENV_PENDING;
		}
		ck_assert(env_encode(&env, &b));
		ck_assert_int_eq(env_decode(&env.id, buf_str(&b), &a, &back, &valid, NULL), ENV_WHOLE);
		ck_assert_uint_eq(valid, b.n);
		check_same(&env, &back);
	}
}
END_TEST

START_TEST(printed)
{
	scoped_buf struct buf b = { 0 };
	struct env_recipient r = { .address = STR("x\n\x1b[2J\xc2\x9b\\\xe4\xbe\xbf"), .text = STR("\xff\x7f") };
	struct env env = { .id = ID, .recipients = &r, .n = 1 };

	ck_assert(env_print(&env, &b));
	const char *text = buf_cstr(&b);
	ck_assert_ptr_nonnull(strstr(text, "recipient 0: x\\x0a\\x1b[2J\\xc2\\x9b\\x5c\xe4\xbe\xbf\n"));
	ck_assert_ptr_nonnull(strstr(text, "reply: \\xff\\x7f\n"));
	ck_assert_ptr_nonnull(strstr(text, "sender: <>\n"));
}
END_TEST

static const struct {
	const char *in;
	bool ok;
} ids[] = {
	{ "", false },
	{ "012345678", false },
	{ "012345678901234567890", false },
	{ "012345678A", false },
	{ "0123456 89", false },
	{ "../../etc/passwd", false },
	{ "01234567\n9", false },
	{ "012345678\xc3", false },
	{ "012345678u", false },
	{ "0123456789", true },
	{ "BCDFGHJKLMNPQRSTVWXZ", true },
	{ "bcdfghjklmnpqrstvwxy", true },
};

START_TEST(id_cases)
{
	struct queue_id id = { "untouched" };

	ck_assert_int_eq(queue_id_parse(str_from(ids[_i].in), &id), ids[_i].ok);
	ck_assert_str_eq(id.text, ids[_i].ok ? ids[_i].in : "untouched");
}
END_TEST

START_TEST(id_with_nul)
{
	struct queue_id id;

	ck_assert(!queue_id_parse(STR("0123456789\0"), &id));
	ck_assert(!queue_id_parse(STR("01234\00056789"), &id));
}
END_TEST

START_TEST(ids_sort_by_time)
{
	struct queue_id a = queue_id_make(1795326749999999, UINT32_MAX), b = queue_id_make(1795326750000000, 0);

	ck_assert(str_cmp(queue_id_str(&a), queue_id_str(&b)) < 0);
	ck_assert_uint_eq(strlen(a.text), 16);
	ck_assert(queue_id_parse(queue_id_str(&a), &b));
}
END_TEST

TEST_MAIN("queue env", {
	tcase_add_loop_test(tc, bad_record_cases, 0, COUNT(bad_records));
	tcase_add_test(tc, limits);
	tcase_add_test(tc, most_recipients);
	tcase_add_test(tc, progress_folds);
	tcase_add_test(tc, another_id);
	tcase_add_test(tc, every_bit_flipped);
	tcase_add_test(tc, torn_everywhere);
	tcase_add_test(tc, decode_of_encode);
	tcase_add_test(tc, printed);
	tcase_add_loop_test(tc, id_cases, 0, COUNT(ids));
	tcase_add_test(tc, id_with_nul);
	tcase_add_test(tc, ids_sort_by_time);
})
