#include "entries.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/time.h"
#include "id_tree.h"
#include "mail/addr.h"

static uint32_t site_hash(struct str domain)
{
	scoped_buf struct buf key = { 0 };

	addr_key(domain, &key);
	return (uint32_t)hash_str(buf_str(&key)) | 1;
}

static void note_site(struct entry *e, uint32_t site)
{
	for (size_t i = 0; i < ENTRY_SITES; i++) {
		if (e->sites[i] == site)
			return;
		if (e->sites[i] == 0) {
			e->sites[i] = site;
			return;
		}
	}
	e->more_sites = true;
}

void entry_note_sites(struct entry *e, const struct env *env)
{
	struct str local, domain, last = { 0 };

	for (uint32_t i = 0; i < env->n && !e->more_sites; i++) {
		if (!env_open(&env->recipients[i]) || !addr_split(env->recipients[i].address, &local, &domain))
			continue;
		if (!str_eq(domain, last))
			note_site(e, site_hash(domain));
		last = domain;
	}
}

bool entry_may_go_to(const struct entry *e, struct str domain)
{
	uint32_t site = site_hash(domain);

	for (size_t i = 0; i < ENTRY_SITES; i++)
		if (e->sites[i] == site)
			return true;
	return e->more_sites;
}

struct entry *entries_add(struct entries *all, const struct queue_facts *facts, const struct env *env)
{
	struct entry *e = calloc(1, sizeof(*e));

	ASSERT(e);
	e->id = facts->id;
	e->held = facts->held;
	e->checked = facts->checked;
	e->attempts = facts->attempts;
	e->arrival_us = facts->arrival_us;
	e->next_try_us = facts->next_try_us;
	e->size = facts->size;
	entry_note_sites(e, env);
	id_tree_add(&all->tree, &e->id);
	all->n++;
	return e;
}

void entries_forget(struct entries *all, struct entry *e)
{
	heap_remove(&all->due, &e->due);
	id_tree_remove(&all->tree, &e->id);
	all->n--;
	free(e);
}

struct entry *entries_find(const struct entries *all, const struct queue_id *id)
{
	return (struct entry *)id_tree_find(&all->tree, id);
}

struct entry *entries_after(const struct entries *all, const struct queue_id *after)
{
	return (struct entry *)id_tree_after(&all->tree, after);
}

void entries_wait(struct entries *all, struct entry *e, int64_t most_ms)
{
	int64_t ms = (e->next_try_us - clock_wall_us()) / 1000;

	if (ms > most_ms)
		ms = most_ms;
	heap_put(&all->due, &e->due, clock_mono_ms() + (ms > 0 ? ms : 0));
}

static struct entry *of_node(struct heap_node *node)
{
	return (struct entry *)((char *)node - offsetof(struct entry, due));
}

struct entry *entries_due(const struct entries *all)
{
	struct heap_node *first = heap_first(&all->due);

	return first && first->rank <= clock_mono_ms() ? of_node(first) : NULL;
}

int64_t entries_next_ms(const struct entries *all)
{
	struct heap_node *first = heap_first(&all->due);

	if (!first)
		return -1;
	int64_t ms = first->rank - clock_mono_ms();
	return ms > 0 ? ms : 0;
}
