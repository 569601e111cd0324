#include "decide.h"

#define EC (KEY_P256 | KEY_P384)

static const struct scheme schemes[] = {
	/* scheme, keys in 1.3, keys in 1.2, digest, PSS */
	{ 0x0403, KEY_P256, EC, "SHA256", false },    { 0x0503, KEY_P384, EC, "SHA384", false },
	{ 0x0804, KEY_RSA, KEY_RSA, "SHA256", true }, { 0x0805, KEY_RSA, KEY_RSA, "SHA384", true },
	{ 0x0806, KEY_RSA, KEY_RSA, "SHA512", true }, { 0x0401, 0, KEY_RSA, "SHA256", false },
	{ 0x0501, 0, KEY_RSA, "SHA384", false },      { 0x0601, 0, KEY_RSA, "SHA512", false },
};

enum { RANDOM = 32, NAMED_CURVE = 3, UNCOMPRESSED = 4 };

static const struct scheme *find_scheme(const struct key_sign *question, enum key_kind kind)
{
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (schemes[i].number == question->scheme)
			return (question->tls13 ? schemes[i].tls13 : schemes[i].tls12) & (int)kind ? &schemes[i] : NULL;
	return NULL;
}

/* ServerECDHParams (RFC 8422, 5.4): named curve, group, and a point of that group's length. */
static bool params_valid(struct str params)
{
	static const struct {
		uint8_t group, length;
		bool point; /* an uncompressed point of a NIST curve; else 32 octets of X25519 */
	} groups[] = { { 29, 32, false }, { 23, 65, true }, { 24, 97, true }, { 25, 133, true } };
	const uint8_t *p = (const uint8_t *)params.p;

	if (params.n < 5 || p[0] != NAMED_CURVE || p[1] != 0)
		return false;
	for (size_t i = 0; i < COUNT(groups); i++)
		if (groups[i].group == p[2])
			return p[3] == groups[i].length && params.n == 4u + groups[i].length &&
			       (!groups[i].point || p[4] == UNCOMPRESSED);
	return false;
}

/* SHA-256 or SHA-384: the hashes of all suites of TLS 1.3. */
static bool parts_valid(const struct key_sign *q)
{
	if (q->tls13)
		return (q->transcript.n == 32 || q->transcript.n == 48) && q->client_random.n == 0 &&
		       q->server_random.n == 0 && q->params.n == 0;
	return q->transcript.n == 0 && q->client_random.n == RANDOM && q->server_random.n == RANDOM &&
	       params_valid(q->params);
}

const struct scheme *sign_content(const struct key_sign *question, enum key_kind kind, struct buf *content)
{
	static const char context[] = "TLS 1.3, server CertificateVerify"; /* with its NUL */
	const struct scheme *scheme = find_scheme(question, kind);

	if (!scheme || !parts_valid(question))
		return NULL;
	if (question->tls13) {
		buf_addf(content, "%64s", "");
		buf_add(content, str_of(context, sizeof(context)));
		buf_add(content, question->transcript);
	} else {
		buf_add(content, question->client_random);
		buf_add(content, question->server_random);
		buf_add(content, question->params);
	}
	return scheme;
}
