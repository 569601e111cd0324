/* wire - frames as no honest daemon sends them. */
#ifndef T_EVIL_WIRE_H
#define T_EVIL_WIRE_H

#include "evil.h"
#include "ipc/frame.h"

/* Sends these octets with n descriptors (all of them `fd`); at once or not at all. */
bool wire_send(int channel, struct str octets, int fd, size_t n_fds);
/* The frame of a message, to be spoilt. */
void wire_frame(const struct ipc_schema *schema, const void *message, bool answer, uint32_t serial, struct buf *out);
/* A question of all zeros and empty strings, which is well formed for any message; without descriptors. */
void wire_blank(const struct ipc_schema *schema, struct buf *out);
/* The peer has closed the channel within `ms`; what it still says is thrown away. */
bool wire_closed(int channel, int ms);

/* Ways to spoil a frame that is in order. False: it was not sent. */
enum { WIRE_SPOILS = 9, WIRE_LENGTH = 5 /* only for messages that begin with a length */ };
extern const char *const wire_spoils[WIRE_SPOILS];
bool wire_spoil(int channel, int how, struct str frame);

#endif
