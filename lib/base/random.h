/* random - bytes from the kernel. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/str.h"

/* Never fails: without randomness the process cannot go on. */
void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
/* `n` bytes as 2n hex digits and a NUL into `out`. */
void hex_encode(const void *p, size_t n, char *out);

#endif
