/* fd - descriptors that close with their scope, and whole reads and writes. */
#ifndef IO_FD_H
#define IO_FD_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define scoped_fd __attribute__((cleanup(fd_close)))

/* Closes *fd unless it is negative, and makes it -1. */
void fd_close(int *fd);
/* Lets the descriptor escape its scope. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Writes all of `s`, whatever the interruptions. 0, or -1 with errno. */
int fd_write_all(int fd, struct str s);
/* Reads until `n` bytes or the end: how many came, or -1 with errno. */
ssize_t fd_read_full(int fd, void *p, size_t n);
/* Appends the file's bytes from the current offset to its end. 0, or -1 with errno; EFBIG when over out->limit. */
int fd_read_rest(int fd, struct buf *out);
/* Sets O_NONBLOCK. 0, or -1 with errno. */
int fd_nonblocking(int fd);

/*
 * Replaces the file `name` in the folder `dir` by `content`, durably: a temporary file beside it, fsync, rename, fsync
 * of the folder. After success the new content is on disk; after failure (-1, errno) the old one stands.
 */
int fd_replace_file(int dir, const char *name, struct str content, mode_t mode);

#endif
