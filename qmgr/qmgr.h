/* qmgr - what the parts of the queue manager share: the daemon's state, and entries at work. */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include <sys/queue.h>
#include <sys/types.h>

#include "base/hash.h"
#include "conf.h"
#include "entries.h"
#include "flusher.h"
#include "proc/daemon.h"
#include "smtp/reply.h"

/* Above the bits of MAIL_...: in the flags of an envelope stands with which authority it came. */
enum { AUTHORITY_SHIFT = 8 };

/* One delivery to one recipient: waiting for its mailbox's turn, or with local. */
struct job {
	TAILQ_ENTRY(job) in_work, in_dest;
	struct work *work;
	struct dest *dest;
	uint32_t number;
	bool running;
	struct call call;
};
TAILQ_HEAD(job_list, job);

/* A mailbox to which something is or waits to be delivered. */
struct dest {
	TAILQ_ENTRY(dest) in_ready;
	struct str user;
	struct job_list waiting;
	uint32_t running;
	bool ready; /* in the list of those that may start one */
};
TAILQ_HEAD(dest_list, dest);

/* An entry that is loaded, from its first job to the note of what came of them. */
struct work {
	TAILQ_ENTRY(work) in_all;
	struct qmgr *qmgr;
	struct entry *entry;
	struct arena arena; /* of env */
	struct env env;
	int content;	      /* read-only, while jobs run; else -1 */
	uint32_t next;	      /* recipients before this one had their turn */
	struct job_list jobs; /* waiting and running */
	size_t n_jobs, n_running;
	uint32_t unflushed; /* results of jobs in `records` */
	struct buf records; /* not staged yet */
	struct flush flush;
	struct task check;
	int check_error;
	bool busy;    /* flushing, checking or bouncing: nothing else happens meanwhile */
	bool stopped; /* starts nothing more */
	bool deleted;
	bool lost;     /* a delivery ended without a result */
	bool returned; /* the sender was told in this round: noted before the entry is removed */
	bool later;    /* the sender cannot be told now */
	bool resting;  /* all is decided: it rests once that is durable */
};
TAILQ_HEAD(work_list, work);

struct qmgr {
	struct run *run;
	struct queue queue;
	struct flusher flusher;
	struct worker reader;
	struct entries entries;
	struct work_list works;
	size_t n_works;
	struct table dests;
	struct dest_list ready;
	size_t running; /* jobs with local */
	struct timer turn;
	size_t commits; /* under way */
	struct client *clients;
	struct tool *tools;
	size_t n_tools;
	bool have_group;
	gid_t group; /* its members may change the queue */
};

static inline const struct qmgr_conf *qmgr_conf(const struct qmgr *q)
{
	return q->run->conf;
}

/* When draining: ends the process as soon as nothing is under way. */
void qmgr_check_drained(struct qmgr *q);

/* ---- schedule.c: which job is next ---- */

/* Something may have become possible: looks at the end of this round of the loop. */
void schedule_soon(struct qmgr *q);
/* How many recipients of one message may be in the hands of local, or done but not noted on disk. */
size_t schedule_window(const struct qmgr *q);
/* The job waits for its mailbox's turn. */
void schedule_job(struct qmgr *q, struct job *job, struct str user);
/* The job ran; its place is free. */
void schedule_job_over(struct qmgr *q, struct job *job);
/* It waits no longer. */
void schedule_drop(struct qmgr *q, struct job *job);

/* ---- work.c: one entry, from load to rest ---- */

/* A fresh one, not yet of any entry: fill in arena and env, then work_start or work_discard. */
struct work *work_new(struct qmgr *q);
void work_discard(struct work *w);
/* Its entry is in the queue. *w may be gone afterwards, as with all that follow. */
void work_start(struct work *w, struct entry *e);
/* Loads a due entry. It is due later, or marked as damaged, when that fails. */
void work_load(struct qmgr *q, struct entry *e);
/* Removes an entry that is not loaded. */
void entry_remove(struct qmgr *q, struct entry *e);
/* It waits for its next try, unless it is held or damaged. */
void entry_rest(struct qmgr *q, struct entry *e);
/* Goes on with whatever is next: deliver, note, bounce, defer, remove. */
void work_settle(struct work *w);
/* What came of recipient `number`, in memory, log and the next note. */
void work_result(struct work *w, uint32_t number, enum env_state state, struct str status, struct str text);
/* A job is over, without a result when `lost`. */
void work_job_over(struct job *job, bool lost);
/* Starts nothing more, and rests when what runs is over. */
void work_stop(struct work *w);
void work_delete(struct work *w);
/* The sender was told (or may not be), or cannot be told now. */
void work_returned(struct work *w, bool ok);

/* ---- local.c ---- */
void local_deliver(struct job *job);

/* ---- returns.c: what failed goes back to its sender ---- */
void returns_start(struct work *w);

/* ---- smtpd.c: clients ---- */
extern const struct daemon_client smtpd_client;

/* ---- tools.c ---- */
void tools_accept(struct run *run, int fd, unsigned service);

#endif
