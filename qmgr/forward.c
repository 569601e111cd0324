/*
 * What a .forward file, a list or a changed alias leads to: recipients of their own in the same entry, by one note.
 *
 * What is in the entry already, in whatever state, is not added again: that ends loops within this host, and makes no second copy when
 * a crash comes between the expansion and its note.
 */
#include <stdlib.h>

#include "decide.h"
#include "routing.h"

struct forward {
	struct job *job;
	struct strs targets;
	struct routing routing;
	struct buf given;
	struct table there; /* key of a recipient of the entry -> it */
	struct buf fresh;   /* struct env_recipient */
	bool known;	    /* one of them is there and is, or was, delivered */
};

static struct env_recipient *recipient(const struct forward *f)
{
	return &f->job->work->env.recipients[f->job->numbers[0]];
}

static void finish(struct forward *f)
{
	struct job *job = f->job;

	routing_cancel(&f->routing);
	buf_free(&f->given);
	buf_free(&f->fresh);
	table_free(&f->there);
	free(f);
	schedule_job_over(job, NULL, "");
	work_job_over(job, false);
}

static void fail(struct forward *f, enum env_state state, const char *status, struct str text)
{
	work_result(f->job->work, f->job->numbers[0], state, recipient(f)->transport, str_from(status), text);
	finish(f);
}

/* ---- what is there ---- */

/* All but the one in question, for which others will stand. */
static void note_all(struct forward *f)
{
	const struct env *env = &f->job->work->env;
	scoped_buf struct buf key = { 0 };

	for (uint32_t i = 0; i < env->n; i++) {
		const struct env_recipient *r = &env->recipients[i];
		if (i == f->job->numbers[0])
			continue;
		decide_key(r, decide_target(r), &key);
		table_set(&f->there, buf_str(&key), (void *)(uintptr_t)r);
		/* it had no .forward: the mailbox has it */
		if (r->state != ENV_DELIVERED || decide_target(r).n > 0)
			continue;
		decide_key(r, STR("\\"), &key);
		table_set(&f->there, buf_str(&key), (void *)(uintptr_t)r);
	}
}

static void add(struct forward *f, struct env_recipient *r)
{
	scoped_buf struct buf key = { 0 };

	r->original = recipient(f)->original;
	decide_key(r, decide_target(r), &key);
	const struct env_recipient *known = table_get(&f->there, buf_str(&key));
	if (known) {
		f->known |= known->state != ENV_REPLACED;
		return;
	}
	table_set(&f->there, buf_str(&key), recipient(f));
	buf_add(&f->fresh, str_of(r, sizeof(*r)));
}

static void conclude(struct forward *f)
{
	struct work *w = f->job->work;
	uint32_t n = (uint32_t)(f->fresh.n / sizeof(struct env_recipient));
	scoped_buf struct buf text = { 0 };

	if (n == 0 && f->known) {
		fail(f, ENV_DELIVERED, "2.0.0", STR("forwarded to recipients that were there already"));
	} else if (n == 0) {
		buf_addf(&text, "mail forwarding loop for %.*s", STR_ARG(recipient(f)->address));
		fail(f, ENV_FAILED, "5.4.6", buf_str(&text));
	} else if (work_replaced(w, f->job->numbers[0], (const struct env_recipient *)(const void *)f->fresh.p, n)) {
		finish(f);
	} else {
		fail(f, ENV_DEFERRED, "4.5.3", STR("forwarding leads to too many recipients"));
	}
}

/* ---- the ways ---- */

/* A command, a file, or the own mailbox: of the same user. */
static void add_targets(struct forward *f)
{
	const struct env_recipient *from = recipient(f);
	struct str s;
	size_t at = 0;

	while (strs_next(&f->targets, &at, &s)) {
		struct env_recipient r = {
			.address = from->address, .transport = STR("local"), .nexthop = s, .user = from->user
		};
		if (decide_target(&r).n > 0)
			add(f, &r);
	}
}

/* A .forward that leads back to its user means the mailbox. */
static bool is_self(const struct forward *f, const struct env_recipient *r)
{
	const struct env_recipient *from = recipient(f);

	return str_eq(r->transport, STR("local")) && decide_target(r).n == 0 && decide_target(from).n == 0 &&
	       str_eq(r->user, from->user);
}

static void routed(struct routing *routing, const struct reply *why)
{
	struct forward *f = (struct forward *)((char *)routing - offsetof(struct forward, routing));
	struct env_recipient *list;

	if (why->code != 250) {
		fail(f, why->code >= 500 ? ENV_FAILED : ENV_DEFERRED, why->code >= 500 ? "5.1.3" : "4.3.0",
		     str_from(why->text));
		return;
	}
	uint32_t n = routing_take(routing, &list, NULL);
	note_all(f);
	add_targets(f);
	for (uint32_t i = 0; i < n; i++) {
		if (is_self(f, &list[i])) {
			list[i].address = recipient(f)->address;
			list[i].nexthop = STR("\\");
		}
		add(f, &list[i]);
	}
	conclude(f);
}

/* What goes to lookupd: all that are addresses. False: local has said what it may not. */
static bool collect(struct forward *f)
{
	struct str s;
	size_t at = 0;

	while (strs_next(&f->targets, &at, &s)) {
		struct env_recipient r = { .transport = STR("local"), .nexthop = s };
		if (s.n == 0 || s.n > ENV_STRING_MAX || s.p[0] == ':')
			return false;
		if (decide_target(&r).n == 0 && (!decide_address_ok(s) || !strs_add(&f->given, &f->routing.given, s)))
			return false;
	}
	return f->targets.n > 0 && f->targets.n <= FORWARD_MOST;
}

void forward_start(struct job *job, const struct delivered *m)
{
	struct forward *f = calloc(1, sizeof(*f));
	struct work *w = job->work;

	ASSERT(f);
	f->job = job;
	f->targets = (struct strs){ m->targets.n, arena_str(&w->arena, m->targets.raw) };
	if (!collect(f)) {
		fail(f, ENV_DEFERRED, "4.3.0", STR("Malformed answer"));
		return;
	}
	if (f->given.n == 0) {
		note_all(f);
		add_targets(f);
		conclude(f);
		return;
	}
	f->routing.qmgr = w->qmgr;
	f->routing.authority = AUTHORITY_LOCAL;
	f->routing.sender = w->env.sender;
	f->routing.arena = &w->arena;
	f->routing.done = routed;
	routing_start(&f->routing);
}
