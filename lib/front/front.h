/*
 * front - strangers' connections until they are logged in: TLS, the few commands before a login, the login, and the
 * hand-over to a session process. Shared by pop3d and imapd, which bring the grammar.
 *
 * Without TLS the session gets the client's own descriptor; with TLS the front stays between and moves bytes. A protocol
 * whose sessions sleep leaves their connections and states here while they have no process (sleep.c).
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "base/hash.h"
#include "keys/keys.h"
#include "proc/daemon.h"
#include "sasl/sasl.h"

enum { FRONT_LINE_MAX = 8192, FRONT_ADDRESS_MAX = 64, FRONT_NAME_MAX = 256 };

struct front_conn;

/* Values that the daemon's parameters hold, as front needs them. */
struct front_rules {
	struct str host;
	int64_t login_timeout, session_limit, auth_limit, per_address;
	int64_t sleep_timeout, idle_notify; /* for sleeping sessions: the longest silence; how often the client hears us in IDLE */
	enum { FRONT_TLS_NONE, FRONT_TLS_START, FRONT_TLS_REQUIRED, FRONT_TLS_IMPLICIT } tls;
	bool tls_auth_only;
	enum tls_version tls_min_version;
};

/* What a protocol brings. Texts are whole lines with CRLF. */
struct front_protocol {
	const char *name;     /* "pop3": ALPN, and in the log */
	const char *spawner;  /* the daemon that opens sessions */
	bool literals;	      /* a line may end with {n} or {n+}, and n octets follow, then the rest of the command (IMAP) */
	bool sleeps;	      /* sessions may sleep */
	const char *still_here; /* the line that a sleeping client in IDLE gets now and then */
	struct front_rules (*rules)(const void *conf); /* from the daemon's struct */
	void (*greet)(struct front_conn *c);
	/* A line without its end; with `literals` a whole command, "{n}" CR LF and octets within. SASL's own lines do not come here. */
	void (*line)(struct front_conn *c, struct str line);
	void (*refused)(struct front_conn *c);	       /* wrong password: the delay is over */
	void (*later)(struct front_conn *c);	       /* no verdict, or no session, now */
	void (*goodbye)(struct front_conn *c, const char *why); /* before closing: timeout, shutdown, too many ... */
	void (*sasl_failed)(struct front_conn *c, const char *why);
};

struct front {
	struct run *run;
	const struct front_protocol *protocol;
	struct keys keys;
	struct front_conn *conns;
	size_t n;
	struct table addresses;
	uint64_t last_id;
	struct table by_id; /* connections that have, or had, a session */
};

struct front_conn {
	struct front_conn *next, **prev;
	struct front *front;
	unsigned service; /* whose values count: run_conf */
	struct stream stream;
	struct stream session; /* the other side, once logged in under TLS */
	bool has_session, busy, closing, tls, tls_logged, fresh_tls, refused;
	bool asleep, idle, waking;
	int held;	    /* the client's descriptor while a session has it too, without TLS; or -1 */
	uint64_t id;	    /* for the spawner; 0: none yet */
	uint64_t to_session, from_session; /* octets moved since its process began */
	struct buf state;   /* of the sleeping session */
	uint64_t sleep_sent, sleep_received; /* of a session that wants to sleep: some of it is still on its way to us */
	uint32_t sleep_serial; /* its question; 0: none waits */
	struct buf command; /* so far, with literals */
	size_t literal;	    /* octets of the literal that are to come */
	unsigned failures, bad_commands;
	char address[FRONT_ADDRESS_MAX];
	char client[FRONT_ADDRESS_MAX + 16];
	char method[16];
	char user[FRONT_NAME_MAX + 1]; /* as typed; kept by USER */
	char ticket[64];
	char tag[64]; /* IMAP: of the command that logs in */
	struct sasl *sasl;
	struct call call;
	struct timer delay, drain;
};

/* For the daemon's table, when sessions sleep: what the spawner asks and tells. */
extern const struct ipc_handler front_from_spawner[3];

/* In the daemon's prepare, accept, reloaded, drain. */
bool front_prepare(struct front *f, struct run *run, const struct front_protocol *p, struct err *err);
void front_accept(struct front *f, int fd, unsigned service);
void front_reloaded(struct front *f);
void front_drain(struct front *f);

/* For the protocol's handlers. */
void front_write(struct front_conn *c, const char *text);
struct front_rules front_rules(const struct front_conn *c);
bool front_offers_tls(const struct front_conn *c);
/* Whether a login may come now. */
bool front_may_login(const struct front_conn *c);
/* The client's next bytes are TLS. */
void front_start_tls(struct front_conn *c);
void front_login(struct front_conn *c, struct str user, struct str password);
/* Starts SASL; the rest of it needs no handler. `initial` {0}: none. False: no such mechanism. */
bool front_sasl(struct front_conn *c, struct str mechanism, struct str initial);
/* An unknown or malformed command: the third one closes. */
void front_bad_command(struct front_conn *c);
void front_close(struct front_conn *c);

#endif
