#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .limit = b->limit };
}

bool buf_reserve(struct buf *b, size_t more)
{
	size_t need, room;

	if (__builtin_add_overflow(b->n, more, &need))
		return false;
	if (b->limit && need > b->limit)
		return false;
	if (need <= b->room)
		return true;
	room = b->room ? b->room : 64;
	while (room < need)
		if (__builtin_mul_overflow(room, 2, &room))
			return false;
	if (b->limit && room > b->limit)
		room = b->limit;
	char *p = realloc(b->p, room);
	if (!p)
		panic("out of memory: %zu bytes", room);
	b->p = p;
	b->room = room;
	return true;
}

bool buf_add(struct buf *b, struct str s)
{
	if (!buf_reserve(b, s.n))
		return false;
	if (s.n)
		memcpy(b->p + b->n, s.p, s.n);
	b->n += s.n;
	return true;
}

bool buf_addc(struct buf *b, char c)
{
	return buf_add(b, (struct str){ &c, 1 });
}

bool buf_addf(struct buf *b, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	bool ok = buf_vaddf(b, format, ap);
	va_end(ap);
	return ok;
}

bool buf_vaddf(struct buf *b, const char *format, va_list ap)
{
	char small[256];
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(small, sizeof(small), format, ap);
	if (n < 0)
		panic("bad format '%s'", format);
	bool ok = true;
	if ((size_t)n < sizeof(small)) {
		ok = buf_add(b, str_of(small, (size_t)n));
	} else if ((ok = buf_reserve(b, (size_t)n + 1))) {
		vsnprintf(b->p + b->n, (size_t)n + 1, format, again);
		b->n += (size_t)n;
	}
	va_end(again);
	return ok;
}

void buf_consume(struct buf *b, size_t n)
{
	ASSERT(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *buf_cstr(struct buf *b)
{
	size_t limit = b->limit;

	b->limit = 0; /* the NUL is not content */
	buf_reserve(b, 1);
	b->limit = limit;
	b->p[b->n] = '\0';
	return b->p;
}
