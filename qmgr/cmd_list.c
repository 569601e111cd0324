/* The listing: rows as notices, then the end. The next page begins behind the last row. */
#include "tools.h"

enum { ROWS_MOST = 200, RECIPIENT_BYTES = 48 << 10, UNSENT_MOST = 1 << 20 };

static const char *const state_words[ENV_STATES] = {
	"queued", "deferred", "delivered", "failed", "failed", "replaced"
};

static bool is_left(const struct env_recipient *r)
{
	return env_open(r) || r->state == ENV_FAILED;
}

static void add_recipients(const struct env *env, struct buf *b, struct strs *list)
{
	uint32_t i = 0, more = 0;

	for (; i < env->n; i++) {
		const struct env_recipient *r = &env->recipients[i];
		if (!is_left(r))
			continue;
		if (b->n > RECIPIENT_BYTES) {
			more++;
			continue;
		}
		strs_add(b, list, r->address);
		strs_add(b, list, str_from(state_words[r->state]));
		strs_add(b, list, r->text);
	}
	if (more == 0)
		return;
	char text[40];
	int n = snprintf(text, sizeof(text), "and %u more recipients", more);
	strs_add(b, list, str_of(text, (size_t)n));
	strs_add(b, list, STR("queued"));
	strs_add(b, list, STR(""));
}

static struct str state_of(const struct entry *e)
{
	if (e->damaged)
		return STR("damaged");
	if (e->held)
		return STR("hold");
	if (e->work)
		return STR("active");
	return e->attempts > 0 ? STR("deferred") : STR("queued");
}

/* An entry at work has its envelope in memory; a damaged one gets a row without recipients. */
static void send_row(struct tool *t, const struct entry *e)
{
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf recipients = { 0 };
	struct env loaded = { 0 };
	const struct env *env = e->work ? &e->work->env : &loaded;
	struct queue_row row = { .queue_id = queue_id_str(&e->id),
				 .state = state_of(e),
				 .arrival_us = e->arrival_us,
				 .next_try_us = e->next_try_us,
				 .size = e->size,
				 .attempts = e->attempts };

	if (!e->work && !queue_load(&t->qmgr->queue, &e->id, &a, &loaded, NULL))
		loaded = (struct env){ 0 };
	row.sender = env->sender;
	add_recipients(env, &recipients, &row.recipients);
	channel_notify(&t->ch, &queue_row_schema, &row);
}

void tool_list(struct channel *ch, uint32_t serial, void *message)
{
	struct tool *t = ch->arg;
	const struct queue_list *m = message;
	struct queue_list_end end = { 0 };
	struct queue_id after = { 0 };

	if (m->after.n > 0 && !queue_id_parse(m->after, &after)) {
		channel_break(ch, "a malformed queue id");
		return;
	}
	uint32_t most = m->most < ROWS_MOST ? m->most : ROWS_MOST;
	struct entry *e = entries_after(&t->qmgr->entries, &after);
	for (; e && end.rows < most && ch->out_bytes < UNSENT_MOST; end.rows++) {
		send_row(t, e);
		after = e->id;
		e = entries_after(&t->qmgr->entries, &after);
	}
	if (e)
		end.last = queue_id_str(&after);
	channel_answer(ch, serial, &queue_list_end_schema, &end);
}
