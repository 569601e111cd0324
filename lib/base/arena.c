#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

struct arena_block {
	struct arena_block *next;
	size_t used, room;
	_Alignas(max_align_t) char data[];
};

enum { FIRST_BLOCK = 1024 - sizeof(struct arena_block), LATER_BLOCK = 8192 - sizeof(struct arena_block) };

void arena_free(struct arena *a)
{
	struct arena_block *b = a->head;

	while (b) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
	*a = (struct arena){ .budget = a->budget };
}

static bool add_block(struct arena *a, size_t n)
{
	size_t room = a->head ? LATER_BLOCK : FIRST_BLOCK;
	size_t whole;

	if (room < n)
		room = n;
	if (__builtin_add_overflow(room, sizeof(struct arena_block), &whole))
		return false;
	struct arena_block *b = calloc(1, whole);
	if (!b)
		return false;
	b->room = room;
	b->next = a->head;
	a->head = b;
	return true;
}

void *arena_try(struct arena *a, size_t n)
{
	size_t align = _Alignof(max_align_t);
	size_t used;

	if (n > SIZE_MAX - align)
		return NULL;
	n = (n + align - 1) / align * align;
	if (__builtin_add_overflow(a->used, n, &used) || (a->budget && used > a->budget))
		return NULL;
	if ((!a->head || a->head->room - a->head->used < n) && !add_block(a, n))
		return NULL;
	void *p = a->head->data + a->head->used;
	a->head->used += n;
	a->used = used;
	return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = arena_try(a, n);

	if (!p)
		panic("arena: no room for %zu bytes after %zu", n, a->used);
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : arena_try(a, bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_try(a, s.n + 1);

	if (p && s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap, again;

	va_start(ap, format);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, format, ap);
	ASSERT(n >= 0);
	char *p = arena_alloc(a, (size_t)n + 1);
	vsnprintf(p, (size_t)n + 1, format, again);
	va_end(again);
	va_end(ap);
	return p;
}
