/* made - fresh keys and certificates, and a process that signs with them as keyd does: for tests of TLS. */
#ifndef T_HARNESS_MADE_H
#define T_HARNESS_MADE_H

#include <openssl/evp.h>
#include <sys/types.h>

#include "base/buf.h"
#include "ipc/messages.h"

enum made_kind { MADE_P256, MADE_P384, MADE_P521, MADE_RSA, MADE_RSA_SMALL, MADE_ED25519 };

EVP_PKEY *made_key(enum made_kind kind);
/* A self-signed certificate for "test.example" that is valid from yesterday for `days`, as PEM; and the key as PEM. */
void made_certificate(EVP_PKEY *key, int days, struct buf *pem);
void made_key_pem(EVP_PKEY *key, struct buf *pem);

/*
 * Starts a process that holds fresh keys of these kinds and answers key_chain and key_sign on the channel until it is
 * closed: the test itself never has the keys. Returns the test's end; the chains are added to `chains`.
 */
int made_keyd(const enum made_kind kinds[], size_t n, pid_t *pid, struct buf chains[]);

#endif
