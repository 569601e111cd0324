#include "agents/keyd/decide.h"

#include "unit.h"

#define H32 "0123456789abcdef0123456789abcdef"
#define H48 H32 "0123456789abcdef"
#define R32 "RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR"
#define S32 "SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"
#define BLANKS32 "                                "
#define X25519 "\x03\x00\x1d\x20" H32
#define P256 "\x03\x00\x17\x41\x04" H32 H32
#define P384 "\x03\x00\x18\x61\x04" H48 H48
#define P521 "\x03\x00\x19\x85\x04" H48 H48 H32 "0123"

#define V13(hash) \
	true, STR(hash), { 0 }, { 0 }, \
	{ \
		0 \
	}
#define V12(params) false, { 0 }, STR(R32), STR(S32), STR(params)

static const struct {
	bool ok;
	enum key_kind kind;
	uint16_t scheme;
	bool tls13;
	struct str transcript, client_random, server_random, params;
} questions[] = {
	/* 1.3: transcripts that are no hash of a suite */
	{ false, KEY_P256, 0x0403, V13("") },
	{ false, KEY_P256, 0x0403, V13("a") },
	{ false, KEY_P256, 0x0403, V13("0123456789abcdef0123456789abcde") },
	{ false, KEY_P256, 0x0403, V13(H32 "x") },
	{ false, KEY_P256, 0x0403, V13(H32 H32) },
	/* 1.3: schemes that do not fit the key, or are not for 1.3 */
	{ false, KEY_P256, 0, V13(H32) },
	{ false, KEY_P256, 0x0503, V13(H32) },
	{ false, KEY_P384, 0x0403, V13(H32) },
	{ false, KEY_P256, 0x0603, V13(H32) },
	{ false, KEY_P256, 0x0804, V13(H32) },
	{ false, KEY_RSA, 0x0403, V13(H32) },
	{ false, KEY_RSA, 0x0401, V13(H32) },
	{ false, KEY_RSA, 0x0501, V13(H32) },
	{ false, KEY_RSA, 0x0601, V13(H32) },
	{ false, KEY_RSA, 0x0201, V13(H32) },
	{ false, KEY_RSA, 0x0809, V13(H32) },
	{ false, KEY_RSA, 0xffff, V13(H32) },
	/* mixed versions */
	{ false, KEY_P256, 0x0403, true, STR(H32), STR(R32), { 0 }, { 0 } },
	{ false, KEY_P256, 0x0403, true, STR(H32), { 0 }, STR(S32), { 0 } },
	{ false, KEY_P256, 0x0403, true, STR(H32), { 0 }, { 0 }, STR(X25519) },
	{ false, KEY_P256, 0x0403, false, STR(H32), STR(R32), STR(S32), STR(X25519) },
	{ false, KEY_P256, 0x0403, false, STR(H32), { 0 }, { 0 }, { 0 } },
	/* 1.2: lengths */
	{ false, KEY_P256, 0x0403, false, { 0 }, { 0 }, { 0 }, { 0 } },
	{ false, KEY_P256, 0x0403, false, { 0 }, STR(R32 "x"), STR(S32), STR(X25519) },
	{ false, KEY_P256, 0x0403, false, { 0 }, STR(R32), STR("S"), STR(X25519) },
	{ false, KEY_P256, 0x0403, V12("") },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x1d") },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x1d\x20") },
	{ false, KEY_P256, 0x0403, V12(X25519 "x") },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x1d\x1f" H32) },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x1d\x21" H32 "x") },
	/* 1.2: curve type, group, form of the point */
	{ false, KEY_P256, 0x0403, V12("\x01\x00\x1d\x20" H32) },
	{ false, KEY_P256, 0x0403, V12("\x03\x01\x1d\x20" H32) },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x1e\x20" H32) },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x17\x20" H32) },
	{ false, KEY_P256, 0x0403, V12("\x03\x00\x17\x41\x02" H32 H32) },
	/* what would be the content of 1.3, got by randoms of blanks */
	{ false,
	  KEY_P256,
	  0x0403,
	  false,
	  { 0 },
	  STR(BLANKS32),
	  STR(BLANKS32),
	  STR("TLS 1.3, server CertificateVerify\0" H32) },
	/* 1.2: schemes */
	{ false, KEY_P256, 0x0401, V12(X25519) },
	{ false, KEY_RSA, 0x0403, V12(X25519) },
	{ false, KEY_RSA, 0x0201, V12(X25519) },
	{ false, KEY_P256, 0x0203, V12(X25519) },

	{ true, KEY_P256, 0x0403, V13(H32) },
	{ true, KEY_P256, 0x0403, V13(H48) },
	{ true, KEY_P384, 0x0503, V13(H48) },
	{ true, KEY_RSA, 0x0804, V13(H32) },
	{ true, KEY_RSA, 0x0805, V13(H32) },
	{ true, KEY_RSA, 0x0806, V13(H48) },
	{ true, KEY_P256, 0x0403, V12(X25519) },
	{ true, KEY_P256, 0x0503, V12(P256) },
	{ true, KEY_P384, 0x0403, V12(P384) },
	{ true, KEY_RSA, 0x0401, V12(P521) },
	{ true, KEY_RSA, 0x0501, V12(X25519) },
	{ true, KEY_RSA, 0x0601, V12(X25519) },
	{ true, KEY_RSA, 0x0804, V12(X25519) },
};

START_TEST(question_cases)
{
	struct key_sign q = { .scheme = questions[_i].scheme,
			      .tls13 = questions[_i].tls13,
			      .transcript = questions[_i].transcript,
			      .client_random = questions[_i].client_random,
			      .server_random = questions[_i].server_random,
			      .params = questions[_i].params };
	scoped_buf struct buf content = { 0 };
	const struct scheme *scheme = sign_content(&q, questions[_i].kind, &content);

	ck_assert_int_eq(scheme != NULL, questions[_i].ok);
	if (!questions[_i].ok)
		ck_assert_uint_eq(content.n, 0);
	else if (q.tls13)
		ck_assert_uint_eq(content.n, 64 + 34 + q.transcript.n);
	else
		ck_assert_uint_eq(content.n, 64 + q.params.n);
}
END_TEST

START_TEST(content_is_as_stated)
{
	struct key_sign q = { .scheme = 0x0403, .tls13 = true, .transcript = STR(H32) };
	scoped_buf struct buf content = { 0 };

	ck_assert(sign_content(&q, KEY_P256, &content));
	ck_assert_str_is(buf_str(&content), STR(BLANKS32 BLANKS32 "TLS 1.3, server CertificateVerify\0" H32));
	q = (struct key_sign){
		.scheme = 0x0403, .client_random = STR(R32), .server_random = STR(S32), .params = STR(X25519)
	};
	buf_reset(&content);
	ck_assert(sign_content(&q, KEY_P256, &content));
	ck_assert_str_is(buf_str(&content), STR(R32 S32 X25519));
}
END_TEST

TEST_MAIN("keyd decide", tcase_add_loop_test(tc, question_cases, 0, COUNT(questions));
	  tcase_add_test(tc, content_is_as_stated))
