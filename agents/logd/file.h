/*
 * file - the log file: appended to, kept under its size limit, opened again when somebody else renamed it.
 *
 * What cannot be written (a full disk) is dropped and counted; the caller says so when there is room again.
 */
#ifndef LOGD_FILE_H
#define LOGD_FILE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"

struct log_file {
	int dir;	  /* its folder, not owned */
	const char *name; /* in it; NULL: fd is standard output, neither rotated nor opened again */
	int fd;
	dev_t device;
	ino_t inode;
	int64_t size_limit, count; /* of renamed files that are kept */
	int64_t size, checked_ms;
	bool torn; /* the last octet written is not a line's end */
};

/* -1 with errno. */
int log_file_open(struct log_file *f);
/*
 * Writes whole lines. How many of them are on file; fewer than all: errno says why, the rest is lost and a line that was
 * begun will be ended before the next one.
 */
size_t log_file_write(struct log_file *f, struct str lines, int64_t now_ms);

#endif
