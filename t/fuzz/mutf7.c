/* Mailbox names, both ways: what decodes encodes to the same octets again, and the other way round. */
#include "base/err.h"
#include "base/utf8.h"
#include "mail/mutf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_buf struct buf utf8 = { 0 }, coded = { 0 }, again = { 0 };
	struct str in = str_of(data, size);

	if (mutf7_decode(in, &utf8)) {
		ASSERT(utf8_valid(buf_str(&utf8)));
		ASSERT(mutf7_encode(buf_str(&utf8), &again) && str_eq(buf_str(&again), in));
	} else {
		ASSERT(utf8.n == 0);
	}
	buf_reset(&again);
	bool encoded = mutf7_encode(in, &coded);
	ASSERT(encoded == utf8_valid(in));
	if (encoded)
		ASSERT(ascii_only(buf_str(&coded)) && mutf7_decode(buf_str(&coded), &again) &&
		       str_eq(buf_str(&again), in));
	return 0;
}
