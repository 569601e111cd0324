#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/time.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "mail/trace.h"
#include "mbox/mbox.h"

enum { CHUNK = 64 * 1024 };

static bool write_head(struct mbox_delivery *d, const struct deliver *m, enum mbox_result *r, struct err *err)
{
	scoped_buf struct buf head = { 0 };

	if (!trace_return_path(m->sender, &head))
		trace_return_path(STR(""), &head);
	if (m->original.n > 0 && !str_ieq(m->original, m->recipient))
		trace_original_to(m->original, &head);
	trace_delivered_to(m->recipient, &head);
	*r = mbox_write(d, buf_str(&head), err);
	return *r == MBOX_OK;
}

static enum mbox_result copy(struct mbox_delivery *d, const struct deliver *m, struct err *err)
{
	scoped_buf struct buf chunk = { 0 };
	enum mbox_result r = MBOX_OK;
	uint64_t at = 0;

	buf_reserve(&chunk, CHUNK);
	while (r == MBOX_OK && at < m->size) {
		size_t want = m->size - at < CHUNK ? (size_t)(m->size - at) : CHUNK;
		ssize_t n = pread(m->content, chunk.p, want, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err_set(err, "the queue file is shorter than its envelope says");
			return MBOX_IO;
		}
		r = mbox_write(d, str_of(chunk.p, (size_t)n), err);
		at += (uint64_t)n;
	}
	return r;
}

static enum mbox_result put(const struct deliver *m, int home, const char *host, struct err *err)
{
	scoped_delivery struct mbox_delivery *d = NULL;
	scoped_buf struct buf id = { 0 };
	enum mbox_result r;

	buf_addf(&id, "Q%.*sR%u", STR_ARG(m->queue_id), m->number);
	struct mbox_order order = { .folder = STR("INBOX"),
				    .id = buf_str(&id),
				    .host = str_from(host),
				    .now_us = clock_wall_us(),
				    .again = m->again };
	r = mbox_begin(home, &order, &d, err);
	if (r != MBOX_OK)
		return r;
	if (!write_head(d, m, &r, err) || (r = copy(d, m, err)) != MBOX_OK)
		return r;
	return mbox_commit(&d, err);
}

void job_deliver(const struct deliver *m, int home, const char *host, struct buf *text, struct delivered *out)
{
	struct err err = { 0 };
	enum mbox_result r = m->content < 0 ? MBOX_IO : put(m, home, host, &err);

	buf_reset(text);
	if (r == MBOX_OK) {
		buf_add(text, STR("delivered to mailbox"));
		*out = (struct delivered){ DELIVERY_DONE, STR("2.0.0"), buf_str(text) };
		return;
	}
	buf_add(text, str_from(err.text[0] ? err.text : "cannot be delivered"));
	/* Nothing here is the sender's fault or for ever: a folder that must be imported is, too, by its admin. */
	*out = (struct delivered){ DELIVERY_DEFERRED, r == MBOX_FULL ? STR("4.2.2") : STR("4.3.0"), buf_str(text) };
}

/* What its parent asked before it died, another parent's child may be doing: not both. From now on we die with it. */
static bool is_orphan(int parent)
{
	struct pollfd p = { .fd = parent };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

int job_loop(void *arg)
{
	const struct job_place *place = arg;
	scoped_buf struct buf frame = { 0 }, text = { 0 };
	struct frame_head head;
	struct str payload;
	struct deliver m;
	int fds[IPC_FDS_MAX];
	size_t n_fds;
	scoped_fd int home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (home >= 0 && frame_receive(place->parent, &frame, &head, &payload, fds, &n_fds) > 0) {
		struct delivered result;
		if (is_orphan(place->parent) || head.type != deliver_schema.type ||
		    !ipc_decode(&deliver_schema, payload, fds, n_fds, &m))
			return 1;
		job_deliver(&m, home, place->host, &text, &result);
		ipc_close_fds(&deliver_schema, &m);
		if (frame_send(place->parent, &delivered_schema, true, head.serial, &result) < 0)
			return 1;
	}
	return 0;
}
