/*
 * buf - owned bytes that grow. The one growable type of the house.
 *
 * A buf may have a limit; what would pass it is refused (false, nothing added), so hostile input costs at most that.
 * Memory that cannot be had is a panic: the process has its own limit (RLIMIT_AS) and is restarted.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/str.h"

struct buf {
	char *p;
	size_t n;     /* bytes in use */
	size_t room;  /* bytes allocated */
	size_t limit; /* 0: none */
};

#define scoped_buf __attribute__((cleanup(buf_free)))

/* Frees the bytes and makes the buf empty again, the limit kept. */
void buf_free(struct buf *b);
/* Empty, but the memory stays. */
static inline void buf_reset(struct buf *b) { b->n = 0; }
static inline struct str buf_str(const struct buf *b) { return (struct str){ b->p, b->n }; }

/* Room for at least `more` bytes after the used ones, at b->p + b->n. False when that would pass the limit. */
bool buf_reserve(struct buf *b, size_t more);
bool buf_add(struct buf *b, struct str s);
bool buf_addc(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) bool buf_addf(struct buf *b, const char *format, ...);
bool buf_vaddf(struct buf *b, const char *format, va_list ap);

/* Drops the first `n` bytes; what is left moves to the front. */
void buf_consume(struct buf *b, size_t n);

/* The bytes as a C string; they stay the buf's. The NUL is not counted in n. */
const char *buf_cstr(struct buf *b);

#endif
