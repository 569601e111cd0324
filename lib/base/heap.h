/*
 * heap - the smallest first: a binary heap of pointers with a 64-bit rank, for timers and schedules.
 *
 * Each element embeds a struct heap_node, which knows its place, so removal and change cost log n.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/str.h"

struct heap_node {
	int64_t rank;
	size_t place; /* 1-based; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t n, room;
};

void heap_free(struct heap *h);
/* The node with the smallest rank, or NULL. */
static inline struct heap_node *heap_first(const struct heap *h) { return h->n ? h->nodes[0] : NULL; }
/* Adds the node, or moves it when it is in already. */
void heap_put(struct heap *h, struct heap_node *node, int64_t rank);
/* Takes the node out; nothing happens when it is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);

#endif
