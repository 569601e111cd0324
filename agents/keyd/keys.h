/* keys - certificate chains and their private keys: read once, before the fence, and held in locked memory. */
#ifndef KEYD_KEYS_H
#define KEYD_KEYS_H

#include <openssl/evp.h>

#include "decide.h"
#include "proc/daemon.h"

enum { KEYS_MAX = 4, CHAIN_MAX = 64 * 1024, KEY_FILE_MAX = 256 * 1024 };

struct keys {
	size_t n;
	struct key {
		enum key_kind kind;
		EVP_PKEY *private;
		struct buf chain; /* PEM, certificates only */
	} all[KEYS_MAX];
};

/*
 * Reads the nth file of both lists as one pair. A pair that cannot be used is told in the log, with its remedy, and left
 * out. Signs once with each key, so that nothing is left to load.
 */
void keys_read(struct run *run, struct str cert_files, struct str key_files, struct keys *keys);

/* Adds the signature of `content`. False: OpenSSL failed. */
bool key_signature(const struct key *key, const struct scheme *scheme, struct str content, struct buf *signature);

#endif
