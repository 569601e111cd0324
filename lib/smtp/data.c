#include "smtp/data.h"

static void emit(struct data_decoder *d, struct str s, struct buf *out)
{
	d->size += s.n;
	if (out && !(d->flags & DATA_TOO_LONG) && !buf_add(out, s))
		d->flags |= DATA_TOO_LONG;
}

static void emit_line_end(struct data_decoder *d, struct buf *out)
{
	d->size++; /* the CR, which is not kept */
	emit(d, STR("\n"), out);
}

/* The run up to and with the next LF, or all. A CR at the end of the chunk is held back until its successor is seen. */
static size_t decode_run(struct data_decoder *d, struct str wire, struct buf *out)
{
	ptrdiff_t lf = str_find(wire, '\n');
	struct str run = lf < 0 ? wire : str_head(wire, (size_t)lf);
	bool cr = run.n > 0 && run.p[run.n - 1] == '\r';

	if (cr)
		run.n--;
	if (str_find(run, '\r') >= 0)
		d->flags |= DATA_BARE_CR;
	emit(d, run, out);
	if (lf < 0) {
		d->place = cr ? DATA_CR : DATA_IN_LINE;
		return wire.n;
	}
	if (cr) {
		emit_line_end(d, out);
		d->place = DATA_LINE_START;
	} else {
		/* no line begins here, so that a dot behind it is neither stuffing nor an end (SMTP smuggling) */
		d->flags |= DATA_BARE_LF;
		emit(d, STR("\n"), out);
		d->place = DATA_IN_LINE;
	}
	return (size_t)lf + 1;
}

/* A CR was held back, and `c` follows. Returns whether `c` was eaten. */
static bool decode_after_cr(struct data_decoder *d, char c, struct buf *out)
{
	if (c == '\n') {
		if (d->place == DATA_CR)
			emit_line_end(d, out);
		d->place = d->place == DATA_CR ? DATA_LINE_START : DATA_END;
		return true;
	}
	d->flags |= DATA_BARE_CR;
	emit(d, STR("\r"), out);
	d->place = DATA_IN_LINE;
	return false;
}

/* One step at the places that decide byte by byte. Returns whether `c` was eaten. */
static bool decode_byte(struct data_decoder *d, char c, struct buf *out)
{
	switch (d->place) {
	case DATA_LINE_START: d->place = c == '.' ? DATA_DOT : DATA_IN_LINE; return c == '.';
	case DATA_DOT: d->place = c == '\r' ? DATA_DOT_CR : DATA_IN_LINE; return c == '\r';
	default: return decode_after_cr(d, c, out);
	}
}

size_t data_decode(struct data_decoder *d, struct str wire, struct buf *out)
{
	size_t at = 0;

	while (at < wire.n && d->place != DATA_END) {
		if (d->place == DATA_IN_LINE)
			at += decode_run(d, str_skip(wire, at), out);
		else
			at += decode_byte(d, wire.p[at], out);
	}
	if (str_find(str_head(wire, at), '\0') >= 0)
		d->flags |= DATA_NUL;
	return at;
}

bool data_encode(struct data_encoder *e, struct str text, struct buf *out)
{
	while (text.n > 0) {
		ptrdiff_t lf = str_find(text, '\n');
		struct str run = lf < 0 ? text : str_head(text, (size_t)lf);

		if (!buf_reserve(out, run.n + 1))
			return false;
		if (e->stuff && !e->in_line && run.n > 0 && run.p[0] == '.')
			buf_addc(out, '.');
		buf_add(out, run);
		e->in_line = lf < 0;
		if (lf < 0)
			return true;
		if (!buf_add(out, STR("\r\n")))
			return false;
		text = str_skip(text, run.n + 1);
	}
	return true;
}

bool data_encode_end(struct data_encoder *e, struct buf *out)
{
	if (e->in_line && !buf_add(out, STR("\r\n")))
		return false;
	e->in_line = false;
	return !e->stuff || buf_add(out, STR(".\r\n"));
}
