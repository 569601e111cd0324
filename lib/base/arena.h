/*
 * arena - memory that is freed all at once: one for a connection, one for a transaction.
 *
 * An arena may have a budget; over it arena_try gives NULL, and the caller answers that client with a 452. The plain
 * functions are for what is bounded by the program itself: they panic over budget.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena {
	struct arena_block *head;
	size_t used;   /* bytes handed out, rounded up */
	size_t budget; /* 0: none */
};

#define scoped_arena __attribute__((cleanup(arena_free)))

void arena_free(struct arena *a);

/* Zeroed and aligned for any type. */
void *arena_try(struct arena *a, size_t n);
void *arena_alloc(struct arena *a, size_t n);
/* A zeroed array; NULL when over budget or when n * size overflows. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy of `s`, with a NUL behind it. Over budget: p is NULL although s.n may not be 0. */
struct str arena_str(struct arena *a, struct str s);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *format, ...);

#endif
