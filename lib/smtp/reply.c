#include "smtp/reply.h"

#include <stdarg.h>
#include <stdio.h>

struct reply reply_make(int code, uint8_t class, uint8_t subject, uint8_t detail, const char *format, ...)
{
	struct reply r = { .code = code, .enh = { class, subject, detail } };
	va_list ap;

	va_start(ap, format);
	vsnprintf(r.text, sizeof(r.text), format, ap);
	va_end(ap);
	return r;
}

static bool add_text(struct str text, size_t most, struct buf *out)
{
	text = str_head(text, most);
	if (!buf_reserve(out, text.n + 2))
		return false;
	for (size_t i = 0; i < text.n; i++)
		out->p[out->n++] = text.p[i] >= ' ' && text.p[i] <= '~' ? text.p[i] : '?';
	return buf_add(out, STR("\r\n"));
}

bool reply_write_line(const struct reply *r, struct str text, bool last, struct buf *out)
{
	size_t before = out->n;
	bool ok = buf_addf(out, "%03d%c", r->code, last ? ' ' : '-');

	if (r->enh[0])
		ok = ok && buf_addf(out, "%u.%u.%u ", r->enh[0], r->enh[1], r->enh[2]);
	ok = ok && add_text(text, REPLY_LINE_MAX - 2 - (out->n - before), out);
	if (!ok)
		out->n = before;
	return ok;
}

bool reply_write(const struct reply *r, struct buf *out)
{
	struct str rest = str_from(r->text);
	size_t before = out->n;
	bool last;

	do {
		last = str_find(rest, '\n') < 0;
		struct str line = str_cut(&rest, '\n');
		if (!reply_write_line(r, line, last, out)) {
			out->n = before;
			return false;
		}
	} while (!last);
	return true;
}
