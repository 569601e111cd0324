#include "unit.h"

#include "mbox/mbox.h"
#include "mbox/name.h"

static const struct {
	const char *in;
	bool ok;
	int64_t seconds, size, vsize;
	uint32_t uidvalidity, uid, flags;
	const char *base, *id;
} names[] = {
	{ "", .ok = false },
	{ ".hidden", .ok = false },
	{ "..", .ok = false },
	{ "1.a/b", .ok = false },
	{ ":2,S", true, -1, -1, -1, 0, 0, MBOX_SEEN, "", "" },
	{ "x", true, -1, -1, -1, 0, 0, 0, "x", "" },
	{ "123", true, -1, -1, -1, 0, 0, 0, "123", "" },
	{ "-1.a.h", true, -1, -1, -1, 0, 0, 0, "-1.a.h", "" },
	{ "99999999999999999999.a.h", true, -1, -1, -1, 0, 0, 0, "99999999999999999999.a.h", "" },
	{ "1.a.h,S=-1,W=,T=5", true, 1, -1, -1, 0, 0, 0, "1.a.h,S=-1,W=,T=5", "" },
	{ "1.a.h,S=9223372036854775808", true, 1, -1, -1, 0, 0, 0, "1.a.h,S=9223372036854775808", "" },
	{ "1.a.h,T=0.5", true, 1, -1, -1, 0, 0, 0, "1.a.h,T=0.5", "" },
	{ "1.a.h,T=5.0", true, 1, -1, -1, 0, 0, 0, "1.a.h,T=5.0", "" },
	{ "1.a.h,T=4294967296.1", true, 1, -1, -1, 0, 0, 0, "1.a.h,T=4294967296.1", "" },
	{ "1.a.h,T=1.4294967296", true, 1, -1, -1, 0, 0, 0, "1.a.h,T=1.4294967296", "" },
	{ "1.a.h,T=1.2.3", true, 1, -1, -1, 0, 0, 0, "1.a.h,T=1.2.3", "" },
	{ "1.a.h,T=1.2,T=3.4", true, 1, -1, -1, 1, 2, 0, "1.a.h,T=1.2,T=3.4", "" },
	{ "1.a.h,S=x,S=7,S=8", true, 1, 7, -1, 0, 0, 0, "1.a.h,S=x,S=7,S=8", "" },
	{ "1.a.h:2,S:2,F", true, 1, -1, -1, 0, 0, MBOX_SEEN | MBOX_FLAGGED, "1.a.h", "" },
	{ "1.a.h:1,SF", true, 1, -1, -1, 0, 0, 0, "1.a.h", "" },
	{ "1.M12345Q1.h", true, 1, -1, -1, 0, 0, 0, "1.M12345Q1.h", "" },
	{ "1.M123456.h", true, 1, -1, -1, 0, 0, 0, "1.M123456.h", "" },
	{ "1.M123456Q+.h", true, 1, -1, -1, 0, 0, 0, "1.M123456Q+.h", "" },
	{ "1234.M5P6V7I8.host,S=12:2,S", true, 1234, 12, -1, 0, 0, MBOX_SEEN, "1234.M5P6V7I8.host,S=12", "" },
	{ "1234.5_6.host,U=7,FMD5=8:2,", true, 1234, -1, -1, 0, 0, 0, "1234.5_6.host,U=7,FMD5=8", "" },
	{ "1795327677.M000042Q4abR2.mx.example.org,S=10,W=12,T=1795327600.17:2,DFPRSTaz", true, 1795327677, 10, 12,
	  1795327600, 17, 63u | 1u << 6 | 1u << 31, "1795327677.M000042Q4abR2.mx.example.org,S=10,W=12,T=1795327600.17",
	  "Q4abR2" },
};

