/* logd - writes the log of all daemons, to a file, standard output or syslog. See logd.8. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "conf.h"
#include "decide.h"
#include "file.h"
#include "house/house.h"
#include "io/fd.h"
#include "proc/daemon.h"

enum {
	CLIENTS_MAX = 64,
	BATCH_MAX = 64 * 1024, /* written at once when so much has come in one round */
	LAST_LINES_MS = 100,   /* when draining: others have ended, their last lines are read */
};

struct logd {
	struct run *run;
	int syslog; /* -1: lines go to the file */
	struct log_file file;
	struct buf batch; /* lines of this round */
	size_t lines;	  /* in it */
	struct timer flush, last;
	struct channel_peer self; /* what logd itself has to say */
	uint64_t lost;		  /* lines, since the last one that was written */
	int why;		  /* errno */
};

static struct line_facts facts_now(const struct logd *d)
{
	const struct logd_conf *conf = d->run->conf;

	return (struct line_facts){ clock_wall_us(), conf->myhostname, conf->syslog_name };
}

static const char *lost_text(char *text, size_t room, uint64_t lost, const char *why)
{
	snprintf(text, room, "warning: %llu lines were lost: %s", (unsigned long long)lost, why);
	return text;
}

/* ---- to a file ---- */

/* If lines were lost before, the first one of the batch says so. */
static bool write_notice(struct logd *d)
{
	struct line_facts facts = facts_now(d);
	scoped_buf struct buf line = { 0 };
	char text[200];

	if (d->lost == 0)
		return true;
	line_add(&line, &facts, &d->self, str_from(lost_text(text, sizeof(text), d->lost, strerror(d->why))));
	if (log_file_write(&d->file, buf_str(&line), clock_mono_ms()) == 0)
		return false;
	d->lost = 0;
	return true;
}

static void write_batch(void *arg)
{
	struct logd *d = arg;
	size_t done = 0;

	timer_stop(&d->flush);
	if (d->lines == 0)
		return;
	errno = 0;
	if (write_notice(d))
		done = log_file_write(&d->file, buf_str(&d->batch), clock_mono_ms());
	if (done < d->lines) {
		d->lost += d->lines - done;
		d->why = errno ? errno : EIO;
	}
	d->lines = 0;
	buf_reset(&d->batch);
}

static void put_in_batch(struct logd *d, const struct channel_peer *peer, struct str text)
{
	struct line_facts facts = facts_now(d);

	line_add(&d->batch, &facts, peer, text);
	d->lines++;
	if (d->batch.n >= BATCH_MAX)
		write_batch(d);
	else if (!timer_is_set(&d->flush))
		timer_set(&d->flush, d->run->loop, 0, write_batch, d);
}

/* ---- to syslog ---- */

