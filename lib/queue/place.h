/* place - where an entry's files may lie: names inside the queue's folders. For this library alone. */
#ifndef QUEUE_PLACE_H
#define QUEUE_PLACE_H

#include <dirent.h>
#include <sys/stat.h>

#include "queue/queue.h"

/* One of the names that a content may have: new/ID, or cur/ID with its flag letters. */
struct place {
	int dir;
	char name[QUEUE_ID_MOST + 8];
};

enum { PLACES = 5 };

/* The i-th of PLACES. */
struct place place_of(const struct queue *q, const struct queue_id *id, size_t i);
/* The place under which the content lies now. -1 with errno, ENOENT when under none. */
int place_find(const struct queue *q, const struct queue_id *id, struct place *out, struct stat *st);
/* Opens a regular file, never through a link. -1 with errno; EISDIR when it is anything else. */
int place_open(int dir, const char *name, int flags, struct stat *st);
/* A stream of its own over the folder, from its start; the caller's. NULL with errno. */
DIR *place_list(int dir);

/* The name of the file in tmp/ that will replace an envelope. */
struct place place_fresh_env(const struct queue *q, const struct queue_id *id);

/* The envelope of `id`, read and decoded; all lies in the arena. */
struct loaded {
	struct env env;
	size_t size, valid; /* bytes in the file, bytes that count */
};
/* ENV_DAMAGED with err also when it cannot be read; *gone when there is none. */
enum env_verdict place_load(const struct queue *q, const struct queue_id *id, struct arena *a, struct loaded *out,
			    bool *gone, struct err *err);

#endif
