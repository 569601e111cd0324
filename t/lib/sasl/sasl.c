#include "unit.h"

#include "base/utf8.h"
#include "sasl/sasl.h"

/* One login; `lines` are encoded to base64 here unless they begin with '!'. The first is the initial response. */
static const struct {
	const char *mechanism;
	struct str lines[3];
	enum sasl_result result;
	const char *authzid, *authcid, *password;
} logins[] = {
	{ "", { { 0 } }, SASL_FAILED, NULL, NULL, NULL },
	{ "CRAM-MD5", { { 0 } }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("!=") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("!*") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("!AGEAYg") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("!AGEA Yg=") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("u\0p") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0\0p") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0u\0") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0u\0p\0") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0u\0p\0q") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0u\n\0p") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\x7f\0u\0p") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0\xff\0p") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { STR("\0u\0\xc0\x80") }, SASL_FAILED, NULL, NULL, NULL },
	{ "PLAIN", { { 0 }, STR("!*") }, SASL_CANCELLED, NULL, NULL, NULL },
	{ "PLAIN", { { 0 }, STR("!") }, SASL_FAILED, NULL, NULL, NULL },
	{ "LOGIN", { { 0 }, STR("!") }, SASL_FAILED, NULL, NULL, NULL },
	{ "LOGIN", { { 0 }, STR("u\0x") }, SASL_FAILED, NULL, NULL, NULL },
	{ "LOGIN", { STR("u"), STR("!") }, SASL_FAILED, NULL, NULL, NULL },
	{ "LOGIN", { STR("u"), STR("p\0") }, SASL_FAILED, NULL, NULL, NULL },
	{ "LOGIN", { { 0 }, STR("u"), STR("!*") }, SASL_CANCELLED, NULL, NULL, NULL },

	{ "PLAIN", { STR("\0u\0p") }, SASL_DONE, "", "u", "p" },
	{ "plain", { { 0 }, STR("z\0u@b\0p \t\n") }, SASL_DONE, "z", "u@b", "p \t\n" },
	{ "PLAIN", { STR("\0\xc3\xb6\0\xe4\xbe\xbf") }, SASL_DONE, "", "\xc3\xb6", "\xe4\xbe\xbf" },
	{ "LOGIN", { { 0 }, STR("u"), STR("p") }, SASL_DONE, "", "u", "p" },
	{ "LOGIN", { STR("u"), STR("p") }, SASL_DONE, "", "u", "p" },
};

static struct str encoded(struct str line, struct buf *out)
{
	buf_reset(out);
	if (str_eat(&line, '!'))
		buf_add(out, line);
	else
		base64_encode(line, out);
	return buf_str(out);
}

static bool is_zero(const struct sasl *s)
{
	for (size_t i = 0; i < sizeof(s->store); i++)
		if (s->store[i])
			return false;
	return s->authcid.p == NULL && s->password.p == NULL;
}

START_TEST(login_cases)
{
	scoped_buf struct buf line = { 0 };
	struct sasl s;
	enum sasl_result r = sasl_start(&s, str_from(logins[_i].mechanism), encoded(logins[_i].lines[0], &line));

	for (size_t i = 1; r == SASL_CONTINUE && i < 3; i++)
		r = sasl_step(&s, encoded(logins[_i].lines[i], &line));
	ck_assert_int_eq(r, logins[_i].result);
	if (r == SASL_DONE) {
		ck_assert_str_is(s.authzid, str_from(logins[_i].authzid));
		ck_assert_str_is(s.authcid, str_from(logins[_i].authcid));
		ck_assert_str_is(s.password, str_from(logins[_i].password));
		sasl_end(&s);
	} else {
		ck_assert_ptr_nonnull(s.why);
	}
	ck_assert(is_zero(&s));
	ck_assert_int_eq(sasl_step(&s, STR("dQ==")), SASL_FAILED);
}
END_TEST

START_TEST(challenges)
{
	struct sasl s;

	ck_assert_int_eq(sasl_start(&s, STR("PLAIN"), STR("")), SASL_CONTINUE);
	ck_assert_str_is(s.challenge, STR(""));
	ck_assert_int_eq(sasl_start(&s, STR("LOGIN"), STR("")), SASL_CONTINUE);
	ck_assert_str_is(s.challenge, STR("VXNlcm5hbWU6"));
	ck_assert_int_eq(sasl_step(&s, STR("dQ==")), SASL_CONTINUE);
	ck_assert_str_is(s.challenge, STR("UGFzc3dvcmQ6"));
	ck_assert_int_eq(sasl_step(&s, STR("cA==")), SASL_DONE);
	ck_assert_int_eq(sasl_step(&s, STR("cA==")), SASL_FAILED);
	ck_assert(is_zero(&s));
	for (size_t i = 0; i < SASL_MECHANISMS; i++)
		ck_assert_ptr_eq(sasl_find(sasl_mechanisms[i].name), &sasl_mechanisms[i]);
}
END_TEST

static void add_many(struct buf *b, char c, size_t n)
{
	while (n-- > 0)
		buf_addc(b, c);
}

static const struct {
	size_t authzid, authcid, password;
	bool ok;
} sizes[] = {
	{ 257, 256, 1024, false }, { 256, 257, 1024, false }, { 256, 256, 1025, false },
	{ 0, 1, 100000, false },   { 0, 1281, 1, false },     { 256, 256, 1024, true },
};

START_TEST(size_limits)
{
	scoped_buf struct buf message = { 0 }, line = { 0 };
	struct sasl s;

	add_many(&message, 'z', sizes[_i].authzid);
	buf_addc(&message, '\0');
	add_many(&message, 'u', sizes[_i].authcid);
	buf_addc(&message, '\0');
	add_many(&message, 'p', sizes[_i].password);
	base64_encode(buf_str(&message), &line);
	ck_assert_int_eq(sasl_start(&s, STR("PLAIN"), buf_str(&line)), sizes[_i].ok ? SASL_DONE : SASL_FAILED);
	if (sizes[_i].ok)
		ck_assert_uint_eq(s.password.n, sizes[_i].password);
	sasl_end(&s);
	sasl_end(&s);
}
END_TEST

START_TEST(login_sizes)
{
	scoped_buf struct buf raw = { 0 }, user = { 0 }, password = { 0 };
	struct sasl s;

	add_many(&raw, 'x', 256);
	base64_encode(buf_str(&raw), &user);
	add_many(&raw, 'x', 1024 - 256);
	base64_encode(buf_str(&raw), &password);
	ck_assert_int_eq(sasl_start(&s, STR("LOGIN"), buf_str(&user)), SASL_CONTINUE);
	ck_assert_int_eq(sasl_step(&s, buf_str(&password)), SASL_DONE);
	ck_assert_int_eq(sasl_start(&s, STR("LOGIN"), buf_str(&password)), SASL_FAILED);
	buf_reset(&password);
	buf_addc(&raw, 'x');
	base64_encode(buf_str(&raw), &password);
	ck_assert_int_eq(sasl_start(&s, STR("LOGIN"), buf_str(&user)), SASL_CONTINUE);
	ck_assert_int_eq(sasl_step(&s, buf_str(&password)), SASL_FAILED);
	ck_assert(is_zero(&s));
}
END_TEST

TEST_MAIN("sasl", tcase_add_loop_test(tc, login_cases, 0, COUNT(logins)); tcase_add_test(tc, challenges);
	  tcase_add_loop_test(tc, size_limits, 0, COUNT(sizes)); tcase_add_test(tc, login_sizes);)
