/*
 * FETCH's items, and their sections of a message: the first line of the input is what is asked for, the rest the message.
 * What was told as the length comes, and each piece is what stands there in the whole.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "imapd/session/fetch.h"
#include "io/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_piece(struct body *b, const struct extent *x, uint64_t from, uint64_t to, struct buf *out)
{
	struct wire w = { .fd = -1 };

	ASSERT(extent_send(b, x, from, to, &w));
	ASSERT(w.out.n == to - from);
	buf_add(out, buf_str(&w.out));
	buf_free(&w.out);
}

static void look_at(struct body *b, const struct section *s)
{
	struct buf made = { 0 }, whole = { 0 }, pieces = { 0 };
	struct extent x;
	uint64_t n;

	enum section_found found = section_find(s, b, &made, &x);
	ASSERT(found != SECTION_FAILED);
	if (found == SECTION_FOUND) {
		ASSERT(x.made || (x.from <= x.to && x.to <= b->size));
		ASSERT(extent_size(b, &x, &n));
		send_piece(b, &x, 0, n, &whole);
		ASSERT(!memchr(whole.p ? whole.p : "x", '\0', whole.n));
		uint64_t step = 1 + s->partial.n % 7;
		for (uint64_t at = 0; at < n; at += step)
			send_piece(b, &x, at, at + step < n ? at + step : n, &pieces);
		ASSERT(str_eq(buf_str(&whole), buf_str(&pieces)));
	}
	buf_free(&made);
	buf_free(&whole);
	buf_free(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = { 0 };
	struct str message = str_of(data, size < 8192 ? size : 8192);
	struct parse p = { .rest = str_cut(&message, '\n'), .arena = &arena };
	struct fetch f = { 0 };

	if (!fetch_parse(&p, &f)) {
		ASSERT(p.wrong);
		arena_free(&arena);
		return 0;
	}
	struct body b = { .fd = memfd_create("message", MFD_CLOEXEC), .size = message.n };
	if (b.fd < 0 || fd_write_all(b.fd, message) < 0 || lseek(b.fd, 0, SEEK_SET) < 0)
		abort();
	for (size_t i = 0; i < f.n && i < 5; i++)
		look_at(&b, &f.sections[i]);
	close(b.fd);
	buf_free(&b.bytes);
	arena_free(&b.arena);
	arena_free(&arena);
	return 0;
}
