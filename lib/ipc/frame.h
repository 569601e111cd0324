/* frame - one frame to and from a socket: what channel.c and the sequential calls share. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include "ipc/channel.h"

struct wire_head {
	uint16_t type, flags;
	uint32_t serial;
};
enum { WIRE_ANSWER = 1 };

bool frame_encode(const struct ipc_schema *schema, bool answer, uint32_t serial, const void *message, struct buf *out,
		  int fds[IPC_FDS_MAX], size_t *n_fds);
/* As sendmsg; a frame goes whole or not at all. */
ssize_t frame_put(int fd, struct str frame, const int fds[], size_t n_fds, int flags);
/* As frame_receive, with flags for recvmsg. */
int frame_get(int fd, struct buf *frame, struct frame_head *head, struct str *payload, int fds[IPC_FDS_MAX],
	      size_t *n_fds, int flags);

#endif