START_TEST(name_cases)
{
	struct mbox_name n;

	ck_assert_int_eq(mbox_name_parse(str_from(names[_i].in), &n), names[_i].ok);
	if (!names[_i].ok)
		return;
	ck_assert_int_eq(n.seconds, names[_i].seconds);
	ck_assert_int_eq(n.size, names[_i].size);
	ck_assert_int_eq(n.vsize, names[_i].vsize);
	ck_assert_uint_eq(n.uidvalidity, names[_i].uidvalidity);
	ck_assert_uint_eq(n.uid, names[_i].uid);
	ck_assert_uint_eq(mbox_name_flags(n.flags), names[_i].flags);
	ck_assert_str_is(n.base, str_from(names[_i].base));
	ck_assert_str_is(n.id, str_from(names[_i].id));
}
END_TEST

START_TEST(name_bytes)
{
	char longest[257];
	struct mbox_name n;

	ck_assert(!mbox_name_parse(STR("1.a\0.h"), &n));
	memset(longest, 'a', sizeof(longest));
	ck_assert(!mbox_name_parse(str_of(longest, 256), &n));
	ck_assert(mbox_name_parse(str_of(longest, 255), &n));
}
END_TEST

static const struct {
	int64_t now_us;
	const char *host, *out;
} stems[] = {
	{ -5, "h", "0.M000000Q1R2.h" },
	{ 1, "", "0.M000001Q1R2.localhost" },
	{ 1795327677000042, "a/b:c,d\\e\n\x80", "1795327677.M000042Q1R2.a\\057b\\072c\\054d\\134e\\012\\200" },
	{ 1000000, "0123456789012345678901234567890123456789012345678901234567890:::",
	  "1.M000000Q1R2.0123456789012345678901234567890123456789012345678901234567890" },
};

START_TEST(stem_cases)
{
	scoped_buf struct buf out = { 0 };
	struct mbox_name n;

	mbox_name_stem(stems[_i].now_us, STR("Q1R2"), str_from(stems[_i].host), &out);
	ck_assert_str_is(buf_str(&out), str_from(stems[_i].out));
	ck_assert(mbox_name_parse(buf_str(&out), &n));
	ck_assert_str_is(n.id, STR("Q1R2"));
}
END_TEST

static const struct {
	const char *in, *out;
} tags[] = {
	{ "x", "x,S=3,W=4,T=5.6:2," },
	{ "1.a.h:", "1.a.h,S=3,W=4,T=5.6:2," },
	{ "1.a.h:1,odd", "1.a.h,S=3,W=4,T=5.6:1,odd" },
	{ "1.a.h,T=9.9,T=8.8,S=1,W=1,S=2,X=y,T=bad,,Z:2,FS", "1.a.h,X=y,T=bad,,Z,S=3,W=4,T=5.6:2,FS" },
};

START_TEST(tag_cases)
{
	scoped_buf struct buf out = { 0 };
	struct mbox_name n;

	ck_assert(mbox_name_parse(str_from(tags[_i].in), &n));
	mbox_name_tag(&n, 3, 4, 5, 6, &out);
	ck_assert_str_is(buf_str(&out), str_from(tags[_i].out));
}
END_TEST

START_TEST(tag_too_long)
{
	scoped_buf struct buf in = { 0 }, out = { 0 };
	struct mbox_name n, again;

	buf_add(&in, STR("77."));
	while (in.n < 240)
		buf_addc(&in, 'a');
	buf_add(&in, STR(":2,SSSSSSSSSFab"));
	ck_assert(mbox_name_parse(buf_str(&in), &n));
	mbox_name_tag(&n, INT64_MAX, INT64_MAX, UINT32_MAX, UINT32_MAX, &out);
	ck_assert(mbox_name_parse(buf_str(&out), &again));
	ck_assert_int_eq(again.seconds, 77);
	ck_assert_uint_eq(again.uid, UINT32_MAX);
	ck_assert_int_eq(again.size, INT64_MAX);
	ck_assert_str_is(again.flags, STR("SFab"));
}
END_TEST

TEST_MAIN("mbox name", tcase_add_loop_test(tc, name_cases, 0, COUNT(names)); tcase_add_test(tc, name_bytes);
	  tcase_add_loop_test(tc, stem_cases, 0, COUNT(stems)); tcase_add_loop_test(tc, tag_cases, 0, COUNT(tags));
	  tcase_add_test(tc, tag_too_long))
