/*
 * entries - all messages in the queue, as the few facts that a schedule needs: about 150 octets each, by id and by time.
 */
#ifndef QMGR_ENTRIES_H
#define QMGR_ENTRIES_H

#include "base/heap.h"
#include "queue/queue.h"

enum { ENTRY_SITES = 3 };

struct entry {
	struct queue_id id; /* first: see id_tree.h */
	bool held : 1;
	bool checked : 1; /* its content is what was committed */
	bool again : 1;	  /* a delivery may have happened of which nobody knows */
	bool stuck : 1;	  /* its progress could not be written: the envelope is rewritten before the next try */
	bool damaged : 1; /* for a person to look at; never tried */
	bool expire : 1;  /* somebody wants it given up now */
	bool more_sites : 1;
	uint8_t broken; /* deliveries in a row that ended without a result */
	uint32_t attempts;
	uint32_t sites[ENTRY_SITES]; /* hashes of its recipients' domains, 0: none */
	int64_t arrival_us, next_try_us;
	uint64_t size;
	struct heap_node due; /* while it waits: by monotonic time */
	struct work *work;    /* while it is loaded */
};

struct entries {
	void *tree;
	struct heap due;
	size_t n;
};

struct entry *entries_add(struct entries *all, const struct queue_facts *facts, const struct env *env);
/* Takes it out of memory. */
void entries_forget(struct entries *all, struct entry *e);
struct entry *entries_find(const struct entries *all, const struct queue_id *id);
/* The first whose id is greater than `after` in the order of octets; an empty one comes before all. */
struct entry *entries_after(const struct entries *all, const struct queue_id *after);

/* It waits until its next_try, but no longer than `most_ms`: the wall clock may have been set. */
void entries_wait(struct entries *all, struct entry *e, int64_t most_ms);
/* The first that is due, or NULL. */
struct entry *entries_due(const struct entries *all);
/* Milliseconds until one is due; -1: none waits. */
int64_t entries_next_ms(const struct entries *all);

/* May some of its open recipients be of this domain? Seldom yes although none is. */
bool entry_may_go_to(const struct entry *e, struct str domain);
/* Notes the domains of the open recipients. */
void entry_note_sites(struct entry *e, const struct env *env);

#endif
