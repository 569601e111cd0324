/* The message on its way out: read from the queue's file, with the wire's line ends, as fast as the remote takes it. */
#include <errno.h>
#include <unistd.h>

#include "smtp/remote_inner.h"

enum { CHUNK = 32 * 1024, UNSENT_MOST = 64 * 1024 };

void content_start(struct remote *r)
{
	r->sent = 0;
	r->encoder = (struct data_encoder){ .stuff = true };
	remote_expect(r, STEP_CONTENT);
	content_go_on(r);
}

static void end(struct remote *r)
{
	scoped_buf struct buf out = { 0 };

	data_encode_end(&r->encoder, &out);
	r->whole = true;
	r->dots = r->lmtp ? r->accepted : 1;
	r->at = 0;
	stream_write(&r->stream, buf_str(&out));
	remote_expect(r, STEP_DOT);
}

/* The end must not be sent: the remote would take what came for the whole. */
static void give_up(struct remote *r, const char *why)
{
	job_settle(r->job, FATE_LATER, "4.3.0", "the queue file cannot be read: %s", why);
	remote_fail(r, "the queue file cannot be read: %s", why);
}

void content_go_on(struct remote *r)
{
	const struct job *job = r->job;

	stream_deadline(&r->stream, smtp_conf(r->smtp)->smtp_data_xfer_timeout);
	while (r->sent < job->m.size && stream_unsent(&r->stream) < UNSENT_MOST) {
		char chunk[CHUNK];
		scoped_buf struct buf out = { 0 };
		size_t want = job->m.size - r->sent < CHUNK ? (size_t)(job->m.size - r->sent) : CHUNK;
		ssize_t n = pread(job->content, chunk, want, (off_t)r->sent);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			give_up(r, n < 0 ? "it failed" : "it is shorter than it was");
			return;
		}
		r->sent += (uint64_t)n;
		data_encode(&r->encoder, str_of(chunk, (size_t)n), &out);
		stream_write(&r->stream, buf_str(&out));
	}
	if (r->sent == job->m.size)
		end(r);
}
