#include "id_tree.h"

#include <search.h>

#include "base/err.h"

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct queue_id *)a)->text, ((const struct queue_id *)b)->text);
}

void id_tree_add(void **tree, struct queue_id *thing)
{
	struct queue_id **place = tsearch(thing, tree, compare);

	ASSERT(place && *place == thing);
}

void id_tree_remove(void **tree, const struct queue_id *id)
{
	tdelete(id, tree, compare);
}

struct queue_id *id_tree_find(void *const *tree, const struct queue_id *id)
{
	struct queue_id **place = tfind(id, tree, compare);

	return place ? *place : NULL;
}

/* The search for a place passes the next greater one, and it is the last greater one that it passes. */
struct search {
	struct queue_id id;
	const void *next;
};

static int compare_and_note(const void *key, const void *thing)
{
	struct search *s = (struct search *)(uintptr_t)key;

	if (compare(&s->id, thing) >= 0)
		return 1;
	s->next = thing;
	return -1;
}

struct queue_id *id_tree_after(void *const *tree, const struct queue_id *after)
{
	struct search s = { .id = *after };

	tfind(&s, tree, compare_and_note);
	return (struct queue_id *)(uintptr_t)s.next;
}
