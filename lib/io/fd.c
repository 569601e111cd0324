#include "io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/random.h"

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_write_all(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_skip(s, (size_t)n);
	}
	return 0;
}

ssize_t fd_read_full(int fd, void *p, size_t n)
{
	char *at = p;
	size_t got = 0;

	while (got < n) {
		ssize_t k = read(fd, at + got, n - got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

int fd_read_rest(int fd, struct buf *out)
{
	for (;;) {
		size_t want = 4096;
		if (out->limit && out->n + want > out->limit)
			want = out->limit - out->n;
		if (want == 0) {
			char over;
			ssize_t k = fd_read_full(fd, &over, 1);
			if (k == 1)
				errno = EFBIG;
			return k == 0 ? 0 : -1;
		}
		if (!buf_reserve(out, want))
			return errno = EFBIG, -1;
		ssize_t k = fd_read_full(fd, out->p + out->n, want);
		if (k < 0)
			return -1;
		out->n += (size_t)k;
		if ((size_t)k < want)
			return 0;
	}
}

int fd_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int fd_replace_file(int dir, const char *name, struct str content, mode_t mode)
{
	char temp[300];

	snprintf(temp, sizeof(temp), ".%.240s.%016llx", name, (unsigned long long)random_u64());
	scoped_fd int fd = openat(dir, temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -1;
	if (fd_write_all(fd, content) < 0 || fsync(fd) < 0 || renameat(dir, temp, dir, name) < 0) {
		int saved = errno;
		unlinkat(dir, temp, 0);
		errno = saved;
		return -1;
	}
	return fsync(dir);
}
