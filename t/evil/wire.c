#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MOST = 16 };

const char *const wire_spoils[WIRE_SPOILS] = { "oversize",  "short",  "flags",	  "cut",  "longer",
					       "strings", "no_type", "too_many_fds", "one_fd" };

bool wire_send(int channel, struct str octets, int fd, size_t n_fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(FDS_MOST * sizeof(int))];
	} control = { .head = { CMSG_LEN(n_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { (void *)(uintptr_t)octets.p, octets.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (size_t i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &fd, sizeof(fd));
	if (n_fds > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	return sendmsg(channel, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

void wire_frame(const struct ipc_schema *schema, const void *message, bool answer, uint32_t serial, struct buf *out)
{
	int fds[IPC_FDS_MAX];
	size_t n;

	buf_reset(out);
	if (!frame_encode(schema, answer, serial, message, out, fds, &n))
		panic("%s cannot be encoded", schema->name);
	out->limit = 0;
}

void wire_blank(const struct ipc_schema *schema, struct buf *out)
{
	static const size_t sizes[] = { 1, 2, 4, 8, 8, 1, 16, 24, 4 }, aligns[] = { 1, 2, 4, 8, 8, 1, 8, 8, 4 };
	_Alignas(max_align_t) char message[IPC_STRUCT_MAX] = { 0 };
	size_t at = 0;

	/* descriptors: none */
	for (size_t i = 0; i < schema->n; i++) {
		enum ipc_kind kind = schema->fields[i].kind;
		at = (at + aligns[kind] - 1) / aligns[kind] * aligns[kind];
		if (kind == IPC_fd)
			memset(message + at, 0xff, sizeof(int));
		at += sizes[kind];
	}
	wire_frame(schema, message, false, 7, out);
}

bool wire_closed(int channel, int ms)
{
	struct pollfd p = { .fd = channel, .events = POLLIN };
	char octets[64];

	while (poll(&p, 1, ms) > 0) {
		ssize_t n = recv(channel, octets, sizeof(octets), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return true;
	}
	return false;
}

bool wire_spoil(int channel, int how, struct str frame)
{
	scoped_buf struct buf out = { 0 };

	buf_add(&out, frame);
	switch (how) {
	case 0:
		while (out.n <= IPC_FRAME_MAX)
			buf_add(&out, frame);
		break;
	case 1: out.n = 3; break;
	case 2: out.p[2] |= 2; break;
	case 3: out.n--; break;
	case 4: buf_addc(&out, 0); break;
	case WIRE_LENGTH: /* says more than there is */
		memset(out.p + sizeof(struct wire_head), 0xff, 4);
		break;
	case 6: memset(out.p, 0xff, 2); break;
	case 7: return wire_send(channel, frame, STDERR_FILENO, IPC_FDS_MAX + 1);
	default: return wire_send(channel, frame, STDERR_FILENO, 1);
	}
	return wire_send(channel, buf_str(&out), -1, 0);
}
