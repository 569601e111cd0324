#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/fd.h"
#include "queue/place.h"

/* No flush: the next append's flush covers it, and if a crash undoes it the tail is cut again. */
static bool cut_tail(const struct queue *q, const struct queue_id *id, size_t valid, struct err *err)
{
	struct stat st;
	scoped_fd int fd = place_open(q->env, id->text, O_WRONLY, &st);

	if (fd < 0 || ftruncate(fd, (off_t)valid) < 0)
		return err_errno(err, "cannot cut the torn tail of envelope %s", id->text);
	return true;
}

bool queue_load(const struct queue *q, const struct queue_id *id, struct arena *a, struct env *out, struct err *err)
{
	struct loaded l;
	bool gone;

	if (place_load(q, id, a, &l, &gone, err) != ENV_WHOLE)
		return false;
	*out = l.env;
	return q->mode == QUEUE_READ || l.valid == l.size || cut_tail(q, id, l.valid, err);
}

static int write_fresh_env(const struct queue *q, const struct place *fresh, const struct env *env)
{
	scoped_buf struct buf bytes = { 0 };

	if (!env_encode(env, &bytes))
		return errno = EMSGSIZE, -1;
	unlinkat(fresh->dir, fresh->name, 0); /* of an earlier try */
	scoped_fd int fd = openat(fresh->dir, fresh->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fd_write_all(fd, buf_str(&bytes)) < 0)
		return -1;
	return q->fsync(fd);
}

int queue_rewrite(const struct queue *q, const struct queue_id *id)
{
	scoped_arena struct arena a = { 0 };
	struct place fresh = place_fresh_env(q, id);
	struct env env;

	if (!queue_load(q, id, &a, &env, NULL))
		return errno = EBADMSG, -1;
	env.acknowledged = true;
	if (write_fresh_env(q, &fresh, &env) < 0 || renameat(fresh.dir, fresh.name, q->env, id->text) < 0) {
		int saved = errno;
		unlinkat(fresh.dir, fresh.name, 0);
		errno = saved;
		return -1;
	}
	/* until the new name is durable, an append to it could vanish with it */
	return q->fsync(q->env);
}

int queue_open_content(const struct queue *q, const struct queue_id *id)
{
	struct place p;
	struct stat st;

	if (place_find(q, id, &p, &st) < 0)
		return -1;
	return place_open(p.dir, p.name, O_RDONLY, &st);
}

int queue_check_content(int fd, uint64_t size, uint32_t crc)
{
	char bytes[16384];
	uint32_t seen = 0;
	uint64_t at = 0;

	for (;;) {
		ssize_t n = pread(fd, bytes, sizeof(bytes), (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		seen = crc32c(seen, str_of(bytes, (size_t)n));
		at += (uint64_t)n;
		if (n == 0 || at > size)
			break;
	}
	if (at == size && seen == crc)
		return 0;
	return errno = EBADMSG, -1;
}

int queue_mark(const struct queue *q, const struct queue_id *id, bool deferred, bool held)
{
	struct place to = place_of(q, id, 1 + (size_t)deferred + 2 * (size_t)held);

	for (size_t i = 0; i < PLACES; i++) {
		struct place from = place_of(q, id, i);
		if (renameat(from.dir, from.name, to.dir, to.name) == 0)
			return 0;
		if (errno != ENOENT)
			return -1;
	}
	return -1;
}

int queue_remove(const struct queue *q, const struct queue_id *id)
{
	/* the envelope first: content without one is a leaf, an envelope without content would look like damage */
	if (unlinkat(q->env, id->text, 0) < 0 && errno != ENOENT)
		return -1;
	for (size_t i = 0; i < PLACES; i++) {
		struct place p = place_of(q, id, i);
		if (unlinkat(p.dir, p.name, 0) == 0)
			break;
	}
	return 0;
}
