#include "rows.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

void sequence_normalize(struct sequence *set, uint32_t star)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		struct range *r = &set->ranges[i];
		uint32_t a = r->from ? r->from : star, b = r->to ? r->to : star;
		*r = (struct range){ a < b ? a : b, a < b ? b : a };
	}
	qsort(set->ranges, set->n, sizeof(*set->ranges), compare);
	for (size_t i = 0; i < set->n; i++) {
		struct range r = set->ranges[i];
		struct range *last = n ? &set->ranges[n - 1] : NULL;
		if (!last || (uint64_t)last->to + 1 < r.from)
			set->ranges[n++] = r;
		else if (r.to > last->to)
			last->to = r.to;
	}
	set->n = n;
}

bool sequence_has(const struct sequence *set, uint32_t number)
{
	size_t from = 0, to = set->n;

	while (from < to) {
		size_t middle = (from + to) / 2;
		if (set->ranges[middle].to < number)
			from = middle + 1;
		else
			to = middle;
	}
	return from < set->n && set->ranges[from].from <= number;
}

bool sequence_in_range(const struct sequence *set, size_t n)
{
	for (size_t i = 0; i < set->n; i++)
		if (n == 0 || set->ranges[i].from > n || set->ranges[i].to > n)
			return false;
	return true;
}

uint32_t rows_star(const struct mbox_view *v, bool uid)
{
	if (uid)
		return v->n ? v->rows[v->n - 1].uid : 1;
	return (uint32_t)v->n;
}

/* Calls for each index range [from, to) of a normalized set. */
static size_t add_range(const struct mbox_view *v, struct range r, bool uid, size_t *which)
{
	size_t from = uid ? mbox_view_find(v, r.from) : r.from - 1, n = 0;

	for (size_t i = from; i < v->n && (uid ? v->rows[i].uid <= r.to : i < r.to); i++)
		if (!uid || !(v->rows[i].marks & ROW_GONE)) {
			if (which)
				which[n] = i;
			n++;
		}
	return n;
}

bool rows_of(struct session *s, struct request *r, const struct sequence *given, bool uid, struct rows *out)
{
	const struct mbox_view *v = s->view;
	struct sequence set = *given;

	*out = (struct rows){ 0 };
	if (!uid && !sequence_in_range(&set, v->n))
		return answer_bad(r, "no such message");
	sequence_normalize(&set, rows_star(v, uid));
	size_t most = 0;
	for (size_t i = 0; i < set.n; i++)
		most += add_range(v, set.ranges[i], uid, NULL);
	out->which = arena_array(&r->arena, most + 1, sizeof(*out->which));
	for (size_t i = 0; i < set.n; i++)
		out->n += add_range(v, set.ranges[i], uid, out->which + out->n);
	return true;
}

void set_end(struct set_writer *w)
{
	if (w->from == 0)
		return;
	if (w->any)
		buf_addc(w->out, ',');
	put_number(w->out, w->from);
	if (w->to != w->from) {
		buf_addc(w->out, ':');
		put_number(w->out, w->to);
	}
	w->any = true;
	w->from = 0;
}

void set_add_range(struct set_writer *w, uint32_t from, uint32_t to)
{
	if (w->from && from == w->to + 1) {
		w->to = to;
		return;
	}
	set_end(w);
	w->from = from;
	w->to = to;
}

void set_add(struct set_writer *w, uint32_t n)
{
	set_add_range(w, n, n);
}
