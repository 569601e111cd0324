#include "body.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "mail/header.h"

enum { HEADER_CHUNK = 16 * 1024, SEND_CHUNK = 32 * 1024 };

void body_forget(struct session *s)
{
	struct body *b = s->body;

	if (!b)
		return;
	fd_close(&b->fd);
	buf_free(&b->bytes);
	arena_free(&b->arena);
	free(b);
	s->body = NULL;
}

struct body *body_open(struct session *s, size_t row)
{
	struct stat st;

	if (s->body && s->body->uid == s->view->rows[row].uid)
		return s->body;
	body_forget(s);
	scoped_fd int fd = mbox_view_file(s->view, row);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	struct body *b = calloc(1, sizeof(*b));
	ASSERT(b);
	b->uid = s->view->rows[row].uid;
	b->fd = fd_take(&fd);
	b->size = (uint64_t)st.st_size;
	s->body = b;
	return b;
}

/* Reads on until there are `n` octets, or the file's end. */
static bool read_to(struct body *b, uint64_t n)
{
	if (n > b->size)
		n = b->size;
	if (b->bytes.n >= n)
		return true;
	size_t more = (size_t)n - b->bytes.n;
	if (!buf_reserve(&b->bytes, more))
		return false;
	ssize_t got = fd_read_full(b->fd, b->bytes.p + b->bytes.n, more);
	if (got > 0)
		b->bytes.n += (size_t)got;
	return got == (ssize_t)more;
}

/* Reads until the header is there with what follows it, or as much of it as counts. */
static bool read_header(struct body *b)
{
	struct header_scan scan = { 0 };
	size_t at = 0;

	for (size_t n = HEADER_CHUNK; scan.stop == HEADER_GOES_ON && at <= HEADER_OCTETS_MAX; n *= 2) {
		if (!read_to(b, n))
			return false;
		header_scan(&scan, str_skip(buf_str(&b->bytes), at));
		at = b->bytes.n;
		if (at == b->size)
			header_scan_end(&scan);
	}
	return read_to(b, scan.length + 2);
}

/* As lib/mail has it in the tree: an empty line with CRLF ends the header too. */
bool body_header(struct body *b, struct str *header)
{
	struct header_field f;

	if (!b->header_known) {
		if (!read_header(b))
			return false;
		struct header_iter it = header_begin(buf_str(&b->bytes));
		while (header_next(&it, &f))
			;
		b->header = it.at + (it.stop == HEADER_NO_FIELD && str_starts(it.rest, STR("\r\n")) ? 2 : 0);
		b->ended_well = it.stop != HEADER_END_OF_MESSAGE;
		b->header_known = true;
	}
	*header = str_head(buf_str(&b->bytes), b->header);
	return true;
}

bool body_whole(struct body *b, struct str *message)
{
	if (b->size > BODY_TREE_MAX)
		return errno = EFBIG, false;
	if (!read_to(b, b->size))
		return false;
	*message = buf_str(&b->bytes);
	return true;
}

bool body_tree(struct body *b, struct str *message, const struct mime_part **root)
{
	if (!body_whole(b, message))
		return false;
	if (!b->root)
		b->root = mime_parse(*message, &b->arena);
	*root = b->root;
	return true;
}

/* A walk over an extent in chunks, from memory where it is there already. */
struct walk {
	struct body *body;
	const struct extent *x;
	uint64_t at; /* in the file, or in the text */
	struct buf chunk;
};

/* The next chunk; an empty one at the end. False: the file is shorter than it was. */
static bool walk_next(struct walk *k, struct str *chunk)
{
	struct body *b = k->body;
	uint64_t end = k->x->made ? k->x->text.n : k->x->to;
	size_t n = end - k->at < SEND_CHUNK ? (size_t)(end - k->at) : SEND_CHUNK;

	if (k->x->made || k->at + n <= b->bytes.n) {
		*chunk = str_head(str_skip(k->x->made ? k->x->text : buf_str(&b->bytes), (size_t)k->at), n);
	} else {
		buf_reserve(&k->chunk, n);
		if (pread(b->fd, k->chunk.p, n, (off_t)k->at) != (ssize_t)n)
			return false;
		*chunk = str_of(k->chunk.p, n);
	}
	k->at += n;
	return true;
}

