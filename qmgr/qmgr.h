/* qmgr - what the parts of the queue manager share: the daemon's state, and entries at work. */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include <sys/queue.h>
#include <sys/types.h>

#include "base/hash.h"
#include "bounce.h"
#include "conf.h"
#include "entries.h"
#include "flusher.h"
#include "proc/daemon.h"
#include "smtp/reply.h"

/* Above the bits of MAIL_...: in the flags of an envelope stands with which authority it came. */
enum { AUTHORITY_SHIFT = 8 };

/*
 * One delivery: of one recipient to local, of some that have one next hop to smtp. Waiting for its destination's turn, or with
 * them.
 */
struct job {
	TAILQ_ENTRY(job) in_work, in_dest;
	struct work *work;
	struct dest *dest;
	uint32_t *numbers; /* of recipients */
	uint32_t n, room;
	bool running;
	struct call call;
};
TAILQ_HEAD(job_list, job);

enum kind { KIND_LOCAL, KIND_REMOTE, KINDS };

/* A mailbox, or a next hop, to which something is or waits to be delivered, or that is known to be dead. */
struct dest {
	TAILQ_ENTRY(dest) in_ready;
	struct qmgr *qmgr;
	enum kind kind;
	struct str key;
	struct job_list waiting;
	uint32_t running;
	bool ready; /* in the list of those that may start one */
	/* of next hops */
	struct job *filling; /* the last waiting job, while it has room */
	uint32_t window;     /* deliveries at a time; grows while it is reached, shrinks while it is not */
	uint32_t credit, failures; /* since the window changed; in a row */
	struct timer revival;	   /* set: it is dead until then */
	char why[200];		   /* it is dead */
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
	uint32_t durable;     /* recipients before this one are on disk: others have no turn yet */
	uint32_t staged;      /* those that the flush under way makes so */
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
	bool warning;  /* the sender is being told that it is late */
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
	struct dest_list ready[KINDS];
	size_t running[KINDS]; /* jobs with local, with smtp */
	size_t waiting;	       /* jobs that wait for their turn */
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
/* Where a recipient's mail goes; it lives until schedule_job or schedule_drop of its last job. */
struct dest *schedule_dest(struct qmgr *q, const struct env_recipient *r);
/* Why nothing is sent there now; NULL: it is not known to be dead. */
const char *schedule_dead(const struct dest *d);
/* The job waits for its destination's turn. */
void schedule_job(struct job *job, struct dest *d);
/*
 * The job ran; its place is free. `reached`: somebody was there. NULL: nobody can say. When the destination has failed too often in a row, all that wait for it are
 * deferred; *why is the reason.
 */
void schedule_job_over(struct job *job, const bool *reached, const char *why);
/* It waits no longer. */
void schedule_drop(struct job *job);

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
/* What came of recipient `number`, in memory, log and the next note. `relay`: who said so, for the log. */
void work_result(struct work *w, uint32_t number, enum env_state state, struct str relay, struct str status, struct str text);
/*
 * Others stand for recipient `number` from now on (none: they were there already), and have their turn when that is durable. False, and
 * nothing is changed: there would be too many.
 */
bool work_replaced(struct work *w, uint32_t number, const struct env_recipient *fresh, uint32_t n);
/* A job that waits will not run now: its recipients are deferred. */
void work_job_refused(struct job *job, const char *why);
/* A job is over, without a result when `lost`. Its dest must have been told (schedule_job_over). */
void work_job_over(struct job *job, bool lost);
/* Starts nothing more, and rests when what runs is over. */
void work_stop(struct work *w);
void work_delete(struct work *w);
/* The sender was told (or may not be), or cannot be told now. */
void work_returned(struct work *w, bool ok);

/* ---- local.c, smtp.c: those who deliver ---- */
void local_deliver(struct job *job);
void smtp_deliver(struct job *job);

/* ---- forward.c: what local says a .forward file or a list leads to ---- */

/* The recipients of `targets` take the place of the job's; then the job is over. */
struct delivered;
void forward_start(struct job *job, const struct delivered *m);

/* ---- returns.c: what failed, or is late, is told to its sender ---- */
void returns_start(struct work *w, enum bounce_kind kind);

/* ---- smtpd.c: clients ---- */
extern const struct daemon_client smtpd_client;

/* ---- tools.c ---- */
void tools_accept(struct run *run, int fd, unsigned service);

#endif
