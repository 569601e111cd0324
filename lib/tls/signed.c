#include "tls/signed.h"

enum { PAD = 64, RANDOM = 32, HASH_LEAST = 32, HASH_MOST = 48, NAMED_CURVE = 3 };

/* The NUL behind the context belongs to it. */
static const char context[] = "TLS 1.3, server CertificateVerify";

static bool blanks(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ')
			return false;
	return true;
}

bool signed_parts(struct str content, struct key_sign *parts)
{
	struct str head = str_head(content, PAD), rest = str_skip(content, PAD);

	parts->transcript = parts->client_random = parts->server_random = parts->params = (struct str){ 0 };
	if (head.n < PAD)
		return false;
	/* ServerECDHParams begin with curve_type 3, the context with 'T': one is never the other. */
	parts->tls13 = blanks(head) && str_starts(rest, str_of(context, sizeof(context)));
	if (parts->tls13) {
		parts->transcript = str_skip(rest, sizeof(context));
		return parts->transcript.n == HASH_LEAST || parts->transcript.n == HASH_MOST;
	}
	parts->client_random = str_head(head, RANDOM);
	parts->server_random = str_skip(head, RANDOM);
	parts->params = rest;
	return rest.n > 4 && rest.p[0] == NAMED_CURVE && rest.n == 4 + (size_t)(uint8_t)rest.p[3];
}
