#include "wire.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>

enum {
	READ_CHUNK = 16 * 1024,
	OUT_KEPT = 128 * 1024, /* room that stays: one large answer must not cost memory for the rest of the session */
	HEAD_KEPT = 1000,      /* of what is thrown away: enough for a tag */
	TAIL_KEPT = 32,	       /* and enough for the announcement of a literal */
};

bool wire_flush(struct wire *w)
{
	struct str rest = buf_str(&w->out);

	while (rest.n > 0 && !w->broken) {
		ssize_t n = send(w->fd, rest.p, rest.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			w->broken = true; /* a time limit on sending ends here too */
		} else {
			w->sent += (size_t)n;
			rest = str_skip(rest, (size_t)n);
		}
	}
	if (w->out.room > OUT_KEPT)
		buf_free(&w->out);
	buf_reset(&w->out);
	return !w->broken;
}

void wire_tide(struct wire *w)
{
	if (w->out.n >= WIRE_FLUSH_AT)
		wire_flush(w);
}

void wire_put(struct wire *w, struct str bytes)
{
	buf_add(&w->out, bytes);
	wire_tide(w);
}

void wire_say(struct wire *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	buf_vaddf(&w->out, format, ap);
	va_end(ap);
	buf_add(&w->out, STR("\r\n"));
}

void wire_free(struct wire *w)
{
	buf_free(&w->in);
	buf_free(&w->out);
	buf_free(&w->command);
}

void put_number(struct buf *out, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(out, str_of(digits + at, sizeof(digits) - at));
}

bool wire_unread(const struct wire *w)
{
	return w->used < w->in.n;
}

/* More bytes behind those that are there; those before w->used go. */
static enum wire_got fill(struct wire *w)
{
	buf_consume(&w->in, w->used);
	w->seen -= w->used;
	w->used = 0;
	for (;;) {
		if (!wire_flush(w))
			return WIRE_GONE;
		buf_reserve(&w->in, READ_CHUNK);
		ssize_t n = recv(w->fd, w->in.p + w->in.n, READ_CHUNK, 0);
		if (n > 0) {
			w->in.n += (size_t)n;
			w->received += (uint64_t)n;
			return WIRE_OK;
		}
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return WIRE_SILENT;
		if (n == 0 || errno != EINTR)
			return WIRE_GONE;
	}
}

