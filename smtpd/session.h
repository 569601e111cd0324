/*
 * session - one SMTP or LMTP client, from greeting to goodbye.
 *
 * While a peer is asked (busy) no further command is taken from the buffer, so pipelined commands are answered in order.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "base/arena.h"
#include "base/hash.h"
#include "conf.h"
#include "dns/dns.h"
#include "io/stream.h"
#include "ipc/channel.h"
#include "mail/header.h"
#include "proc/daemon.h"
#include "sasl/sasl.h"
#include "smtp/data.h"
#include "smtp/reply.h"
#include "keys/keys.h"

enum {
	SESSION_ADDRESS_MAX = 64,
	SESSION_NAME_MAX = 256,
	COMMAND_MAX = 2048,	  /* a command line; RFC 5321 wants 512 */
	AUTH_LINE_MAX = 12288,	  /* RFC 4954, 4 */
	INPUT_MAX = 64 * 1024,	  /* buffered input of a client */
	INLINE_MAX = 64 * 1024,	  /* a larger message goes through a spool file */
	COMMIT_MAX = IPC_FRAME_MAX - 4096, /* envelope, head and body of one commit */
	ENVELOPE_MAX = 64 * 1024,	   /* recipients of one message, encoded */
	ID_STOCK = 32,
	ID_MAX = 32,
};

/* Where the dialogue stands: exactly one. */
enum state {
	ST_NEW = 1,	  /* no EHLO yet */
	ST_GREETED = 2,
	ST_MAIL = 4,	  /* sender given */
	ST_RCPT = 8,	  /* a recipient accepted */
	ST_DATA = 16,	  /* the message is coming in */
	ST_AUTH = 32,	  /* the client's next line belongs to SASL */
	ST_ANY = ST_NEW | ST_GREETED | ST_MAIL | ST_RCPT,
};

struct smtpd {
	struct run *run;
	struct keys keys;
	struct session *sessions;
	size_t n_sessions;
	struct table clients;	/* clients.h */
	char ids[ID_STOCK][ID_MAX];
	size_t n_ids;
	uint32_t ids_from; /* pid of the qmgr that gave them: another one knows nothing of them */
	struct call ids_call;
	struct restrictions *restrictions[DAEMON_SERVICES_MAX]; /* restrict.c */
};

/* One transaction: MAIL to the end of data. Freed as a whole. */
struct transaction {
	struct arena arena;
	struct str sender;
	struct buf recipients_raw;
	struct strs recipients;
	uint64_t declared; /* SIZE=, 0: not given */
	uint32_t flags;	   /* MAIL_... */
	char id[ID_MAX];   /* empty: none yet */
	uint32_t id_from;  /* as ids_from */
	bool spent;	   /* qmgr was asked to commit: the id is used up, whatever it answers */
	struct buf head;   /* trace fields, to stand before the message */
	struct buf body;   /* decoded; empty again once it is in the spool file */
	struct data_decoder data;
	struct header_scan scan;
	bool discard;	  /* a restriction has said so: the client is told that all is well */
	bool hold;	  /* the same: it shall wait in the queue for a person */
	struct buf prepend; /* fields of restrictions, each ended by LF, to stand before head */
	uint64_t written; /* octets in the spool file */
	int spool;	  /* -1: none */
	bool spool_failed;
	struct reply spool_reply;
	bool ended;	  /* the end of data was seen */
	bool fixed;	  /* missing fields were added to head */
	int64_t began_ms; /* of DATA */
};

struct session {
	struct session *next, **prev;
	struct smtpd *smtpd;
	struct stream stream;
	unsigned service; /* whose values count: run_conf */
	enum state state;
	bool esmtp, busy, closing, tls, tls_logged, refused;
	bool counted; /* clients.h */
	bool tls_started_now; /* the input buffer is gone: nothing to consume */
	char address[SESSION_ADDRESS_MAX];	   /* "192.0.2.1", "2001:db8::1", "local" */
	char client[SESSION_ADDRESS_MAX + SESSION_NAME_MAX + 4]; /* "unknown[192.0.2.1]", for the log */
	char name[SESSION_NAME_MAX];		   /* as the DNS has it, or "unknown" */
	char candidate[SESSION_NAME_MAX];	   /* while it is looked for */
	struct dns_question dns;
	char helo[SESSION_NAME_MAX];
	char login[SESSION_NAME_MAX];		   /* canonical user, empty: not logged in */
	char method[16];			   /* of the login */
	uint32_t uid;				   /* of the caller on a unix socket */
	unsigned errors, junk, unknown, auth_failures, commands, messages;
	char last_verb[12];
	struct transaction *mail;
	struct sasl *sasl;
	struct call call;			   /* to a peer: one at a time */
	void (*then)(struct session *s, struct reply verdict); /* who waits for lookupd's verdict */
	void (*ask_again)(struct session *s); /* when lookupd dies over the question; NULL: no more */
	struct way *way;			   /* through restrictions; NULL: not on one */
	struct timer delay;
	struct reply delayed;
	char pending[SESSION_NAME_MAX + 80];	   /* recipient or user that the peer is asked about */
};

static inline const struct smtpd_conf *session_conf(const struct session *s) { return run_conf(s->smtpd->run, s->service); }

/* main.c hands connections over; drains. */
void session_start(struct smtpd *smtpd, int fd, unsigned service);
void session_finish_all(struct smtpd *smtpd);

/* Answers and, when a peer had been asked, goes on with what the client has sent meanwhile. */
void session_reply(struct session *s, struct reply r);
/* As session_reply, after `ms`; the session is busy until then. */
void session_reply_later(struct session *s, struct reply r, int64_t ms);
/* A peer is asked: nothing more is taken from the client until session_reply. */
void session_busy(struct session *s);
/* Says goodbye with `r` (code 0: silently) and closes. */
void session_close(struct session *s, struct reply r);
/* Forgets the transaction; its unused queue id goes back to the stock. */
void session_reset(struct session *s);
/* "ESMTPSA" and its like (RFC 3848). */
const char *session_protocol(const struct session *s);
/* "reject: RCPT from ..."; `what`: the command. */
void session_log_reject(struct session *s, const char *what, struct reply r, struct str recipient);
void session_log_tls(struct session *s);
/* The client's name is known; commands are taken from now on. */
void session_named(struct session *s);
/* TLS begins; what the client sent in clear is thrown away and the dialogue starts anew. */
void session_start_tls(struct session *s);

#endif
