#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "io/fd.h"
#include "mbox/folder.h"

enum { STALE_LINES_MAX = 1000 };

enum mbox_result mbox_folder_load(const struct mbox_folder *f, struct buf *bytes, struct arena *arena,
				  struct mbox_record *out, struct err *err)
{
	scoped_fd int fd = mbox_file_open(f->dir, MBOX_RECORD, O_RDONLY);
	struct err why = { .at = -1 };

	bytes->limit = MBOX_RECORD_BYTES_MAX;
	if (fd < 0 || fd_read_rest(fd, bytes) < 0)
		return mbox_failed(err, "cannot read %s", MBOX_RECORD);
	why.start = bytes->p;
	if (mbox_record_parse(buf_str(bytes), arena, out, &why))
		return MBOX_OK;
	err_set(err, "%s is damaged at octet %td (%s): restore it, or the folder's UIDs are lost", MBOX_RECORD, why.at,
		why.text);
	return MBOX_REFUSED;
}

/* Written in tmp/, so that what a crash leaves there is swept as any other leftover. */
enum mbox_result mbox_folder_store(const struct mbox_folder *f, const struct mbox_record *r, struct err *err)
{
	scoped_buf struct buf text = { 0 };
	char name[64];

	mbox_record_format(r, &text);
	snprintf(name, sizeof(name), "%s.%016llx", MBOX_RECORD, (unsigned long long)random_u64());
	scoped_fd int fd = mbox_file_open(f->tmp, name, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return mbox_failed(err, "cannot create %s", MBOX_RECORD);
	if (fd_write_all(fd, buf_str(&text)) < 0 || fsync(fd) < 0 || renameat(f->tmp, name, f->dir, MBOX_RECORD) < 0) {
		enum mbox_result result = mbox_failed(err, "cannot write %s", MBOX_RECORD);
		unlinkat(f->tmp, name, 0);
		return result;
	}
	return fsync(f->dir) < 0 ? mbox_flush_failed(err, MBOX_RECORD) : MBOX_OK;
}

/* `after` is the record with the line in it; when the file must be written anew, that is what is written. */
static enum mbox_result append(const struct mbox_folder *f, struct mbox_record *r, struct mbox_record *after,
			       struct str line, struct err *err)
{
	enum mbox_result result = MBOX_OK;

	if (r->torn || r->stale > STALE_LINES_MAX) {
		after->torn = false;
		after->stale = 0;
		result = mbox_folder_store(f, after, err);
	} else {
		scoped_fd int fd = mbox_file_open(f->dir, MBOX_RECORD, O_WRONLY | O_APPEND);
		after->stale++;
		r->torn = true; /* when it fails: at worst half a line, which nobody believes */
		if (fd < 0 || fd_write_all(fd, line) < 0)
			return mbox_failed(err, "cannot add to %s", MBOX_RECORD);
		if (fsync(fd) < 0)
			return mbox_flush_failed(err, MBOX_RECORD);
	}
	if (!result)
		*r = *after;
	return result;
}

enum mbox_result mbox_folder_reserve(const struct mbox_folder *f, struct mbox_record *r, size_t n, struct err *err)
{
	struct mbox_record after = *r;
	scoped_buf struct buf line = { 0 };

	if (__builtin_add_overflow(r->uidnext, n, &after.uidnext)) {
		err_set(err, "the folder has used up its UIDs");
		return MBOX_REFUSED;
	}
	mbox_record_uidnext(after.uidnext, &line);
	return append(f, r, &after, buf_str(&line), err);
}

enum mbox_result mbox_folder_reserve_modseqs(const struct mbox_folder *f, struct mbox_record *r, size_t n,
					     struct err *err)
{
	struct mbox_record after = *r;
	scoped_buf struct buf line = { 0 };

	if (n > MBOX_MODSEQ_MAX - r->modseq) {
		err_set(err, "the folder has used up its modseqs");
		return MBOX_REFUSED;
	}
	after.modseq += n;
	mbox_record_modseq(after.modseq, &line);
	return append(f, r, &after, buf_str(&line), err);
}

enum mbox_result mbox_folder_name_letter(const struct mbox_folder *f, struct mbox_record *r, unsigned letter,
					 struct str name, struct err *err)
{
	struct mbox_record after = *r;
	scoped_buf struct buf line = { 0 };

	after.keywords[letter] = name;
	mbox_record_keyword(letter, name, &line);
	return append(f, r, &after, buf_str(&line), err);
}

enum mbox_result mbox_flush_names(const struct mbox_folder *f, struct err *err)
{
	/* cur/ first: a name that is in neither would be worse than one in both */
	if (fsync(f->cur) == 0 && fsync(f->new) == 0)
		return MBOX_OK;
	return mbox_flush_failed(err, "new names");
}

/*
 * What the one who was killed wrote may be in the page cache only, or, after a failed flush, not even be written any more.
 * So the record is written as a new file, and the names are flushed, before anyone is told of them. What an index
 * thought to have reserved is void now, as it may not know what was given: it sees that by the modseq.
 */
enum mbox_result mbox_folder_recover(const struct mbox_folder *f, struct mbox_record *r, struct err *err)
{
	struct mbox_record after = *r;
	enum mbox_result result = mbox_flush_names(f, err);

	after.modseq += after.modseq < MBOX_MODSEQ_MAX;
	after.torn = false;
	after.stale = 0;
	if (!result)
		result = mbox_folder_store(f, &after, err);
	if (!result)
		*r = after;
	return result;
}
