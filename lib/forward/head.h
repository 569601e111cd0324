/* head - what is put before a message that is delivered on this host. */
#ifndef FORWARD_HEAD_H
#define FORWARD_HEAD_H

#include "ipc/messages.h"

/* Return-Path, X-Original-To (when an alias led here), Delivered-To; LF line ends. */
void head_write(const struct deliver *m, struct buf *out);
/* The line that begins a message in a mailbox of the mbox format: "From sender Sat Nov 28 21:08:16 2026". */
void head_from_line(struct str sender, int64_t wall_us, struct buf *out);
/*
 * Was the message delivered to this recipient before, as its first Delivered-To fields say (in the first 64 KiB of the header)? Then it
 * comes from a host to which the recipient's mail is forwarded, and would go there again.
 */
bool head_is_loop(int content, uint64_t size, struct str recipient);

#endif
