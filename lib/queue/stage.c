#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "io/fd.h"
#include "queue/place.h"

/* Up to here each file is flushed by itself; beyond, one flush of the file system is cheaper and serves all. */
enum { FSYNC_MOST = 2 };

static int create(int dir, const char *name)
{
	return openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int queue_tmp_create(const struct queue *q, const struct queue_id *id)
{
	return create(q->tmp, id->text);
}

void queue_tmp_discard(const struct queue *q, const struct queue_id *id)
{
	unlinkat(q->tmp, id->text, 0);
}

static int stage_env(const struct queue *q, const struct env *env, struct queue_write *w)
{
	scoped_buf struct buf bytes = { 0 };

	if (!env_encode(env, &bytes))
		return errno = EMSGSIZE, -1;
	w->env_bytes = bytes.n;
	w->env = create(q->env, env->id.text);
	w->new_env = w->env >= 0;
	return w->new_env ? fd_write_all(w->env, buf_str(&bytes)) : -1;
}

static int write_content(const struct str *content, size_t n, int fd, struct env *env)
{
	env->content_size = 0;
	env->content_crc = 0;
	for (size_t i = 0; i < n; i++) {
		env->content_size += content[i].n;
		env->content_crc = crc32c(env->content_crc, content[i]);
		if (fd_write_all(fd, content[i]) < 0)
			return -1;
	}
	return 0;
}

static int give_up(const struct queue *q, struct queue_write *w)
{
	int saved = errno;

	queue_unstage(q, w);
	errno = saved;
	return -1;
}

int queue_stage(const struct queue *q, struct env *env, const struct str *content, size_t n, struct queue_write *w)
{
	*w = (struct queue_write){ .id = env->id, .env = -1 };
	w->content = create(q->new, env->id.text);
	if (w->content < 0)
		return -1;
	w->new_content = true;
	if (write_content(content, n, w->content, env) < 0 || stage_env(q, env, w) < 0)
		return give_up(q, w);
	return 0;
}

/*
 * Its writer may be taken over and keep a descriptor, to change the message behind our back. A read lease is refused
 * exactly while a writable descriptor or mapping exists, in flight between processes too; no new one can come,
 * because only we can open the name.
 */
static int refuse_writers(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		return fcntl(fd, F_SETLEASE, F_UNLCK);
	if (errno == EAGAIN)
		errno = EBUSY;
	return -1;
}

int queue_tmp_open(const struct queue *q, const struct queue_id *id)
{
	struct stat st;
	scoped_fd int fd = place_open(q->tmp, id->text, O_RDONLY, &st);

	return fd >= 0 && refuse_writers(fd) == 0 ? fd_take(&fd) : -1;
}

static int take_tmp(const struct queue *q, struct env *env, struct queue_write *w)
{
	struct stat st;

	w->content = queue_tmp_open(q, &env->id);
	if (w->content < 0 || fstat(w->content, &st) < 0)
		return -1;
	env->content_size = (uint64_t)st.st_size;
	/* a link, unlike a rename, never replaces what lies there */
	if (linkat(q->tmp, env->id.text, q->new, env->id.text, 0) < 0)
		return -1;
	w->new_content = w->linked = true;
	return unlinkat(q->tmp, env->id.text, 0);
}

int queue_stage_tmp(const struct queue *q, struct env *env, struct queue_write *w)
{
	*w = (struct queue_write){ .id = env->id, .content = -1, .env = -1 };
	if (take_tmp(q, env, w) == 0 && stage_env(q, env, w) == 0)
		return 0;
	int saved = errno;
	queue_tmp_discard(q, &env->id);
	errno = saved;
	return give_up(q, w);
}

int queue_stage_progress(const struct queue *q, const struct queue_id *id, struct str records, struct queue_write *w)
{
	struct stat st;

	*w = (struct queue_write){ .id = *id, .content = -1 };
	w->env = place_open(q->env, id->text, O_WRONLY | O_APPEND, &st);
	if (w->env < 0)
		return -1;
	w->env_bytes = (size_t)st.st_size + records.n;
	if (w->env_bytes > ENV_BYTES_MAX) {
		errno = EFBIG;
		return give_up(q, w);
	}
	if (fd_write_all(w->env, records) < 0) {
		int saved = errno;
		/* if even this fails, queue_load cuts the half record */
		(void)!ftruncate(w->env, st.st_size);
		errno = saved;
		return give_up(q, w);
	}
	return 0;
}

static int flush_each(const struct queue *q, const struct queue_write *w, size_t n)
{
	bool new_names = false, env_names = false;

	for (size_t i = 0; i < n; i++) {
		if (w[i].content >= 0 && q->fsync(w[i].content) < 0)
			return -1;
		if (q->fsync(w[i].env) < 0)
			return -1;
		new_names |= w[i].new_content && (w[i].linked || !q->names_by_fsync);
		env_names |= w[i].new_env && !q->names_by_fsync;
	}
	if (new_names && q->fsync(q->new) < 0)
		return -1;
	return env_names ? q->fsync(q->env) : 0;
}

/*
 * The descriptors stay open from the write to the flush, because an error of writing back is told to those who had
 * the file open then; opened afresh, it may be forgotten. syncfs tells such errors since Linux 5.8.
 */
int queue_flush(const struct queue *q, struct queue_write *w, size_t n)
{
	int rc = n <= FSYNC_MOST ? flush_each(q, w, n) : q->syncfs(q->dir);

	for (size_t i = 0; i < n; i++) {
		fd_close(&w[i].content);
		fd_close(&w[i].env);
	}
	return rc;
}

void queue_unstage(const struct queue *q, struct queue_write *w)
{
	fd_close(&w->content);
	fd_close(&w->env);
	/* only what this write created: the same name may be another entry's */
	if (w->new_env)
		unlinkat(q->env, w->id.text, 0);
	if (w->new_content)
		unlinkat(q->new, w->id.text, 0);
}

int queue_progress(const struct queue *q, const struct queue_id *id, struct str records)
{
	struct queue_write w;

	if (queue_stage_progress(q, id, records, &w) < 0)
		return -1;
	return queue_flush(q, &w, 1);
}