static bool send_datagram(struct logd *d, const struct channel_peer *peer, struct str text, uint8_t severity)
{
	const struct logd_conf *conf = d->run->conf;
	struct line_facts facts = facts_now(d);
	scoped_buf struct buf line = { 0 };

	line_add_syslog(&line, &facts, peer, text, conf->syslog_facility, severity);
	if (send(d->syslog, line.p, line.n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	/* The socket was bound by a syslogd that is gone, and here is no way to its name any more: a new start has one. */
	if (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET || errno == EPIPE)
		run_fatal(d->run, "syslog is gone from /dev/log: %s", strerror(errno));
	return false;
}

static void send_to_syslog(struct logd *d, const struct channel_peer *peer, struct str text, uint8_t severity)
{
	char notice[200];

	if (d->lost > 0 &&
	    send_datagram(d, &d->self, str_from(lost_text(notice, sizeof(notice), d->lost, "syslog was busy")),
			  LOG_WARNING))
		d->lost = 0;
	if (d->lost > 0 || !send_datagram(d, peer, text, severity))
		d->lost++;
}

/* ---- what comes ---- */

static void put(struct logd *d, const struct channel_peer *peer, struct str text, uint8_t severity)
{
	if (d->syslog >= 0)
		send_to_syslog(d, peer, text, severity);
	else
		put_in_batch(d, peer, text);
}

static void on_log_line(struct channel *ch, uint32_t serial, void *message)
{
	const struct run *run = ch->arg;
	const struct log_line *line = message;
	char text[100];

	(void)serial;
	if (line->dropped > 0)
		put(run->state, &ch->peer,
		    str_from(lost_text(text, sizeof(text), line->dropped, "logd did not keep up")), LOG_WARNING);
	put(run->state, &ch->peer, line->text, line->severity);
}

static const struct ipc_handler handlers[] = { { &log_line_schema, on_log_line } };

/* ---- start and end ---- */

static bool open_syslog(struct logd *d, struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	d->syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (d->syslog < 0 || connect(d->syslog, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_errno(err,
				 "maillog_file is empty, so the log goes to syslog, but nobody listens at /dev/log; "
				 "start a syslog daemon or set maillog_file");
	return true;
}

/* Before the fence: afterwards /dev/log has no name here. */
static bool prepare(struct run *run, struct err *err)
{
	const struct logd_conf *conf = run->conf;
	struct logd *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(err, "out of memory");
	*d = (struct logd){ .run = run,
			    .syslog = -1,
			    .file.fd = -1,
			    .self = { .daemon = "logd", .service = "logd", .pid = (uint32_t)getpid() } };
	run->state = d;
	tzset(); /* the zone's file has no name behind the fence either */
	return conf->maillog_file.n > 0 || open_syslog(d, err);
}

static void take_limits(struct logd *d)
{
	const struct logd_conf *conf = d->run->conf;

	d->file.size_limit = conf->maillog_size_limit;
	d->file.count = conf->maillog_file_count;
}

static bool open_file(struct logd *d, struct str path, struct log_file *f, struct err *err)
{
	struct arena *names =
		calloc(1, sizeof(*names)); /* kept as long as the process: the file is opened again by name */

	f->dir = names ? run_file(d->run, path, names, &f->name) : -1;
	if (f->dir < 0)
		return err_set(err, "maillog_file %.*s: its folder does not exist: create it", STR_ARG(path));
	if (log_file_open(f) < 0)
		return err_errno(err,
				 "maillog_file %.*s cannot be opened: its folder must be writable for user tayori-log",
				 STR_ARG(path));
	return true;
}

static bool begin(struct run *run, struct err *err)
{
	const struct logd_conf *conf = run->conf;
	struct logd *d = run->state;

	take_limits(d);
	umask(0027); /* the log is for its folder's group too */
	if (conf->maillog_file.n == 0)
		return true;
	if (!str_eq(conf->maillog_file, STR("/dev/stdout")))
		return open_file(d, conf->maillog_file, &d->file, err);
	d->file.fd = STDOUT_FILENO;
	return true;
}

/* Another file is a matter of a new start, which gives its folder too; the rest counts from now on. */
static void reloaded(struct run *run, const void *old)
{
	const struct logd_conf *conf = run->conf, *before = old;
	struct logd *d = run->state;

	take_limits(d);
	if (!str_eq(conf->maillog_file, before->maillog_file))
		put(d, &d->self, STR("warning: maillog_file has changed: stop and start tayori to use the new one"),
		    LOG_WARNING);
}

static void last_lines(void *arg)
{
	struct logd *d = arg;

	write_batch(d);
	run_drained(d->run);
}

static void drain(struct run *run)
{
	struct logd *d = run->state;

	timer_set(&d->last, run->loop, LAST_LINES_MS, last_lines, d);
}

static const struct daemon logd = {
	.name = "logd",
	.params = logd_params,
	.n_params = &logd_params_n,
	.conf_size = sizeof(struct logd_conf),
	.prepare = prepare,
	.begin = begin,
	.reloaded = reloaded,
	.drain = drain,
};

/* Everybody may log: the house's table, and master. */
static size_t list_clients(struct daemon_client clients[CLIENTS_MAX])
{
	const struct daemon_client any = { .daemon = "master", .handlers = handlers, .n_handlers = COUNT(handlers) };
	size_t n = 0;

	ASSERT(house_daemons_n < CLIENTS_MAX);
	clients[n++] = any;
	for (size_t i = 0; i < house_daemons_n; i++) {
		clients[n] = any;
		clients[n++].daemon = house_daemons[i].name;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct daemon_client clients[CLIENTS_MAX];
	struct daemon d = logd;

	d.clients = clients;
	d.n_clients = list_clients(clients);
	return daemon_run(&d, argc, argv);
}
