#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fd.h"

enum { CHECK_MS = 1000, NAME_ROOM = 300 };

int log_file_open(struct log_file *f)
{
	struct stat st;
	int fd = openat(f->dir, f->name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	fd_close(&f->fd);
	f->fd = fd;
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->size = st.st_size;
	f->torn = false;
	return 0;
}

static void rename_number(const struct log_file *f, int64_t from)
{
	char old[NAME_ROOM], new[NAME_ROOM];

	snprintf(old, sizeof(old), from ? "%s.%lld" : "%s", f->name, (long long)from);
	snprintf(new, sizeof(new), "%s.%lld", f->name, (long long)from + 1);
	renameat(f->dir, old, f->dir, new);
}

/* NAME.4 becomes NAME.5 and so on, NAME becomes NAME.1: the oldest is replaced. If it fails the old one goes on. */
static void rotate(struct log_file *f)
{
	for (int64_t i = f->count; i-- > 0;)
		rename_number(f, i);
	log_file_open(f);
}

/* Somebody else's logrotate: the name stands for another file now, or for none; or the file was cut. */
static void look_again(struct log_file *f)
{
	struct stat st;

	if (fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != f->device || st.st_ino != f->inode)
		log_file_open(f);
	else
		f->size = st.st_size;
}

static size_t count_lines(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static size_t write_some(int fd, struct str s)
{
	size_t done = 0;

	while (done < s.n) {
		ssize_t n = write(fd, s.p + done, s.n - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

size_t log_file_write(struct log_file *f, struct str lines, int64_t now_ms)
{
	if (f->name && now_ms - f->checked_ms >= CHECK_MS) {
		look_again(f);
		f->checked_ms = now_ms;
	}
	if (f->name && f->size >= f->size_limit)
		rotate(f);
	if (f->torn && write_some(f->fd, STR("\n")) == 0)
		return 0;
	f->torn = false;
	size_t done = write_some(f->fd, lines);
	f->size += (int64_t)done;
	f->torn = done > 0 && lines.p[done - 1] != '\n';
	return count_lines(str_head(lines, done));
}
