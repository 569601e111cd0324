#include "queue/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "io/fd.h"

struct place place_of(const struct queue *q, const struct queue_id *id, size_t i)
{
	static const char *const suffixes[PLACES] = { "", ":2,", ":2,d", ":2,h", ":2,dh" };
	struct place p = { .dir = i == 0 ? q->new : q->cur };

	snprintf(p.name, sizeof(p.name), "%s%s", id->text, suffixes[i]);
	return p;
}

int place_find(const struct queue *q, const struct queue_id *id, struct place *out, struct stat *st)
{
	for (size_t i = 0; i < PLACES; i++) {
		*out = place_of(q, id, i);
		if (fstatat(out->dir, out->name, st, AT_SYMLINK_NOFOLLOW) == 0)
			return 0;
		if (errno != ENOENT)
			return -1;
	}
	return -1;
}

struct place place_fresh_env(const struct queue *q, const struct queue_id *id)
{
	struct place p = { .dir = q->tmp };

	snprintf(p.name, sizeof(p.name), "%s.env", id->text);
	return p;
}

int place_open(int dir, const char *name, int flags, struct stat *st)
{
	/* O_NONBLOCK: a fifo of that name must not make us wait */
	scoped_fd int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return -1;
	if (!S_ISREG(st->st_mode))
		return errno = EISDIR, -1;
	return fd_take(&fd);
}

DIR *place_list(int dir)
{
	scoped_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d)
		fd_take(&fd);
	return d;
}

static bool read_env(int fd, size_t size, struct arena *a, struct str *out, struct err *err)
{
	if (size > ENV_BYTES_MAX)
		return err_set(err, "envelope of %zu bytes", size);
	char *p = arena_try(a, size);
	if (!p)
		return err_set(err, "no room for an envelope of %zu bytes", size);
	ssize_t n = fd_read_full(fd, p, size);
	if (n < 0)
		return err_errno(err, "cannot read the envelope");
	*out = str_of(p, (size_t)n);
	return true;
}

enum env_verdict place_load(const struct queue *q, const struct queue_id *id, struct arena *a, struct loaded *out,
			    bool *gone, struct err *err)
{
	struct stat st;
	struct str bytes;
	scoped_fd int fd = place_open(q->env, id->text, O_RDONLY, &st);

	*out = (struct loaded){ 0 };
	*gone = fd < 0 && errno == ENOENT;
	if (fd < 0) {
		err_errno(err, "cannot open the envelope");
		return ENV_DAMAGED;
	}
	if (!read_env(fd, (size_t)st.st_size, a, &bytes, err))
		return ENV_DAMAGED;
	out->size = bytes.n;
	return env_decode(id, bytes, a, &out->env, &out->valid, err);
}
