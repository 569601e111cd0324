/* smtp - what its files share: the daemon, a transfer from start to end, a connection to a remote host. */
#ifndef SMTP_DAEMON_H
#define SMTP_DAEMON_H

#include "base/arena.h"
#include "base/hash.h"
#include "dns/exchange.h"
#include "proc/daemon.h"
#include "smtp/conf.h"
#include "smtp/data.h"
#include "smtp/remote.h"
#include "tls/client.h"

enum { KEY_MAX = 600, ADDRESS_TEXT_MAX = 80 };

enum tls_level { TLS_LEVEL_NONE, TLS_LEVEL_MAY, TLS_LEVEL_ENCRYPT, TLS_LEVEL_VERIFY, TLS_LEVEL_SECURE };

struct smtp {
	struct run *run;
	struct tls_client *tls;
	struct exchange_address *own; /* of this host */
	size_t n_own;
	struct job *jobs;
	struct remote *idle; /* connections that wait for the next job */
};

static inline const struct smtp_conf *smtp_conf(const struct smtp *smtp)
{
	return smtp->run->conf;
}

/* What came of a recipient. */
enum fate { FATE_OPEN, FATE_SENT, FATE_LATER, FATE_NEVER };
struct recipient {
	struct str address;
	enum fate fate;
	bool asked, accepted; /* in the transaction under way */
	struct str status, text;
};

/* One transfer that qmgr asked for. */
struct job {
	struct job *next, **prev;
	struct smtp *smtp;
	struct channel *from; /* NULL: qmgr is gone */
	uint32_t serial;
	struct arena arena;
	struct transfer m; /* its texts in the arena */
	int content;
	struct recipient *recipients;
	size_t n;
	/* where to */
	bool lmtp;
	struct str path;   /* of a unix socket; empty: a host */
	struct str domain; /* of the next hop, without port and brackets; of a unix socket this host's name */
	uint16_t port;
	char key[KEY_MAX]; /* connections of the same key may be reused */
	struct call call;  /* to lookupd, to dialer */
	enum tls_level tls;
	struct str match, user, password;
	struct exchange exchange;
	bool searching;
	size_t at, tried; /* of the addresses */
	struct remote *remote;
	bool reached;
	bool refused; /* the last one tried does not talk to us, and says that it is for good */
	char relay[ADDRESS_TEXT_MAX + DNS_NAME_MAX + 16]; /* of the last address */
	char why[400];					  /* nobody could be reached */
};

/* ---- job.c ---- */
void job_start(struct smtp *smtp, struct channel *ch, uint32_t serial, struct transfer *m);
/* qmgr is gone: nobody waits for these. What is under way ends by itself. */
void job_forget(struct smtp *smtp, const struct channel *ch);
/* The remote's result: this address is done with. Open recipients are tried at the next one, or wait. */
void job_over(struct job *job);
/* All open recipients get this fate. */
__attribute__((format(printf, 4, 5))) void job_settle(struct job *job, enum fate fate, const char *status, const char *format, ...);
void job_settle_one(struct job *job, struct recipient *r, enum fate fate, const char *status, const char *text);
bool job_has_open(const struct job *job);

/* ---- remote.c: a connection ---- */
/* Takes an idle connection of the job's key, or opens one to the address. */
bool remote_reuse(struct job *job);
void remote_open(struct job *job, const struct exchange_address *a);
/* Goes on with a connection that dialer has made, to job->path. */
void remote_adopt(struct job *job, int fd);
/* When draining: idle ones say goodbye. */
void remote_close_idle(struct smtp *smtp);

#endif
