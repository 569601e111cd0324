#include "mbox/fresh.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/name.h"
#include "mbox/texts.h"
#include "mbox/view.h"

#define FRESH "tayori-new"

/* Before stem, envelope and structure. */
struct head {
	char magic[4];
	uint32_t sum; /* CRC-32C of all behind it */
	int64_t size;
	uint32_t stem_n, envelope_n, structure_n, spare;
};

static const char magic[4] = { 't', 'n', 'w', '1' };

void mbox_fresh_format(const struct mbox_fresh_texts *t, struct buf *out)
{
	size_t start = out->n;
	struct head head = { .size = t->size,
			     .stem_n = (uint32_t)t->stem.n,
			     .envelope_n = (uint32_t)t->envelope.n,
			     .structure_n = (uint32_t)t->structure.n };

	memcpy(head.magic, magic, sizeof(magic));
	buf_add(out, str_of(&head, sizeof(head)));
	buf_add(out, t->stem);
	buf_add(out, t->envelope);
	buf_add(out, t->structure);
	size_t from = start + offsetof(struct head, size);
	head.sum = crc32c(0, str_of(out->p + from, out->n - from));
	memcpy(out->p + start, &head, sizeof(head));
}

static struct str take(struct str *s, size_t n)
{
	struct str out = str_head(*s, n);

	*s = str_skip(*s, n);
	return out;
}

/* A record at the beginning of *s, whole and right. */
static bool parse_one(struct str *s, struct mbox_fresh_texts *out)
{
	struct head head;
	struct str rest = *s;

	if (rest.n < sizeof(head))
		return false;
	memcpy(&head, rest.p, sizeof(head));
	size_t n = (size_t)head.stem_n + head.envelope_n + head.structure_n, from = offsetof(struct head, size);
	if (memcmp(head.magic, magic, sizeof(magic)) != 0 || n > rest.n - sizeof(head) ||
	    head.sum != crc32c(0, str_of(rest.p + from, sizeof(head) - from + n)))
		return false;
	rest = str_skip(rest, sizeof(head));
	out->size = head.size;
	out->stem = take(&rest, head.stem_n);
	out->envelope = take(&rest, head.envelope_n);
	out->structure = take(&rest, head.structure_n);
	*s = rest;
	return true;
}

void mbox_fresh_parse(struct str bytes, struct mbox_fresh *out)
{
	struct mbox_fresh_texts t;

	while (parse_one(&bytes, &t)) {
		/* it goes to the client as it is */
		if (!mbox_is_one_list(t.envelope) || !mbox_is_one_list(t.structure))
			continue;
		struct mbox_fresh_texts *kept = arena_alloc(&out->arena, sizeof(*kept));
		*kept = t;
		table_set(&out->by_stem, t.stem, kept);
	}
}

static void write_record(const struct mbox_folder *f, struct str record)
{
	scoped_fd int fd = mbox_file_open(f->dir, FRESH, O_WRONLY | O_APPEND | O_CREAT);
	struct stat st;

	/* one write: records of others stand before or behind it */
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size + (off_t)record.n <= MBOX_FRESH_BYTES_MAX)
		(void)!write(fd, record.p, record.n);
}

void mbox_fresh_add(const struct mbox_folder *f, struct str stem, int fd, int64_t size)
{
	scoped_texts struct mbox_texts texts = { 0 };
	scoped_buf struct buf record = { 0 };

	if (size > MBOX_FRESH_MESSAGE_MAX || mbox_texts_read(fd, WANT_ENVELOPE | WANT_STRUCTURE, &texts) < 0)
		return;
	struct mbox_fresh_texts t = { size, stem, buf_str(&texts.envelope), buf_str(&texts.structure) };
	if (t.envelope.n > MBOX_FRESH_TEXT_MAX || t.structure.n > MBOX_FRESH_TEXT_MAX)
		return;
	mbox_fresh_format(&t, &record);
	write_record(f, buf_str(&record));
}

void mbox_fresh_drop(const struct mbox_folder *f)
{
	unlinkat(f->dir, FRESH, 0);
}

void mbox_fresh_take(const struct mbox_folder *f, struct mbox_fresh *out)
{
	char aside[40];

	*out = (struct mbox_fresh){ 0 };
	snprintf(aside, sizeof(aside), FRESH ".%016llx", (unsigned long long)random_u64());
	if (renameat(f->dir, FRESH, f->tmp, aside) < 0)
		return;
	scoped_fd int fd = mbox_file_open(f->tmp, aside, O_RDONLY);
	unlinkat(f->tmp, aside, 0);
	out->bytes.limit = MBOX_FRESH_BYTES_MAX + (MBOX_FRESH_BYTES_MAX >> 2); /* writers at the same time pass it by a record each */
	if (fd >= 0 && fd_read_rest(fd, &out->bytes) == 0)
		mbox_fresh_parse(buf_str(&out->bytes), out);
}

void mbox_fresh_free(struct mbox_fresh *fresh)
{
	buf_free(&fresh->bytes);
	table_free(&fresh->by_stem);
	arena_free(&fresh->arena);
}

const struct mbox_fresh_texts *mbox_fresh_find(const struct mbox_fresh *fresh, struct str stem, int64_t size)
{
	const struct mbox_fresh_texts *t = table_get(&fresh->by_stem, stem);

	return t && t->size == size ? t : NULL;
}
