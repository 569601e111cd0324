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
	remote_expect(r, STEP_DOT);
	stream_write(&r->stream, buf_str(&out));
}

/* The end must not be sent: the remote would take what came for the whole. */
static void give_up(struct remote *r, const char *why)
{
	job_settle(r->job, FATE_LATER, "4.3.0", "the queue file cannot be read: %s", why);
	remote_fail(r, "the queue file cannot be read: %s", why);
}

/* Reads the next piece and hands it over. False when it could not be read. */
static bool send_piece(struct remote *r)
{
	const struct job *job = r->job;
	char chunk[CHUNK];
	scoped_buf struct buf out = { 0 };
	size_t want = job->m.size - r->sent < CHUNK ? (size_t)(job->m.size - r->sent) : CHUNK;
	ssize_t n;

	do
		n = pread(job->content, chunk, want, (off_t)r->sent);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		give_up(r, n < 0 ? "it failed" : "it is shorter than it was");
		return false;
	}
	r->sent += (uint64_t)n;
	data_encode(&r->encoder, str_of(chunk, (size_t)n), &out);
	stream_write(&r->stream, buf_str(&out));
	return true;
}

/*
 * The kernel may take a piece at once, and stream_write says "drained" before it returns: that must not begin a second loop
 * in this one, which would send the end twice. It may also find that the remote has gone, and then the job has gone too.
 */
void content_go_on(struct remote *r)
{
	if (r->filling)
		return;
	r->filling = true;
	stream_deadline(&r->stream, smtp_conf(r->smtp)->smtp_data_xfer_timeout);
	while (r->job && r->sent < r->job->m.size && stream_unsent(&r->stream) < UNSENT_MOST)
		if (!send_piece(r))
			break;
	r->filling = false;
	if (r->job && r->sent == r->job->m.size)
		end(r);
}
