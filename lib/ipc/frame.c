#include "ipc/channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/time.h"
#include "ipc/frame.h"

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

bool frame_encode(const struct ipc_schema *schema, bool answer, uint32_t serial, const void *message, struct buf *out,
		  int fds[IPC_FDS_MAX], size_t *n_fds)
{
	struct wire_head head = { .type = schema->type, .flags = answer ? WIRE_ANSWER : 0, .serial = serial };

	out->limit = IPC_FRAME_MAX;
	*n_fds = 0;
	return buf_add(out, str_of(&head, sizeof(head))) && ipc_encode(schema, message, out, fds, n_fds);
}

ssize_t frame_put(int fd, struct str frame, const int fds[], size_t n_fds, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)frame.p, frame.n };
	union control control;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

static void take_fds(struct msghdr *msg, int fds[IPC_FDS_MAX], size_t *n_fds)
{
	*n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (*n_fds < IPC_FDS_MAX)
				fds[(*n_fds)++] = fd;
			else
				close(fd);
		}
	}
}

void frame_close_fds(int fds[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int frame_get(int fd, struct buf *frame, struct frame_head *head, struct str *payload, int fds[IPC_FDS_MAX],
	      size_t *n_fds, int flags)
{
	union control control;
	struct wire_head wire;
	ssize_t n;

	buf_reset(frame);
	buf_reserve(frame, IPC_FRAME_MAX);
	struct iovec iov = { frame->p, IPC_FRAME_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	do
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	/* An empty message may carry descriptors too; it counts as the end. */
	take_fds(&msg, fds, n_fds);
	if (n == 0) {
		frame_close_fds(fds, *n_fds);
		return 0;
	}
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || (size_t)n < sizeof(wire)) {
		frame_close_fds(fds, *n_fds);
		errno = EPROTO;
		return -1;
	}
	memcpy(&wire, frame->p, sizeof(wire));
	frame->n = (size_t)n;
	*head = (struct frame_head){ .type = wire.type, .answer = wire.flags == WIRE_ANSWER, .serial = wire.serial };
	*payload = str_skip(buf_str(frame), sizeof(wire));
	if (wire.flags & (uint16_t)~WIRE_ANSWER) {
		frame_close_fds(fds, *n_fds);
		errno = EPROTO;
		return -1;
	}
	return 1;
}

int frame_receive(int fd, struct buf *frame, struct frame_head *head, struct str *payload, int fds[IPC_FDS_MAX],
		  size_t *n_fds)
{
	return frame_get(fd, frame, head, payload, fds, n_fds, 0);
}

int frame_send(int fd, const struct ipc_schema *schema, bool answer, uint32_t serial, const void *message)
{
	scoped_buf struct buf out = { 0 };
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	if (!frame_encode(schema, answer, serial, message, &out, fds, &n_fds)) {
		errno = EMSGSIZE;
		return -1;
	}
	return frame_put(fd, buf_str(&out), fds, n_fds, 0) < 0 ? -1 : 0;
}

static bool wait_readable(int fd, int64_t until)
{
	for (;;) {
		int64_t left = until - clock_mono_ms();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

bool frame_call(int fd, const struct ipc_schema *question, const void *message, const struct ipc_schema *answer,
		int64_t ms, struct buf *frame, void *reply)
{
	int64_t until = clock_mono_ms() + ms;
	uint32_t serial = (uint32_t)clock_wall_us() | 1;
	struct frame_head head;
	struct str payload;
	int fds[IPC_FDS_MAX];
	size_t n_fds;

	if (frame_send(fd, question, false, serial, message) < 0)
		return false;
	for (;;) {
		if (!wait_readable(fd, until) || frame_receive(fd, frame, &head, &payload, fds, &n_fds) <= 0)
			return false;
		/* An answer to an earlier question, which was given up, is not ours. */
		bool ours = head.answer && head.serial == serial && head.type == answer->type;
		bool ok = ours && ipc_decode(answer, payload, fds, n_fds, reply);
		frame_close_fds(fds, n_fds);
		if (ours)
			return ok;
	}
}

int channel_pair(int fds[2])
{
	int room = 256 * 1024;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return 0;
}
