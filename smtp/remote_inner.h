/* remote_inner - a connection to a remote host: what remote.c, talk.c and content.c share. */
#ifndef SMTP_REMOTE_INNER_H
#define SMTP_REMOTE_INNER_H

#include "io/stream.h"
#include "smtp/smtp.h"

/* Which answer is due next. */
enum step {
	STEP_CONNECT, /* none: the connection is not there yet */
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_TLS, /* none: the handshake goes on */
	STEP_AUTH,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_CONTENT, /* none: the message is going out */
	STEP_DOT,
	STEP_RSET,
	STEP_IDLE, /* none: it waits for a job */
	STEP_QUIT,
	STEPS
};

struct remote {
	struct remote *next, **prev; /* in smtp.idle */
	struct smtp *smtp;
	struct job *job; /* NULL: idle, or closing */
	struct stream stream;
	struct watch connecting;
	struct timer limit; /* of connecting; of being idle */
	int fd, connect_error; /* while connecting */
	enum step step;
	char key[KEY_MAX];
	char host[DNS_NAME_MAX + 1];
	char name[ADDRESS_TEXT_MAX + DNS_NAME_MAX + 16]; /* host[address]:port */
	unsigned offers;
	uint64_t size_limit;
	struct remote_reply reply;
	bool tls, lmtp, spoilt, closing, need_rset;
	bool pipelined;	  /* all of the envelope has been sent */
	bool mail_failed; /* what is answered to the rest of the envelope says nothing more */
	bool logged_in;
	size_t extra;	  /* octets that came behind the line in hand */
	unsigned mechanism, mechanism_step;
	unsigned messages;
	size_t at;	  /* recipient whose answer is due */
	size_t accepted;  /* of the transaction */
	size_t dots;	  /* answers to the end of data that are due (LMTP: one for each) */
	struct data_encoder encoder;
	uint64_t sent;
	bool filling; /* content_go_on is at work */
	bool whole;   /* the end of the message is with the kernel, or may be */
};

/* The words for "in reply to", and time limits, by step. */
extern const char *const step_names[STEPS];

/* Expects the answer of that step within its time. */
void remote_expect(struct remote *r, enum step step);
/* Ends the connection; what is open of the job gets 4xx with this reason, or is tried elsewhere. */
__attribute__((format(printf, 2, 3))) void remote_fail(struct remote *r, const char *format, ...);
/* Says QUIT when that can be done, and closes. The job is taken off before. */
void remote_quit(struct remote *r);
/* The first line has come through TLS: the answer to EHLO. */
void remote_tls_done(struct remote *r);
/* The transaction is over: the connection is kept, or not. */
void remote_done(struct remote *r);

/* talk.c */
void talk_line(struct remote *r, struct str line);
void talk_begin(struct remote *r); /* a fresh transaction on a connection that is ready */
/* content.c */
void content_start(struct remote *r);
void content_go_on(struct remote *r);

#endif