static bool take_line(struct wire *w, struct str *line)
{
	struct str rest = str_skip(buf_str(&w->in), w->seen);
	ptrdiff_t end = str_find(rest, '\n');

	if (end < 0) {
		w->seen = w->in.n;
		return false;
	}
	size_t behind = w->seen + (size_t)end + 1;
	*line = str_head(str_skip(buf_str(&w->in), w->used), behind - 1 - w->used);
	w->used = w->seen = behind;
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static bool count_skipped(struct wire *w, uint64_t n)
{
	w->skipped += n;
	return w->skipped <= WIRE_SKIP_MAX;
}

/*
 * The next line. One that is too long goes by, but for its last octets, which may announce a literal; its first ones are
 * added to w->command. *cut: that has happened.
 */
static enum wire_got next_line(struct wire *w, struct str *line, bool *cut)
{
	*cut = false;
	while (!take_line(w, line)) {
		size_t n = w->in.n - w->used;
		if (n > WIRE_COMMAND_MAX) {
			if (!*cut)
				buf_add(&w->command, str_head(str_skip(buf_str(&w->in), w->used), HEAD_KEPT));
			*cut = true;
			w->used += n - TAIL_KEPT;
			if (!count_skipped(w, n - TAIL_KEPT))
				return WIRE_FLOOD;
		}
		enum wire_got got = fill(w);
		if (got)
			return got;
	}
	*cut = *cut || line->n > WIRE_COMMAND_MAX;
	return WIRE_OK;
}

/* Whether the line ends with {n} or {n+}. `before` is what stands before it. */
static bool ends_with_literal(struct str line, uint64_t *n, bool *waits, struct str *before)
{
	if (!str_ends(line, STR("}")))
		return false;
	line.n--;
	*waits = !str_ends(line, STR("+"));
	line.n -= !*waits;
	ptrdiff_t open = str_rfind(line, '{');
	if (open < 0)
		return false;
	struct str number = str_skip(line, (size_t)open + 1);
	for (size_t i = 0; i < number.n; i++)
		if (!ascii_digit(number.p[i]))
			return false;
	*before = str_head(line, (size_t)open);
	if (!str_u64(number, UINT32_MAX, n))
		*n = UINT64_MAX;
	return number.n > 0;
}

/* APPEND's literals behind its first argument are messages: nothing else of its grammar can be one. */
static bool is_message(struct str text)
{
	str_cut(&text, ' ');
	return str_eat_word(&text, STR("APPEND ")) && str_trim(text).n > 0;
}

/* Throws away `n` octets of a literal. */
static enum wire_got skip_octets(struct wire *w, uint64_t n)
{
	if (n > WIRE_SKIP_MAX || !count_skipped(w, n))
		return WIRE_FLOOD;
	while (n > 0) {
		enum wire_got got = wire_unread(w) ? WIRE_OK : fill(w);
		if (got)
			return got;
		size_t have = w->in.n - w->used;
		size_t take = n < have ? (size_t)n : have;
		w->used += take;
		w->seen = w->used;
		n -= take;
	}
	return WIRE_OK;
}

/* The command is refused, and `line` was its last line that has been read: what else of it comes unasked is thrown away. */
static enum wire_got skip_command(struct wire *w, struct str line, const char *why)
{
	uint64_t n;
	bool waits, cut;
	struct str before;

	w->why = why;
	while (ends_with_literal(line, &n, &waits, &before) && !waits) {
		enum wire_got got = skip_octets(w, n);
		if (!got)
			got = next_line(w, &line, &cut);
		if (got)
			return got;
		if (!count_skipped(w, line.n))
			return WIRE_FLOOD;
	}
	return WIRE_BAD;
}

/* A literal that is no message becomes part of the command. */
static enum wire_got gather_literal(struct wire *w, uint64_t n, bool waits)
{
	if (waits)
		wire_put(w, STR("+ OK\r\n"));
	buf_add(&w->command, STR("\r\n"));
	while (n > 0) {
		enum wire_got got = wire_unread(w) ? WIRE_OK : fill(w);
		if (got)
			return got;
		struct str have = str_head(str_skip(buf_str(&w->in), w->used), (size_t)n);
		buf_add(&w->command, have);
		w->used += have.n;
		w->seen = w->used;
		n -= have.n;
	}
	return WIRE_OK;
}

/* The line, and the literal that it ends with. WIRE_OK: the command goes on behind it. */
static enum wire_got gather_line(struct wire *w, bool *whole)
{
	struct str line, before;
	uint64_t n = 0;
	bool cut, waits = false;
	enum wire_got got = next_line(w, &line, &cut);

	if (got)
		return got;
	if (cut || w->command.n + line.n > WIRE_COMMAND_MAX) {
		if (!w->command.n)
			buf_add(&w->command, str_head(line, HEAD_KEPT));
		return skip_command(w, line, "the command is too long");
	}
	size_t at = w->command.n;
	buf_add(&w->command, line);
	*whole = !ends_with_literal(line, &n, &waits, &before);
	if (*whole)
		return WIRE_OK;
	if (is_message(str_head(buf_str(&w->command), at + before.n))) {
		w->message = n;
		w->waits = waits;
		w->pending = true;
		return WIRE_MESSAGE;
	}
	if (n > WIRE_COMMAND_MAX || w->command.n + n > WIRE_COMMAND_MAX)
		return skip_command(w, line, "the literal is too long");
	return gather_literal(w, n, waits);
}

enum wire_got wire_command(struct wire *w, struct str *command)
{
	enum wire_got got = WIRE_OK;
	bool whole = false;

	buf_reset(&w->command);
	w->skipped = 0;
	while (!got && !whole)
		got = gather_line(w, &whole);
	*command = buf_str(&w->command);
	if (!got && str_find(*command, '\0') >= 0) {
		w->why = "NUL in a command";
		return WIRE_BAD;
	}
	return got;
}

enum wire_got wire_line(struct wire *w, struct str *line)
{
	bool cut;
	enum wire_got got;

	buf_reset(&w->command);
	w->skipped = 0;
	got = next_line(w, line, &cut);
	if (got || !cut)
		return got;
	w->why = "the line is too long";
	return WIRE_BAD;
}

void wire_message_begin(struct wire *w)
{
	w->pending = false;
	if (w->waits)
		wire_put(w, STR("+ OK\r\n"));
}

enum wire_got wire_message_next(struct wire *w, struct str *piece)
{
	enum wire_got got = w->message == 0 || wire_unread(w) ? WIRE_OK : fill(w);

	*piece = (struct str){ 0 };
	if (got || w->message == 0)
		return got;
	struct str have = str_skip(buf_str(&w->in), w->used);
	*piece = w->message < have.n ? str_head(have, (size_t)w->message) : have;
	w->used += piece->n;
	w->seen = w->used;
	w->message -= piece->n;
	return WIRE_OK;
}

enum wire_got wire_message_end(struct wire *w)
{
	struct str line;
	bool cut;
	enum wire_got got = next_line(w, &line, &cut);

	if (got || (!cut && line.n == 0))
		return got;
	return skip_command(w, line, "too much behind the message");
}

enum wire_got wire_message_refuse(struct wire *w)
{
	struct str line;
	bool cut;

	w->pending = false;
	if (w->waits)
		return WIRE_OK;
	enum wire_got got = skip_octets(w, w->message);
	if (!got)
		got = next_line(w, &line, &cut);
	if (!got)
		got = skip_command(w, line, "");
	return got == WIRE_BAD ? WIRE_OK : got;
}