static uint64_t count_bare(struct str s, char *last)
{
	uint64_t n = 0;

	if (s.n == 0)
		return 0;
	for (const char *at = s.p, *end = s.p + s.n; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		n += (at == s.p ? *last : at[-1]) != '\r';
	*last = s.p[s.n - 1];
	return n;
}

static bool measure(struct body *b, const struct extent *x, uint64_t *size)
{
	struct walk k = { .body = b, .x = x, .at = x->made ? 0 : x->from };
	struct str chunk;
	char last = 0;
	bool ok;

	*size = 0;
	while ((ok = walk_next(&k, &chunk)) && chunk.n > 0)
		*size += chunk.n + count_bare(chunk, &last);
	buf_free(&k.chunk);
	return ok;
}

static bool is_marked(const struct body *b, const struct extent *x)
{
	return !x->made && b->mark.valid && b->mark.from == x->from && b->mark.to == x->to;
}

bool extent_size(struct body *b, const struct extent *x, uint64_t *size)
{
	if (is_marked(b, x)) {
		*size = b->mark.size;
		return true;
	}
	/* a small file is read at once: counting and sending then need no further call */
	if (!x->made && b->size <= BODY_WHOLE_MAX && !read_to(b, b->size))
		return false;
	if (!measure(b, x, size))
		return false;
	if (!x->made)
		b->mark = (struct mark){ .valid = true, .from = x->from, .to = x->to, .size = *size, .file = x->from };
	return true;
}

struct sender {
	struct wire *wire;
	uint64_t at;	   /* of the next octet in the extent as it is on the wire */
	uint64_t from, to; /* the octets that are wanted */
	char last;
};

static void add_without_nul(struct buf *out, struct str s)
{
	size_t begin = out->n;

	buf_add(out, s);
	for (char *p; begin < out->n && (p = memchr(out->p + begin, '\0', out->n - begin));)
		*p = (char)0x80;
}

static void send_octets(struct sender *e, struct str s)
{
	uint64_t from = e->from > e->at ? e->from - e->at : 0;
	uint64_t to = e->to - e->at < s.n ? e->to - e->at : s.n;

	if (from < to)
		add_without_nul(&e->wire->out, str_head(str_skip(s, (size_t)from), (size_t)(to - from)));
	e->at += to; /* never past e->to: no more is wanted */
}

static void send_text(struct sender *e, struct str s)
{
	while (s.n > 0 && e->at < e->to) {
		ptrdiff_t lf = str_find(s, '\n');
		struct str run = lf < 0 ? s : str_head(s, (size_t)lf);
		send_octets(e, run);
		if (run.n > 0)
			e->last = run.p[run.n - 1];
		if (lf < 0)
			return;
		send_octets(e, e->last == '\r' ? STR("\n") : STR("\r\n"));
		e->last = '\n';
		s = str_skip(s, run.n + 1);
	}
}

bool extent_send(struct body *b, const struct extent *x, uint64_t from, uint64_t to, struct wire *w)
{
	struct sender e = { .wire = w, .from = from, .to = to };
	struct walk k = { .body = b, .x = x, .at = x->made ? 0 : x->from };
	bool marked = is_marked(b, x), ok = true;
	struct str chunk;

	if (marked && b->mark.at <= from) {
		e.at = b->mark.at;
		e.last = b->mark.last;
		k.at = b->mark.file;
	}
	while (e.at < to && !w->broken) {
		if (marked) {
			b->mark.at = e.at;
			b->mark.file = k.at;
			b->mark.last = e.last;
		}
		ok = walk_next(&k, &chunk) && chunk.n > 0;
		if (!ok)
			break;
		send_text(&e, chunk);
		wire_tide(w);
	}
	buf_free(&k.chunk);
	return ok;
}
