/* What keyd signs: only content of the two known forms, and lib/tls takes it apart into the same question again. */
#include "agents/keyd/decide.h"
#include "base/err.h"
#include "tls/signed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A slice of the input whose length its first octet tells. */
static struct str take(struct str *in)
{
	size_t n = in->n ? (uint8_t)in->p[0] : 0;
	struct str s = str_head(str_skip(*in, 1), n);

	*in = str_skip(*in, 1 + n);
	return s;
}

static void check_signed(const struct key_sign *q, struct str content)
{
	struct key_sign back = { 0 };

	ASSERT(content.n >= 64 + 4 + 32 && content.n <= 64 + 4 + 133);
	ASSERT(signed_parts(content, &back) && back.tls13 == q->tls13);
	ASSERT(str_eq(back.transcript, q->transcript) && str_eq(back.client_random, q->client_random) &&
	       str_eq(back.server_random, q->server_random) && str_eq(back.params, q->params));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum key_kind kinds[] = { KEY_P256, KEY_P384, KEY_RSA };
	struct str in = str_of(data, size);
	struct key_sign q = { 0 };

	signed_parts(in, &q);
	if (size < 3)
		return 0;
	q = (struct key_sign){ .tls13 = data[0] & 1, .scheme = (uint16_t)(data[1] << 8 | data[2]) };
	in = str_skip(in, 3);
	q.transcript = take(&in);
	q.client_random = take(&in);
	q.server_random = take(&in);
	q.params = take(&in);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		scoped_buf struct buf content = { 0 };
		if (sign_content(&q, kinds[i], &content))
			check_signed(&q, buf_str(&content));
		else
			ASSERT(content.n == 0);
	}
	return 0;
}
