#include "mbox/texts.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"
#include "mail/header.h"
#include "mail/imap.h"
#include "mbox/view.h"

void mbox_texts_free(struct mbox_texts *t)
{
	buf_free(&t->envelope);
	buf_free(&t->structure);
	*t = (struct mbox_texts){ 0 };
}

static struct str header_of(struct str message)
{
	struct header_iter it = header_begin(message);
	struct header_field field;

	while (header_next(&it, &field))
		;
	return str_head(message, it.at);
}

void mbox_texts_of(struct str message, unsigned want, struct mbox_texts *out)
{
	scoped_arena struct arena arena = { 0 };

	if (want & WANT_ENVELOPE) {
		buf_reset(&out->envelope);
		imap_envelope(header_of(message), &out->envelope);
		out->has_envelope = true;
	}
	if (want & (WANT_STRUCTURE | WANT_BODY)) {
		buf_reset(&out->structure);
		imap_structure(message, mime_parse(message, &arena), true, &out->structure);
		out->has_structure = true;
	}
}

/* Whether the header ends within what was read. */
static bool has_header(struct str start)
{
	struct header_iter it = header_begin(start);
	struct header_field field;

	while (header_next(&it, &field))
		;
	return it.stop != HEADER_END_OF_MESSAGE && (it.stop != HEADER_NO_FIELD || it.rest.n > 0);
}

static int read_start(int fd, size_t most, struct buf *out)
{
	buf_reserve(out, most);
	while (out->n < most) {
		ssize_t n = pread(fd, out->p + out->n, most - out->n, (off_t)out->n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		out->n += (size_t)n;
	}
	return 0;
}

/* A large one is not copied: its pages can be given back when memory is short. */
static int read_mapped(int fd, size_t size, unsigned want, struct mbox_texts *out)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	mbox_texts_of(str_of(p, size), want, out);
	munmap(p, size);
	return 0;
}

int mbox_texts_read(int fd, unsigned want, struct mbox_texts *out)
{
	scoped_buf struct buf start = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	size_t size = (size_t)st.st_size;
	bool header_only = !(want & (WANT_STRUCTURE | WANT_BODY));
	if (header_only && size > MBOX_HEADER_FIRST) {
		if (read_start(fd, MBOX_HEADER_FIRST, &start) < 0)
			return -1;
		if (has_header(buf_str(&start))) {
			mbox_texts_of(buf_str(&start), want, out);
			return 0;
		}
		buf_reset(&start);
	}
	if (size > MBOX_MAPPED_FROM)
		return read_mapped(fd, size, want, out);
	if (read_start(fd, size, &start) < 0)
		return -1;
	mbox_texts_of(buf_str(&start), want, out);
	return 0;
}
