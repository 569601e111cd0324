#include "queue/env.h"

#include "base/hash.h"
#include "queue/env_types.h"
#include "queue/record.h"

/*
 * What is being read. A head or a replace record owes recipients, which follow in records of their own; only with the
 * last of them does the group count, so that a crash in between leaves the envelope as it was before.
 */
struct fold {
	struct env *env;
	struct arena *arena;
	const struct queue_id *id;
	struct err *err;
	struct env_recipient *list;
	uint32_t room, n; /* of list; env->n of them count */
	uint32_t owed;
	struct str replaced; /* numbers that a replace record with debts takes out */
};

static bool grow(struct fold *f)
{
	if (f->n < f->room)
		return true;
	uint32_t room = f->room ? 2 * f->room : 4;
	struct env_recipient *list = arena_array(f->arena, room, sizeof(*list));
	if (!list)
		return err_set(f->err, "no room for %u recipients", room);
	if (f->n)
		memcpy(list, f->list, f->n * sizeof(*list));
	f->list = list;
	f->room = room;
	return true;
}

static bool fold_head(struct fold *f, struct record_reader *r)
{
	struct env *env = f->env;
	struct str *strings[] = { &env->sender,	     &env->envid,	   &env->service,
				  &env->client_name, &env->client_address, &env->login };
	uint32_t version = record_get_u32(r);

	if (version != ENV_VERSION)
		return err_set(f->err, "format version %u, this is %d", version, ENV_VERSION);
	if (!str_eq(record_get_str(r, QUEUE_ID_MOST), queue_id_str(f->id)))
		return err_set(f->err, "the envelope of another entry");
	env->id = *f->id;
	env->arrival_us = (int64_t)record_get_u64(r);
	for (size_t i = 0; i < COUNT(strings); i++)
		*strings[i] = record_get_str(r, ENV_STRING_MAX);
	env->flags = record_get_u32(r);
	env->content_size = record_get_u64(r);
	env->content_crc = record_get_u32(r);
	env->next_try_us = (int64_t)record_get_u64(r);
	env->attempts = record_get_u32(r);
	uint8_t marks = record_get_u8(r);
	env->held = marks & MARK_HELD;
	env->acknowledged = marks & MARK_ACKNOWLEDGED;
	env->warned = marks & MARK_WARNED;
	f->owed = record_get_u32(r);
	if (f->owed == 0 || f->owed > ENV_RECIPIENTS_MAX || marks > (MARK_HELD | MARK_ACKNOWLEDGED | MARK_WARNED))
		return err_set(f->err, "bad head");
	return true;
}

static void settle_group(struct fold *f)
{
	struct record_reader r = { f->replaced, true };

	while (r.rest.n > 0)
		f->list[record_get_u32(&r)].state = ENV_REPLACED;
	f->replaced = (struct str){ 0 };
	f->env->n = f->n;
	f->env->recipients = f->list;
}

static bool fold_recipients(struct fold *f, struct record_reader *r)
{
	while (r->rest.n > 0) {
		if (f->owed == 0)
			return err_set(f->err, "more recipients than announced");
		if (!grow(f))
			return false;
		struct env_recipient *to = &f->list[f->n];
		struct str *strings[] = { &to->address, &to->original, &to->transport, &to->nexthop, &to->user };
		for (size_t i = 0; i < COUNT(strings); i++)
			*strings[i] = record_get_str(r, ENV_STRING_MAX);
		to->flags = record_get_u32(r);
		f->n++;
		f->owed--;
	}
	if (f->owed == 0)
		settle_group(f);
	return true;
}

static bool fold_result(struct fold *f, struct record_reader *r)
{
	uint32_t i = record_get_u32(r);
	uint8_t state = record_get_u8(r);

	if (i >= f->env->n || state <= ENV_PENDING || state >= ENV_STATES)
		return err_set(f->err, "result %u of recipient %u of %u", state, i, f->env->n);
	struct env_recipient *to = &f->list[i];
	to->state = state;
	to->at_us = (int64_t)record_get_u64(r);
	to->status = record_get_str(r, ENV_STATUS_MAX);
	to->text = record_get_str(r, ENV_TEXT_MAX);
	return true;
}

static bool fold_schedule(struct fold *f, struct record_reader *r)
{
	f->env->next_try_us = (int64_t)record_get_u64(r);
	f->env->attempts = record_get_u32(r);
	return true;
}

static bool fold_hold(struct fold *f, struct record_reader *r)
{
	uint8_t held = record_get_u8(r);

	f->env->held = held;
	return held <= 1 || err_set(f->err, "bad hold");
}

static bool fold_warned(struct fold *f, struct record_reader *r)
{
	f->env->warned = true;
	return record_get_u8(r) == 1 || err_set(f->err, "bad mark");
}

static bool fold_replace(struct fold *f, struct record_reader *r)
{
	f->owed = record_get_u32(r);
	if (f->owed == 0 || f->owed > ENV_RECIPIENTS_MAX - f->env->n)
		return err_set(f->err, "%u recipients after %u", f->owed, f->env->n);
	f->replaced = r->rest;
	while (r->rest.n > 0)
		if (record_get_u32(r) >= f->env->n)
			return err_set(f->err, "replaces a recipient that does not exist");
	return true;
}

enum place { FIRST, OWED, LATER };

static const struct {
	bool (*fold)(struct fold *f, struct record_reader *r);
	enum place place;
} folds[ENV_TYPES] = {
	[ENV_HEAD] = { fold_head, FIRST },     [ENV_RECIPIENTS] = { fold_recipients, OWED },
	[ENV_RESULT] = { fold_result, LATER }, [ENV_SCHEDULE] = { fold_schedule, LATER },
	[ENV_HOLD] = { fold_hold, LATER },     [ENV_REPLACE] = { fold_replace, LATER },
	[ENV_WARNED] = { fold_warned, LATER },
};

static bool fold_record(struct fold *f, const struct record *record, bool first)
{
	struct record_reader r = { record->payload, true };
	enum place place = first ? FIRST : f->owed ? OWED : LATER;

	if (record->type >= ENV_TYPES || !folds[record->type].fold)
		return err_set(f->err, "unknown record type %u", record->type);
	if (folds[record->type].place != place)
		return err_set(f->err, "record type %u out of place", record->type);
	if (place == LATER)
		f->env->acknowledged = true;
	if (!folds[record->type].fold(f, &r))
		return false;
	if (!r.ok || r.rest.n > 0)
		return err_set(f->err, "record type %u has a bad length", record->type);
	return true;
}

enum env_verdict env_decode(const struct queue_id *id, struct str bytes, struct arena *a, struct env *out,
			    size_t *valid, struct err *err)
{
	struct fold f = { .env = out, .arena = a, .id = id, .err = err };
	uint32_t seed = crc32c(0, queue_id_str(id));
	size_t solid = record_solid(bytes);
	struct record record;

	*out = (struct env){ 0 };
	*valid = 0;
	for (size_t at = 0; at < bytes.n; at = record.next) {
		enum record_verdict verdict = record_read(bytes, solid, at, seed, &record);
		if (verdict == RECORD_TORN)
			break;
		if (verdict == RECORD_DAMAGED) {
			err_set(err, "damaged at byte %zu", at);
			return ENV_DAMAGED;
		}
		if (!fold_record(&f, &record, at == 0))
			return ENV_DAMAGED;
		if (f.owed == 0)
			*valid = record.next;
	}
	if (*valid > 0)
		return ENV_WHOLE;
	err_set(err, "not written to its end");
	return ENV_TORN;
}
