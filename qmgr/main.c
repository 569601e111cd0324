/* qmgr - owns the queue: takes messages in, has them delivered, returns what cannot be. See qmgr.8. */
#include <grp.h>
#include <stdlib.h>
#include <time.h>

#include "decide.h"
#include "qmgr.h"

static void find_group(struct qmgr *q)
{
	scoped_arena struct arena a = { 0 };
	struct str name = qmgr_conf(q)->setgid_group;
	const struct group *g = name.n > 0 ? getgrnam(arena_str(&a, name).p) : NULL;

	q->have_group = g != NULL;
	if (g)
		q->group = g->gr_gid;
	else if (name.n > 0)
		log_line(&q->run->log, LOG_WARNING, "warning: setgid_group: there is no group %.*s", LOG_ARG(name));
}

static bool prepare(struct run *run, struct err *err)
{
	struct qmgr *q = run->state = calloc(1, sizeof(*q));

	ASSERT(q);
	q->run = run;
	TAILQ_INIT(&q->works);
	for (size_t i = 0; i < KINDS; i++)
		TAILQ_INIT(&q->ready[i]);
	find_group(q);
	tzset();
	return worker_prepare(&q->flusher.worker, err) && worker_prepare(&q->reader, err);
}

/* Whether it was delivered before the last process ended, nobody knows. */
static void found(void *arg, const struct queue_facts *facts, const struct env *env)
{
	struct qmgr *q = arg;

	if (facts->open == 0 && facts->failed == 0) {
		queue_remove(&q->queue, &facts->id);
		return;
	}
	struct entry *e = entries_add(&q->entries, facts, env);
	e->again = true;
	entry_rest(q, e);
}

static void found_damaged(void *arg, const struct queue_id *id, const char *why)
{
	struct qmgr *q = arg;

	log_line(&q->run->log, LOG_ERROR, "%s: damaged, kept and not delivered: %s", id->text, why);
}

static bool begin(struct run *run, struct err *err)
{
	struct qmgr *q = run->state;
	struct queue_walk walk = { .arg = q, .entry = found, .damaged = found_damaged };
	struct queue_report report = { 0 };
	int folder = run_folder(run, qmgr_conf(q)->queue_directory);

	if (folder < 0)
		return err_set(err, "master gave no folder for queue_directory");
	if (!queue_open(folder, ".", QUEUE_OWN, &q->queue, err) || !queue_sweep(&q->queue, &walk, &report, err))
		return false;
	if (!flusher_start(&q->flusher, &q->queue, run->loop, err) || !worker_start(&q->reader, run->loop, err))
		return false;
	log_line(&run->log, LOG_NOTICE, "queue opened: %zu messages, %zu damaged, %zu remains of a crash removed",
		 report.entries, report.damaged, report.leaves);
	schedule_soon(q);
	return true;
}

static void reloaded(struct run *run, const void *old)
{
	(void)old;
	schedule_soon(run->state);
}

void qmgr_check_drained(struct qmgr *q)
{
	const struct work *w;

	if (!q->run->draining || q->running[KIND_LOCAL] + q->running[KIND_REMOTE] > 0 || q->commits > 0 || !flusher_idle(&q->flusher))
		return;
	TAILQ_FOREACH(w, &q->works, in_all)
	if (w->busy)
		return;
	run_drained(q->run);
}

static void drain(struct run *run)
{
	struct qmgr *q = run->state;
	struct work *w = TAILQ_FIRST(&q->works), *next;

	for (; w; w = next) {
		next = TAILQ_NEXT(w, in_all);
		work_stop(w);
	}
	qmgr_check_drained(q);
}

static const char *const servers[] = { "lookupd", "local", "commandd", "smtp", NULL };

int main(int argc, char **argv)
{
	const struct daemon qmgr = {
		.name = "qmgr",
		.params = qmgr_params,
		.n_params = &qmgr_params_n,
		.conf_size = sizeof(struct qmgr_conf),
		.servers = servers,
		.clients = &smtpd_client,
		.n_clients = 1,
		.prepare = prepare,
		.begin = begin,
		.reloaded = reloaded,
		.accept = tools_accept,
		.drain = drain,
	};

	return daemon_run(&qmgr, argc, argv);
}
