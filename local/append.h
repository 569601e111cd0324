/*
 * append - a message at the end of a file in the mbox format, as other mail programs read and lock it.
 *
 * The file is a regular one with one name, no program, and not behind a link at its last step; or /dev/null. After a failure its length is as
 * before.
 */
#ifndef LOCAL_APPEND_H
#define LOCAL_APPEND_H

#include "conf.h"
#include "ipc/messages.h"

/* m->target is the path. In a process of the user. `text` backs the answer's; nothing but success is for ever. */
void append_message(const struct deliver *m, const struct local_conf *conf, struct buf *text, struct delivered *out);

#endif
