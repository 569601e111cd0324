#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/time.h"
#include "forward/head.h"
#include "io/fd.h"
#include "ipc/channel.h"
#include "mbox/mbox.h"

enum { CHUNK = 64 * 1024 };

static bool write_head(struct mbox_delivery *d, const struct deliver *m, enum mbox_result *r, struct err *err)
{
	scoped_buf struct buf head = { 0 };

	head_write(m, &head);
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
		*out = (struct delivered){ .result = DELIVERY_DONE, .status = STR("2.0.0"), .text = buf_str(text) };
		return;
	}
	buf_add(text, str_from(err.text[0] ? err.text : "cannot be delivered"));
	/* Nothing here is the sender's fault or for ever: a folder that must be imported is, too, by its admin. */
	*out = (struct delivered){ .result = DELIVERY_DEFERRED,
				    .status = r == MBOX_FULL ? STR("4.2.2") : STR("4.3.0"),
				    .text = buf_str(text) };
}

/* What its parent asked before it died, another parent's child may be doing: not both. From now on we die with it. */
static bool is_orphan(int parent)
{
	struct pollfd p = { .fd = parent };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

int job_serve(int parent, int (*one)(void *arg, uint32_t serial, const struct deliver *m), void *arg)
{
	scoped_buf struct buf frame = { 0 };
	struct frame_head head;
	struct str payload;
	struct deliver m;
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	while (frame_receive(parent, &frame, &head, &payload, fds, &n_fds) > 0) {
		if (is_orphan(parent) || head.type != deliver_schema.type ||
		    !ipc_decode(&deliver_schema, payload, fds, n_fds, &m))
			return 1;
		int rc = one(arg, head.serial, &m);
		ipc_close_fds(&deliver_schema, &m);
		if (rc < 0)
			return 1;
	}
	return 0;
}
