#include "proc/watcher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/err.h"

/* A change of flags renames in cur/, a delivery moves into new/; a folder that is removed is news too. */
enum { EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR };

/* A folder, and the pairs that wait for it. */
struct watched {
	int number;
	struct watch_pair *pairs[WATCH_PAIR]; /* by the place that the folder has in the pair */
};

static struct str key_of(const int *number)
{
	return str_of(number, sizeof(*number));
}

static void forget_folder(struct watcher *w, struct watched *f)
{
	for (size_t i = 0; i < WATCH_PAIR; i++)
		if (f->pairs[i])
			return;
	inotify_rm_watch(w->fd, f->number);
	table_remove(&w->by_number, key_of(&f->number));
	free(f);
}

void watcher_remove(struct watcher *w, struct watch_pair *pair)
{
	for (size_t i = 0; i < WATCH_PAIR; i++) {
		struct watched *f = pair->folders[i];
		if (!f)
			continue;
		*pair->prev[i] = pair->next[i];
		if (pair->next[i])
			pair->next[i]->prev[i] = pair->prev[i];
		pair->folders[i] = NULL;
		forget_folder(w, f);
	}
}

static void tell_pairs(struct watcher *w, int number)
{
	struct watched *f;

	/* With its last pair the folder goes; each pair that is told leaves it. */
	while ((f = table_get(&w->by_number, key_of(&number)))) {
		struct watch_pair *pair = f->pairs[0] ? f->pairs[0] : f->pairs[1];
		watcher_remove(w, pair);
		pair->changed(pair);
	}
}

/* After an overflow nobody knows who missed what: all look for themselves. */
static void tell_all(struct watcher *w)
{
	size_t at = 0;
	void *value;

	while (table_next(&w->by_number, &at, NULL, &value)) {
		tell_pairs(w, ((struct watched *)value)->number);
		at = 0;
	}
}

static void on_events(void *arg, int what)
{
	struct watcher *w = arg;
	_Alignas(struct inotify_event) char room[16 * 1024];
	ssize_t n = read(w->fd, room, sizeof(room));

	(void)what;
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(room + at);
		if (e->mask & IN_Q_OVERFLOW)
			tell_all(w);
		else if (!(e->mask & IN_IGNORED)) /* the answer to our own rm_watch; its number may be another's soon */
			tell_pairs(w, e->wd);
		at += (ssize_t)(sizeof(*e) + e->len);
	}
}

void watcher_start(struct watcher *w, struct loop *loop)
{
	w->loop = loop;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd >= 0)
		watch_set(&w->watch, loop, w->fd, WATCH_READ, on_events, w);
}

static struct watched *folder_of(struct watcher *w, int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int number = inotify_add_watch(w->fd, path, EVENTS);
	if (number < 0)
		return NULL;
	struct watched *f = table_get(&w->by_number, key_of(&number));
	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	ASSERT(f);
	f->number = number;
	table_set(&w->by_number, key_of(&number), f);
	return f;
}

bool watcher_add(struct watcher *w, struct watch_pair *pair, const int folders[WATCH_PAIR])
{
	watcher_remove(w, pair);
	for (size_t i = 0; i < WATCH_PAIR; i++) {
		struct watched *f = w->fd >= 0 ? folder_of(w, folders[i]) : NULL;
		if (!f) {
			watcher_remove(w, pair);
			return false;
		}
		pair->folders[i] = f;
		pair->next[i] = f->pairs[i];
		pair->prev[i] = &f->pairs[i];
		if (pair->next[i])
			pair->next[i]->prev[i] = &pair->next[i];
		f->pairs[i] = pair;
	}
	return true;
}
