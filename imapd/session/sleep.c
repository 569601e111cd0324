#include "sleep.h"

#include <stdlib.h>

#include "ipc/channel.h"
#include "ipc/messages.h"

enum { STATE_MAX = 24 * 1024, PARENT_MS = 10000 };

/* Runs of UIDs; false: too many. */
static bool add_runs(const struct mbox_view *v, uint8_t mark, struct buf *out)
{
	for (size_t i = 0, k; i < v->n; i = k) {
		k = i + 1;
		if (mark && !(v->rows[i].marks & mark))
			continue;
		while (k < v->n && v->rows[k].uid == v->rows[k - 1].uid + 1 && (!mark || v->rows[k].marks & mark))
			k++;
		struct mbox_uid_range run = { v->rows[i].uid, v->rows[k - 1].uid };
		if (!buf_add(out, str_of(&run, sizeof(run))))
			return false;
	}
	return true;
}

static uint32_t letters(const struct mbox_view *v)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < MBOX_KEYWORDS_MAX; i++)
		if (v->keywords[i])
			bits |= 1u << i;
	return bits;
}

static bool write_state(const struct session *s, struct buf *out)
{
	const struct mbox_view *v = s->view;
	scoped_buf struct buf known = { .limit = STATE_MAX }, recent = { .limit = STATE_MAX };
	struct session_state m = { .enabled = s->enabled, .idle_tag = buf_str(&s->idle_tag), .selected = v != NULL };
	int fds[IPC_FDS_MAX];
	size_t n_fds = 0;

	if (v) {
		if (!add_runs(v, 0, &known) || !add_runs(v, ROW_RECENT, &recent))
			return false;
		m.folder = v->name;
		m.readonly = v->readonly;
		m.uidvalidity = v->uidvalidity;
		m.modseq = v->modseq;
		m.keywords = letters(v);
		m.known = buf_str(&known);
		m.recent = buf_str(&recent);
	}
	out->limit = STATE_MAX;
	return ipc_encode(&session_state_schema, &m, out, fds, &n_fds);
}

static bool has_news(struct session *s)
{
	return mbox_view_sync(s->view, NULL) != MBOX_OK || s->view->n > s->told || s->view->n_changed || s->view->n_gone;
}

/* From now on the spawner sees every change; what came before that must not be slept over. */
static enum sleep_result watch_folder(struct session *s)
{
	scoped_buf struct buf frame = { 0 };
	struct session_watched a;
	int fds[2];

	mbox_view_directories(s->view, fds);
	if (!frame_call(s->parent, &session_watch_schema, &(struct session_watch){ fds[0], fds[1] }, &session_watched_schema,
			PARENT_MS, &frame, &a) ||
	    !a.ok)
		return SLEEP_NOT;
	return has_news(s) ? SLEEP_NEWS : SLEEP_ASLEEP;
}

enum sleep_result sleep_try(struct session *s)
{
	scoped_buf struct buf state = { 0 }, frame = { 0 };
	struct session_slept a = { 0 };
	bool idle = s->idle_tag.n > 0;

	if (s->parent < 0 || !write_state(s, &state))
		return SLEEP_NOT;
	enum sleep_result watched = idle && s->view ? watch_folder(s) : SLEEP_ASLEEP;
	if (watched != SLEEP_ASLEEP)
		return watched;
	struct session_sleep m = { .received = s->wire.received, .sent = s->wire.sent, .idle = idle, .state = buf_str(&state) };
	bool answered = frame_call(s->parent, &session_sleep_schema, &m, &session_slept_schema, PARENT_MS, &frame, &a);
	if (answered && !a.ok)
		return SLEEP_NOT;
	/* Without an answer nobody knows who speaks for this client now: not we. */
	s->asleep = s->over = true;
	return SLEEP_ASLEEP;
}

/* A copy that is aligned; NULL: no runs that ascend and do not touch. */
static struct mbox_uid_range *read_runs(struct str raw, size_t *n)
{
	struct mbox_uid_range *runs = malloc(raw.n + 1);
	uint64_t before = 0;

	ASSERT(runs);
	*n = raw.n / sizeof(*runs);
	if (raw.n > 0)
		memcpy(runs, raw.p, raw.n);
	bool ok = raw.n % sizeof(*runs) == 0;
	for (size_t i = 0; ok && i < *n; i++) {
		ok = runs[i].from > before && runs[i].from <= runs[i].to;
		before = (uint64_t)runs[i].to + 1;
	}
	if (!ok) {
		free(runs);
		return NULL;
	}
	return runs;
}

static bool wake_view(struct session *s, const struct session_state *m)
{
	size_t n_known, n_recent;
	struct mbox_uid_range *known = read_runs(m->known, &n_known), *recent = read_runs(m->recent, &n_recent);
	bool ok = known && recent && mbox_view_open(s->user, m->folder, m->readonly, &s->view, NULL) == MBOX_OK &&
		  s->view->uidvalidity == m->uidvalidity;

	if (ok) {
		mbox_view_restore(s->view, known, n_known, recent, n_recent, m->modseq);
		s->told = 0;
		for (size_t i = 0; i < n_known; i++)
			s->told += known[i].to - known[i].from + 1;
		s->told_recent = SIZE_MAX; /* told with the next news */
		s->told_keywords = s->view->keywords_changed - (letters(s->view) != m->keywords);
		if (s->told > s->view->n)
			ok = false;
	}
	free(known);
	free(recent);
	return ok;
}

bool sleep_wake(struct session *s, struct str state)
{
	struct session_state m;

	if (!ipc_decode(&session_state_schema, state, NULL, 0, &m))
		return false;
	s->enabled = m.enabled & (ENABLED_CONDSTORE | ENABLED_QRESYNC | ENABLED_UTF8);
	buf_add(&s->idle_tag, m.idle_tag);
	return !m.selected || wake_view(s, &m);
}
