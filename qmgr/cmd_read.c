/* One message for a person: the envelope as text and the content as a descriptor. */
#include "io/fd.h"
#include "tools.h"

enum { TEXT_MOST = 60 << 10 };

static struct str refuse_read(const struct tool *t, struct str text, struct queue_id *id)
{
	if (!t->may_change)
		return STR("only root and members of setgid_group may read the queue");
	if (!queue_id_parse(text, id) || !entries_find(&t->qmgr->entries, id))
		return STR("no such message");
	return STR("");
}

void tool_read(struct channel *ch, uint32_t serial, void *message)
{
	struct tool *t = ch->arg;
	const struct queue_read *m = message;
	struct queue_content answer = { .content = -1 };
	scoped_arena struct arena a = { 0 };
	scoped_buf struct buf text = { 0 };
	scoped_fd int fd = -1;
	struct err err = { 0 };
	struct queue_id id;
	struct env env;

	answer.text = refuse_read(t, m->queue_id, &id);
	if (answer.text.n == 0 && !queue_load(&t->qmgr->queue, &id, &a, &env, &err))
		answer.text = str_from(err.text);
	if (answer.text.n == 0) {
		answer.ok = true;
		env_print(&env, &text);
		answer.text = str_head(buf_str(&text), TEXT_MOST);
		answer.content = fd = queue_open_content(&t->qmgr->queue, &id);
	}
	channel_answer(ch, serial, &queue_content_schema, &answer);
}
