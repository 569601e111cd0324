#include "base/heap.h"

#include <stdlib.h>

#include "base/err.h"

void heap_free(struct heap *h)
{
	free(h->nodes);
	*h = (struct heap){ 0 };
}

static void set(struct heap *h, size_t i, struct heap_node *node)
{
	h->nodes[i] = node;
	node->place = i + 1;
}

static void sift_up(struct heap *h, size_t i)
{
	struct heap_node *node = h->nodes[i];

	while (i > 0 && h->nodes[(i - 1) / 2]->rank > node->rank) {
		set(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	set(h, i, node);
}

static void sift_down(struct heap *h, size_t i)
{
	struct heap_node *node = h->nodes[i];

	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->nodes[child + 1]->rank < h->nodes[child]->rank)
			child++;
		if (h->nodes[child]->rank >= node->rank)
			break;
		set(h, i, h->nodes[child]);
		i = child;
	}
	set(h, i, node);
}

void heap_put(struct heap *h, struct heap_node *node, int64_t rank)
{
	heap_remove(h, node);
	if (h->n == h->room) {
		h->room = h->room ? h->room * 2 : 16;
		h->nodes = realloc(h->nodes, h->room * sizeof(struct heap_node *));
		if (!h->nodes)
			panic("out of memory: heap of %zu", h->room);
	}
	node->rank = rank;
	set(h, h->n++, node);
	sift_up(h, h->n - 1);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	if (node->place == 0)
		return;
	size_t i = node->place - 1;
	struct heap_node *last = h->nodes[--h->n];
	node->place = 0;
	if (last == node)
		return;
	set(h, i, last);
	sift_up(h, i);
	sift_down(h, last->place - 1);
}
