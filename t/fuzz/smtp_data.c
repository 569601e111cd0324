/*
 * The decoder, fed in pieces and whole; what it gives without complaint goes back to the same bytes but for needless
 * stuffing, and any text comes back through encoder and decoder. The first byte chooses the pieces.
 */
#include "base/err.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t decode(struct data_decoder *d, struct str wire, size_t piece, struct buf *out)
{
	size_t at = 0;

	while (at < wire.n && d->place != DATA_END) {
		size_t ate = data_decode(d, str_head(str_skip(wire, at), piece), out);
		ASSERT(ate > 0);
		at += ate;
	}
	return at;
}

static void encode(struct str text, size_t piece, struct buf *out)
{
	struct data_encoder e = { .stuff = true };

	for (size_t at = 0; at < text.n; at += piece)
		ASSERT(data_encode(&e, str_head(str_skip(text, at), piece), out));
	ASSERT(data_encode_end(&e, out));
}

/* A text of lines without CR: the encoder's wire form is one that the decoder ends where it ends. */
static void check_round_trip(struct str text, size_t piece)
{
	scoped_buf struct buf wire = { 0 }, back = { 0 };
	struct data_decoder d = { 0 };

	encode(text, piece, &wire);
	ASSERT(decode(&d, buf_str(&wire), piece, &back) == wire.n && d.place == DATA_END);
	if (text.n > 0 && !str_ends(text, STR("\n")))
		ASSERT(back.n > 0 && back.p[--back.n] == '\n');
	ASSERT((d.flags & ~(unsigned)DATA_NUL) == 0 && str_eq(buf_str(&back), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_buf struct buf whole = { 0 }, pieces = { 0 };
	size_t piece = size ? data[0] % 40 + 1u : 1;
	struct str wire = str_skip(str_of(data, size), 1);
	struct data_decoder a = { 0 }, b = { 0 };

	ASSERT(decode(&a, wire, wire.n + 1, &whole) == decode(&b, wire, piece, &pieces));
	ASSERT(a.place == b.place && a.flags == b.flags && a.size == b.size);
	ASSERT(str_eq(buf_str(&whole), buf_str(&pieces)));
	if (a.place == DATA_END && (a.flags & (DATA_BARE_CR | DATA_BARE_LF)) == 0) {
		ASSERT(whole.n == 0 || str_ends(buf_str(&whole), STR("\n")));
		check_round_trip(buf_str(&whole), piece);
	}
	if (str_find(wire, '\r') < 0)
		check_round_trip(wire, piece);
	return 0;
}
