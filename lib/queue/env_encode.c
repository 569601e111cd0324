#include "queue/env.h"

#include "base/hash.h"
#include "queue/env_types.h"
#include "queue/record.h"

/* A recipients record is closed behind the first recipient that passes this, so it stays far below RECORD_MAX. */
enum { GROUP_BYTES = 64 << 10 };

static uint32_t seed_of(const struct queue_id *id)
{
	return crc32c(0, queue_id_str(id));
}

static bool put_head(const struct env *env, struct buf *out)
{
	struct record_writer w = record_start(out, seed_of(&env->id));
	const struct str strings[] = { env->sender,	 env->envid,	      env->service,
				       env->client_name, env->client_address, env->login };

	record_put_u32(&w, ENV_VERSION);
	record_put_str(&w, queue_id_str(&env->id), QUEUE_ID_MOST);
	record_put_u64(&w, (uint64_t)env->arrival_us);
	for (size_t i = 0; i < COUNT(strings); i++)
		record_put_str(&w, strings[i], ENV_STRING_MAX);
	record_put_u32(&w, env->flags);
	record_put_u64(&w, env->content_size);
	record_put_u32(&w, env->content_crc);
	record_put_u64(&w, (uint64_t)env->next_try_us);
	record_put_u32(&w, env->attempts);
	record_put_u8(&w, (uint8_t)((env->held ? MARK_HELD : 0) | (env->acknowledged ? MARK_ACKNOWLEDGED : 0) |
				   (env->warned ? MARK_WARNED : 0)));
	record_put_u32(&w, env->n);
	return record_finish(&w, ENV_HEAD);
}

static bool put_recipients(const struct queue_id *id, const struct env_recipient *r, uint32_t n, struct buf *out)
{
	for (uint32_t i = 0; i < n;) {
		struct record_writer w = record_start(out, seed_of(id));
		for (; i < n && w.ok && w.out->n - w.start < GROUP_BYTES; i++) {
			const struct str strings[] = { r[i].address, r[i].original, r[i].transport, r[i].nexthop,
						       r[i].user };
			for (size_t k = 0; k < COUNT(strings); k++)
				record_put_str(&w, strings[k], ENV_STRING_MAX);
			record_put_u32(&w, r[i].flags);
		}
		if (!record_finish(&w, ENV_RECIPIENTS))
			return false;
	}
	return true;
}

bool env_put_result(const struct queue_id *id, uint32_t recipient, enum env_state state, int64_t at_us,
		    struct str status, struct str text, struct buf *out)
{
	struct record_writer w = record_start(out, seed_of(id));

	record_put_u32(&w, recipient);
	record_put_u8(&w, (uint8_t)state);
	record_put_u64(&w, (uint64_t)at_us);
	record_put_str(&w, status, ENV_STATUS_MAX);
	record_put_str(&w, text, ENV_TEXT_MAX);
	w.ok = w.ok && state > ENV_PENDING && state < ENV_STATES && recipient < ENV_RECIPIENTS_MAX;
	return record_finish(&w, ENV_RESULT);
}

bool env_put_schedule(const struct queue_id *id, int64_t next_try_us, uint32_t attempts, struct buf *out)
{
	struct record_writer w = record_start(out, seed_of(id));

	record_put_u64(&w, (uint64_t)next_try_us);
	record_put_u32(&w, attempts);
	return record_finish(&w, ENV_SCHEDULE);
}

bool env_put_hold(const struct queue_id *id, bool held, struct buf *out)
{
	struct record_writer w = record_start(out, seed_of(id));

	record_put_u8(&w, held);
	return record_finish(&w, ENV_HOLD);
}

bool env_put_warned(const struct queue_id *id, struct buf *out)
{
	struct record_writer w = record_start(out, seed_of(id));

	record_put_u8(&w, 1);
	return record_finish(&w, ENV_WARNED);
}

static bool put_replace(const struct env *env, const uint32_t *old, uint32_t n_old, uint32_t n_fresh, struct buf *out)
{
	struct record_writer w = record_start(out, seed_of(&env->id));

	record_put_u32(&w, n_fresh);
	for (uint32_t i = 0; i < n_old; i++) {
		w.ok = w.ok && old[i] < env->n;
		record_put_u32(&w, old[i]);
	}
	return record_finish(&w, ENV_REPLACE);
}

bool env_put_replace(const struct env *env, const uint32_t *old, uint32_t n_old, const struct env_recipient *fresh,
		     uint32_t n_fresh, struct buf *out)
{
	size_t start = out->n;

	if (n_old > env->n || n_fresh == 0 || env->n > ENV_RECIPIENTS_MAX || n_fresh > ENV_RECIPIENTS_MAX - env->n)
		return false;
	if (put_replace(env, old, n_old, n_fresh, out) && put_recipients(&env->id, fresh, n_fresh, out))
		return true;
	out->n = start;
	return false;
}

static bool put_results(const struct env *env, struct buf *out)
{
	for (uint32_t i = 0; i < env->n; i++) {
		const struct env_recipient *r = &env->recipients[i];
		if (r->state == ENV_PENDING)
			continue;
		if (!env_put_result(&env->id, i, r->state, r->at_us, r->status, r->text, out))
			return false;
	}
	return true;
}

bool env_encode(const struct env *env, struct buf *out)
{
	size_t start = out->n;

	if (env->n == 0 || env->n > ENV_RECIPIENTS_MAX)
		return false;
	if (put_head(env, out) && put_recipients(&env->id, env->recipients, env->n, out) && put_results(env, out) &&
	    out->n - start <= ENV_BYTES_MAX)
		return true;
	out->n = start;
	return false;
}
