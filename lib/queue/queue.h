/*
 * queue - the mail queue on disk: tmp/ new/ cur/ (a maildir, one message a file) and env/ (one envelope a file).
 *
 * README states the format and the legal states. One process owns the queue (qmgr, or a command while the suite is
 * stopped). All functions belong to that process's loop; only queue_flush and queue_check_content may run in another
 * thread meanwhile, the former on writes that the loop leaves alone until it returns.
 * Functions that return int give 0 (or a descriptor), or -1 with errno.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/err.h"
#include "queue/env.h"
#include "queue/id.h"

enum queue_mode {
	QUEUE_READ, /* look only, nothing is created or changed */
	QUEUE_OWN,  /* the only owner, as long as it is open */
};

struct queue {
	enum queue_mode mode;
	int dir, tmp, new, cur, env; /* descriptors of the folders */
	bool names_by_fsync;	     /* fsync of a new file covers its name */
	uint32_t tail;		     /* of the next id */
	int (*fsync)(int fd);	     /* a test puts failures here */
	int (*syncfs)(int fd);
};

/*
 * Opens the queue at `path`, relative to the folder `at` (AT_FDCWD for the current one; "." for `at` itself). To own
 * it creates durably what is missing, and demands that the caller's effective uid owns the folders and nobody else
 * may write there. False when another process owns the queue: the suite runs. On failure nothing needs closing.
 */
bool queue_open(int at, const char *path, enum queue_mode mode, struct queue *q, struct err *err);
void queue_close(struct queue *q);

struct queue_space {
	uint64_t bytes, inodes; /* free for this user; UINT64_MAX where the file system has no limit */
};
int queue_space(const struct queue *q, struct queue_space *out);

/* An id that no other entry has or had. */
struct queue_id queue_id_new(struct queue *q);

/* ---- commit, in two phases ---- */

/* Something written but not yet durable. It holds two descriptors until queue_flush or queue_unstage closes them. */
struct queue_write {
	struct queue_id id;
	int content, env;
	bool new_content, new_env; /* files of a new entry, whose names must become durable too */
	bool linked;		   /* the content was written under another name first */
	size_t env_bytes;
};

/*
 * Creates tmp/ID and returns a write-only descriptor, for the process that receives the data. queue_stage_tmp makes
 * it an entry, queue_tmp_discard drops it.
 */
int queue_tmp_create(const struct queue *q, const struct queue_id *id);
/* A read-only descriptor of tmp/ID, to look at it before it is staged. EBUSY when somebody can still write to it. */
int queue_tmp_open(const struct queue *q, const struct queue_id *id);
void queue_tmp_discard(const struct queue *q, const struct queue_id *id);

/*
 * First phase: writes content and envelope of env->id, not durable yet. The content is the slices one after the
 * other; its size and checksum are set in *env. On failure nothing is left. EMSGSIZE: the envelope passes a limit.
 */
int queue_stage(const struct queue *q, struct env *env, const struct str *content, size_t n, struct queue_write *w);
/*
 * The same with tmp/ID as content; sets the size. content_crc is as its writer says: a wrong one harms only that
 * message. EBUSY when somebody still holds a descriptor with which the file can be changed. On failure tmp/ID is gone.
 */
int queue_stage_tmp(const struct queue *q, struct env *env, struct queue_write *w);
/*
 * The same for progress: appends records of env_put_*. EFBIG when the envelope would pass ENV_BYTES_MAX. After a
 * failure the entry must not be delivered, nor appended to before queue_load gave true for it.
 */
int queue_stage_progress(const struct queue *q, const struct queue_id *id, struct str records, struct queue_write *w);

/*
 * Second phase, in any thread: makes all `n` durable, bytes and names, and closes their descriptors. Failure is
 * failure of all, whatever reached the disk: the loop calls queue_unstage for each.
 */
int queue_flush(const struct queue *q, struct queue_write *w, size_t n);
/*
 * Gives up a write that was not flushed, or whose flush failed. A new entry's files are removed. An entry with
 * progress keeps what it has, but no further delivery and no append: only queue_rewrite or a restart may follow.
 */
void queue_unstage(const struct queue *q, struct queue_write *w);

/* Stage and flush of one progress write. Blocks. On failure stop to deliver that entry. */
int queue_progress(const struct queue *q, const struct queue_id *id, struct str records);

/*
 * Replaces the envelope file by a fresh one with the same meaning, durably. Blocks. For an entry whose file has grown
 * (queue_write.env_bytes) and for one whose flush failed. On failure no append until it succeeded or a restart.
 */
int queue_rewrite(const struct queue *q, const struct queue_id *id);

/* ---- entries ---- */

/*
 * The envelope with its progress; all lies in the arena. Whoever owns the queue cuts what a crash left behind the
 * last whole record. False when there is none or it is torn or damaged.
 */
bool queue_load(const struct queue *q, const struct queue_id *id, struct arena *a, struct env *out, struct err *err);
/* A read-only descriptor of the content, the caller's. */
int queue_open_content(const struct queue *q, const struct queue_id *id);
/* Reads the content through `fd` and compares: EBADMSG when it is not what was committed. The offset stays. */
int queue_check_content(int fd, uint64_t size, uint32_t crc);
/*
 * Moves the message to cur/ with flag letters, d for deferred and h for held. A picture for people and mail readers,
 * not flushed: the envelope is the truth.
 */
int queue_mark(const struct queue *q, const struct queue_id *id, bool deferred, bool held);
/*
 * Removes the entry, not durably: after a crash it may be there again, with all its flushed progress. 0 also when it
 * is gone already; a content that cannot be removed is left to the sweep.
 */
int queue_remove(const struct queue *q, const struct queue_id *id);

/* ---- all entries ---- */

/* What a scheduler keeps of an entry. */
struct queue_facts {
	struct queue_id id;
	int64_t arrival_us, next_try_us;
	uint64_t size;
	uint32_t attempts;
	uint32_t recipients, open, failed; /* all; still to be delivered; failed with the sender not told */
	bool held;
	bool checked; /* the content was compared with its checksum; if not: queue_check_content before delivery */
};

struct queue_walk {
	void *arg;
	/* A valid entry. *env is lent for the call; the entry may be removed in it, others not. */
	void (*entry)(void *arg, const struct queue_facts *facts, const struct env *env);
	/* One that is kept but cannot be used. */
	void (*damaged)(void *arg, const struct queue_id *id, const char *why);
};

struct queue_report {
	size_t entries, damaged;
	size_t leaves;	  /* remains of crashes, removed */
	size_t strangers; /* names that are not ours, left alone */
};

/*
 * At start, for the owner: removes what crashes left, cuts torn tails, and walks all entries, in no order. Nothing is
 * staged and no tmp file is open yet. False when a folder cannot be read; what was walked until then was valid.
 */
bool queue_sweep(const struct queue *q, const struct queue_walk *walk, struct queue_report *report, struct err *err);
/* The same walk but changes nothing; what a sweep would remove is passed over and counted. */
bool queue_list(const struct queue *q, const struct queue_walk *walk, struct queue_report *report, struct err *err);

#endif
