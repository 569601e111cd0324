/*
 * env - the envelope of a queue entry and its progress, as bytes: an append-only list of records (record.h).
 *
 * Pure: bytes in, bytes out. The file format is stated in README. Limits: a record 1 MiB, recipients 50,000 (those
 * replaced count), a string 1,024 bytes, what a peer said 512, an envelope 64 MiB. Strings may hold any byte.
 */
#ifndef QUEUE_ENV_H
#define QUEUE_ENV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "queue/id.h"

enum {
	ENV_VERSION = 1,
	ENV_RECIPIENTS_MAX = 50000,
	ENV_STRING_MAX = 1024,
	ENV_STATUS_MAX = 16,
	ENV_TEXT_MAX = 512,
	ENV_BYTES_MAX = 64 << 20,
};

enum env_state {
	ENV_PENDING,   /* not tried yet */
	ENV_DEFERRED,  /* failed for now */
	ENV_DELIVERED, /* done */
	ENV_FAILED,    /* failed for good; its sender must still be told */
	ENV_RETURNED,  /* failed for good, and the sender was told or may not be */
	ENV_REPLACED,  /* expanded again: others stand for it */
	ENV_STATES
};

/* Its number, the place in env.recipients, is for ever: queue id and number make the delivery id. */
struct env_recipient {
	struct str address;   /* where it goes */
	struct str original;  /* as the client gave it */
	struct str transport; /* class or transport */
	struct str nexthop;
	struct str user; /* the mailbox's */
	uint32_t flags;	 /* the caller's, such as NOTIFY */
	/* the last attempt */
	enum env_state state;
	int64_t at_us;
	struct str status; /* enhanced status code */
	struct str text;   /* what the peer said */
};

struct env {
	struct queue_id id;
	int64_t arrival_us; /* wall clock, as all times here */
	struct str sender;
	struct str envid;   /* of the sender, RFC 3461 4.4 */
	struct str service; /* that took it: its authority */
	struct str client_name, client_address, login;
	uint32_t flags; /* the caller's bit set, such as 8BITMIME */
	uint64_t content_size;
	uint32_t content_crc; /* crc32c from 0 */
	int64_t next_try_us;
	uint32_t attempts;
	bool held;
	bool warned;	   /* the sender was told that it is late */
	bool acknowledged; /* something was recorded after the commit, so the client has its 250 */
	struct env_recipient *recipients;
	uint32_t n;
};

/* Still to be delivered. */
static inline bool env_open(const struct env_recipient *r)
{
	return r->state == ENV_PENDING || r->state == ENV_DEFERRED;
}

/*
 * Appends the whole envelope, with the progress that it shows. False and nothing appended when a limit is passed, no
 * recipient is there, or `out` is full.
 */
bool env_encode(const struct env *env, struct buf *out);

/* Progress records to be appended to the envelope of `id`. False and nothing appended as above. */
bool env_put_result(const struct queue_id *id, uint32_t recipient, enum env_state state, int64_t at_us,
		    struct str status, struct str text, struct buf *out);
bool env_put_schedule(const struct queue_id *id, int64_t next_try_us, uint32_t attempts, struct buf *out);
bool env_put_hold(const struct queue_id *id, bool held, struct buf *out);
bool env_put_warned(const struct queue_id *id, struct buf *out);
/*
 * The recipients `old` (numbers) of `env` become ENV_REPLACED, and `fresh` get the next numbers, pending: all of this
 * or, after a crash, nothing. False also when an old one does not exist or the total would pass the limit.
 */
bool env_put_replace(const struct env *env, const uint32_t *old, uint32_t n_old, const struct env_recipient *fresh,
		     uint32_t n_fresh, struct buf *out);

enum env_verdict {
	ENV_WHOLE,   /* *out is filled; behind *valid stands at most what a crash left of later records */
	ENV_TORN,    /* never written to its end: the envelope itself is not whole */
	ENV_DAMAGED, /* neither: err says what; the file is for a person to look at */
};

/*
 * Reads the envelope of `id` and folds its progress in. Slices in *out borrow from `bytes`; the recipients lie in the
 * arena, whose budget counts as damage when it is passed. *valid is where the next record belongs.
 */
enum env_verdict env_decode(const struct queue_id *id, struct str bytes, struct arena *a, struct env *out,
			    size_t *valid, struct err *err);

/* The envelope for a person, one fact a line; bytes that are not printable ASCII or UTF-8 are written as \xNN. */
bool env_print(const struct env *env, struct buf *out);

#endif
