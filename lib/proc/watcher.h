/*
 * watcher - which of many folders has changed: one inotify instance for all sessions that sleep, since a uid has only 128.
 *
 * A folder comes as a descriptor that its user had open behind the user's own walls, so no path is followed here.
 */
#ifndef PROC_WATCHER_H
#define PROC_WATCHER_H

#include "base/hash.h"
#include "io/loop.h"

struct watcher {
	struct loop *loop;
	int fd; /* -1: the kernel has none to give */
	struct watch watch;
	struct table by_number; /* of struct watched */
};

enum { WATCH_PAIR = 2 };

/* Who waits for a pair of folders; embedded in whoever waits. {0} waits for none. */
struct watch_pair {
	struct watched *folders[WATCH_PAIR];
	struct watch_pair *next[WATCH_PAIR], **prev[WATCH_PAIR];
	void (*changed)(struct watch_pair *pair); /* once; the pair waits for nothing any more when it is called */
};

void watcher_start(struct watcher *w, struct loop *loop);
/* False: no (more) folders can be watched; the pair waits for none then. */
bool watcher_add(struct watcher *w, struct watch_pair *pair, const int folders[WATCH_PAIR]);
void watcher_remove(struct watcher *w, struct watch_pair *pair);

#endif
