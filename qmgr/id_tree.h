/* id_tree - a balanced tree of things that begin with their queue id, in the order of octets. NULL is an empty one. */
#ifndef QMGR_ID_TREE_H
#define QMGR_ID_TREE_H

#include "queue/id.h"

/* Panics when one with this id is in already. */
void id_tree_add(void **tree, struct queue_id *thing);
void id_tree_remove(void **tree, const struct queue_id *id);
struct queue_id *id_tree_find(void *const *tree, const struct queue_id *id);
/* The first that is greater than `after`, or NULL. */
struct queue_id *id_tree_after(void *const *tree, const struct queue_id *after);

#endif
