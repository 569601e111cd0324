/* decide - the queue's policy as pure functions: facts in, reply or time out. */
#ifndef QMGR_DECIDE_H
#define QMGR_DECIDE_H

#include "conf.h"
#include "ipc/messages.h"
#include "queue/queue.h"
#include "smtp/reply.h"

enum { ADDRESS_MAX = 320, HEAD_ROOM = 64 << 10, FORWARD_MOST = 5000 /* items of a list */ };

/* What an address in an envelope may look like: not too long, no control characters. */
bool decide_address_ok(struct str s);

/* Code 0: fine. Everything in `m` but the id, which is the channel's business. */
struct reply decide_commit(const struct commit *m, const struct qmgr_conf *conf);
/* No NUL and no CR: a message in the queue has LF line ends. */
bool decide_content_ok(struct str bytes);
/* Is there room for `size` more octets? 452 4.3.1 when not. Code 0: yes. */
struct reply decide_room(const struct queue_space *space, uint64_t size, const struct qmgr_conf *conf);
/*
 * May mail that came with this authority go by this transport? `forwarded`: an alias of ours leads there, so that its
 * admin wants it. lookupd has looked at the given recipients; this is the second look. Code 0: yes.
 */
struct reply decide_transport(uint32_t authority, struct str transport, bool forwarded);
/* What a failed system call means for whoever commits. */
struct reply decide_errno(int error);
/* The reply that a peer named; anything that is none counts as 451. */
struct reply decide_reply(uint16_t code, struct str status, struct str text);

/* Wait after the n-th attempt, n from 1. */
int64_t decide_backoff_ms(uint32_t attempts, const struct qmgr_conf *conf);
bool decide_expired(int64_t arrival_us, int64_t now_us, struct str sender, const struct qmgr_conf *conf);
/* Shall the sender be told now that it is late? */
bool decide_warn(const struct env *env, int64_t now_us, const struct qmgr_conf *conf);
/* Undeliverable mail without a sender, that came by `service`: is postmaster told? */
bool decide_tell_postmaster(struct str service, const struct qmgr_conf *conf);
/* The enhanced status that fits the state: `status` when it is well formed and of that class. */
struct str decide_status(enum env_state state, struct str status);
/* One of defer_transports. */
bool decide_deferred(struct str transport, const struct qmgr_conf *conf);
/* Does local have it? All others have smtp. */
bool decide_is_local(struct str transport);
/* What local is to do instead of a delivery into a mailbox with its .forward: see ROUTE_PARTS. Else empty. */
struct str decide_target(const struct env_recipient *r);
/* Replaces *key by what tells two recipients apart: address, target and user. */
void decide_key(const struct env_recipient *r, struct str target, struct buf *key);
/* commandd has it. */
bool decide_is_command(const struct env_recipient *r);
/* May its delivery be tried again without harm when nobody knows whether it was done? */
bool decide_repeats(const struct env_recipient *r);

#endif
