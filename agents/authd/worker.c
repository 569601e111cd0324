#include "worker.h"

#include <crypt.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/random.h"
#include "io/fd.h"

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct task *todo, **todo_end, *done;
	size_t waiting;
	int bell[2]; /* a byte: something is done */
	struct watch watch;
};

/* Compared in a time that tells nothing of where they differ. */
static bool verify(struct crypt_data *data, const struct task *t)
{
	const char *got = crypt_rn(t->password, t->hash, data, sizeof(*data));
	size_t n = got ? strlen(got) : 0;
	uint8_t differ = !got || n != strlen(t->hash);

	for (size_t i = 0; i < n && i < WORKER_HASH_MAX; i++)
		differ |= (uint8_t)(got[i] ^ t->hash[i]);
	explicit_bzero(data, sizeof(*data));
	return !differ;
}

static struct task *take(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->todo)
		pthread_cond_wait(&w->more, &w->lock);
	struct task *t = w->todo;
	w->todo = t->next;
	if (!w->todo)
		w->todo_end = &w->todo;
	pthread_mutex_unlock(&w->lock);
	return t;
}

static void *work(void *arg)
{
	struct workers *w = arg;
	struct crypt_data *data = calloc(1, sizeof(*data));

	ASSERT(data);
	for (;;) {
		struct task *t = take(w);
		t->matches = verify(data, t);
		explicit_bzero(t->password, sizeof(t->password));
		pthread_mutex_lock(&w->lock);
		t->next = w->done;
		w->done = t;
		pthread_mutex_unlock(&w->lock);
		(void)!write(w->bell[1], "", 1);
	}
	return NULL;
}

static void bell_rings(void *arg, int what)
{
	struct workers *w = arg;
	char bytes[64];

	(void)what;
	(void)!read(w->bell[0], bytes, sizeof(bytes));
	pthread_mutex_lock(&w->lock);
	struct task *t = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);
	while (t) {
		struct task *next = t->next;
		w->waiting--;
		t->done(t);
		t = next;
	}
}

struct workers *workers_start(struct loop *loop, int n)
{
	struct workers *w = calloc(1, sizeof(*w));
	pthread_attr_t attr;
	pthread_t thread;

	ASSERT(w);
	w->todo_end = &w->todo;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->more, NULL);
	if (pipe2(w->bell, O_CLOEXEC | O_NONBLOCK) < 0)
		panic("pipe: %m");
	watch_set(&w->watch, loop, w->bell[0], WATCH_READ, bell_rings, w);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (int i = 0; i < n; i++)
		if (pthread_create(&thread, &attr, work, w) != 0)
			panic("no thread for hashing");
	pthread_attr_destroy(&attr);
	return w;
}

bool workers_put(struct workers *w, struct task *task)
{
	if (w->waiting >= WORKER_TASKS_MAX)
		return false;
	w->waiting++;
	task->next = NULL;
	pthread_mutex_lock(&w->lock);
	*w->todo_end = task;
	w->todo_end = &task->next;
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	return true;
}

void worker_dummy_hash(struct str example, char out[WORKER_HASH_MAX])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], random[33];
	uint8_t noise[16];
	struct crypt_data *data = calloc(1, sizeof(*data));

	ASSERT(data);
	random_bytes(noise, sizeof(noise));
	hex_encode(noise, sizeof(noise), random);
	snprintf(setting, sizeof(setting), "%.*s", STR_ARG(example));
	/* an example's own salt keeps its cost; its hash is of something else */
	const char *made = example.n ? crypt_rn(random, setting, data, sizeof(*data)) : NULL;
	if (!made && crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)))
		made = crypt_rn(random, setting, data, sizeof(*data));
	snprintf(out, WORKER_HASH_MAX, "%s", made ? made : "*");
	free(data);
}
