#include "mail/header.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

/* Length of the name at the beginning of `s`, 0 when no field begins there; *colon is the offset of its colon. */
static size_t name_length(struct str s, size_t *colon)
{
	size_t n = 0;

	while (n < s.n && is_name(s.p[n]))
		n++;
	*colon = n;
	while (*colon < s.n && is_blank(s.p[*colon]))
		++*colon;
	return *colon < s.n && s.p[*colon] == ':' ? n : 0;
}

/* Length of the line at the beginning of `s` and of those that continue it. */
static size_t folded_length(struct str s)
{
	size_t n = 0;

	do {
		ptrdiff_t lf = str_find(str_skip(s, n), '\n');
		if (lf < 0)
			return s.n;
		n += (size_t)lf + 1;
	} while (n < s.n && is_blank(s.p[n]));
	return n;
}

static bool stop(struct header_iter *it, enum header_stop why)
{
	it->stop = why;
	return false;
}

bool header_next(struct header_iter *it, struct header_field *out)
{
	size_t colon;

	if (it->stop != HEADER_GOES_ON)
		return false;
	if (it->rest.n == 0)
		return stop(it, HEADER_END_OF_MESSAGE);
	if (str_eat(&it->rest, '\n')) {
		it->at++;
		return stop(it, HEADER_EMPTY_LINE);
	}
	size_t name = name_length(it->rest, &colon);
	if (name == 0)
		return stop(it, HEADER_NO_FIELD);
	size_t n = folded_length(it->rest);
	if (n > HEADER_OCTETS_MAX - it->at || it->fields == HEADER_FIELDS_MAX)
		return stop(it, HEADER_TOO_BIG);
	out->name = str_head(it->rest, name);
	out->whole = str_head(it->rest, n);
	out->value = str_skip(out->whole, colon + 1);
	if (str_ends(out->value, STR("\n")))
		out->value.n--;
	it->rest = str_skip(it->rest, n);
	it->at += n;
	it->fields++;
	return true;
}

static bool is_space(char c)
{
	return is_blank(c) || c == '\n' || c == '\r';
}

bool header_unfold(struct str value, struct buf *out)
{
	while (value.n > 0 && is_space(value.p[0]))
		value = str_skip(value, 1);
	while (value.n > 0 && is_space(value.p[value.n - 1]))
		value.n--;
	if (!buf_reserve(out, value.n))
		return false;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\n' && value.p[i] != '\r')
			out->p[out->n++] = value.p[i];
	return true;
}

static const struct str known[HEADER_KNOWN] = {
	[HEADER_DATE] = { "Date", 4 },
	[HEADER_FROM] = { "From", 4 },
	[HEADER_MESSAGE_ID] = { "Message-ID", 10 },
	[HEADER_TO] = { "To", 2 },
	[HEADER_CC] = { "Cc", 2 },
	[HEADER_BCC] = { "Bcc", 3 },
	[HEADER_RETURN_PATH] = { "Return-Path", 11 },
	[HEADER_RECEIVED] = { "Received", 8 },
	[HEADER_DELIVERED_TO] = { "Delivered-To", 12 },
};

enum { AT_START, IN_NAME, AFTER_NAME, IN_VALUE };

static void scan_field(struct header_scan *h)
{
	struct str name = str_of(h->name, h->name_n);

	h->fields++;
	h->place = IN_VALUE;
	for (size_t i = 0; i < HEADER_KNOWN; i++)
		h->count[i] += str_ieq(name, known[i]);
}

static void scan_stop(struct header_scan *h, enum header_stop why)
{
	h->stop = why;
	if (why == HEADER_NO_FIELD)
		h->length = h->line;
}

static void scan_start(struct header_scan *h, char c)
{
	h->line = h->length;
	h->name_n = 0;
	h->place = is_blank(c) ? IN_VALUE : IN_NAME;
	if (c == '\n') {
		h->length++;
		scan_stop(h, HEADER_EMPTY_LINE);
	} else if (!is_name(c) && (!is_blank(c) || h->fields == 0)) {
		scan_stop(h, HEADER_NO_FIELD);
	}
}

static size_t scan_name(struct header_scan *h, struct str s)
{
	size_t n = 0;

	while (n < s.n && is_name(s.p[n])) {
		if (h->name_n < HEADER_NAME_MAX)
			h->name[h->name_n++] = s.p[n];
		n++;
	}
	if (n < s.n)
		h->place = AFTER_NAME;
	return n;
}

static size_t scan_colon(struct header_scan *h, char c)
{
	if (c == ':')
		scan_field(h);
	else if (!is_blank(c))
		scan_stop(h, HEADER_NO_FIELD);
	return h->stop == HEADER_GOES_ON;
}

static size_t scan_value(struct header_scan *h, struct str s)
{
	ptrdiff_t lf = str_find(s, '\n');

	if (lf < 0)
		return s.n;
	h->place = AT_START;
	return (size_t)lf + 1;
}

void header_scan(struct header_scan *h, struct str chunk)
{
	while (chunk.n > 0 && h->stop == HEADER_GOES_ON) {
		size_t n = 0;
		switch (h->place) {
		case AT_START: scan_start(h, chunk.p[0]); break;
		case IN_NAME: n = scan_name(h, chunk); break;
		case AFTER_NAME: n = scan_colon(h, chunk.p[0]); break;
		default: n = scan_value(h, chunk); break;
		}
		h->length += n;
		chunk = str_skip(chunk, n);
	}
}

void header_scan_end(struct header_scan *h)
{
	if (h->stop == HEADER_GOES_ON)
		scan_stop(h, h->place == IN_NAME || h->place == AFTER_NAME ? HEADER_NO_FIELD : HEADER_END_OF_MESSAGE);
}
