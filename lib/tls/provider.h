/* provider - keys without their private half, for OpenSSL: it sees an EC or RSA key that can sign. */
#ifndef TLS_PROVIDER_H
#define TLS_PROVIDER_H

#include <openssl/evp.h>
#include <openssl/provider.h>

#include "ipc/messages.h"

struct signer {
	bool (*sign)(void *arg, const struct key_sign *question, struct buf *signature);
	void *arg;
	uint32_t number; /* of the key, at keyd */
};

/* Loads it into `lib`, beside OpenSSL's default provider. NULL: OpenSSL's error queue tells. */
OSSL_PROVIDER *provider_load(OSSL_LIB_CTX *lib);
/*
 * A key with the public half of `public`, whose signatures come from `signer` (copied); the caller frees it. NULL: not
 * an EC or RSA key, or out of memory.
 */
EVP_PKEY *provider_key(OSSL_LIB_CTX *lib, EVP_PKEY *public, const struct signer *signer);

#endif
