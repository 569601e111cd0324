/* The scanner, fed in pieces and whole, against the walk in memory. The first byte chooses the pieces. */
#include "base/err.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct header_scan scan(struct str message, size_t piece)
{
	struct header_scan h = { 0 };

	for (size_t at = 0; at < message.n; at += piece)
		header_scan(&h, str_head(str_skip(message, at), piece));
	header_scan_end(&h);
	return h;
}

static size_t walk(struct header_iter *it, size_t *froms)
{
	scoped_buf struct buf value = { 0 };
	struct header_field f;
	size_t octets = 0;

	while (header_next(it, &f)) {
		octets += f.whole.n;
		*froms += str_ieq(f.name, STR("From"));
		buf_reset(&value);
		ASSERT(f.name.n > 0 && f.name.n + f.value.n < f.whole.n);
		ASSERT(header_unfold(f.value, &value) && str_find(buf_str(&value), '\n') < 0);
	}
	return octets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? data[0] % 40 + 1u : 1, froms = 0;
	struct str message = str_skip(str_of(data, size), 1);
	struct header_scan whole = scan(message, message.n + 1), pieces = scan(message, piece);
	struct header_iter it = header_begin(message);

	ASSERT(whole.stop == pieces.stop && whole.fields == pieces.fields && whole.length == pieces.length);
	ASSERT(memcmp(whole.count, pieces.count, sizeof(whole.count)) == 0);
	size_t octets = walk(&it, &froms);
	if (it.stop == HEADER_TOO_BIG)
		return 0;
	ASSERT(it.stop == whole.stop && it.fields == whole.fields && it.at == whole.length);
	ASSERT(octets + (it.stop == HEADER_EMPTY_LINE) == it.at && froms == whole.count[HEADER_FROM]);
	ASSERT(it.rest.n == message.n - it.at);
	return 0;
}
