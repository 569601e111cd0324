/*
 * bed - qmgr under test, with the test as smtpd, lookupd and local around it.
 *
 * What does not come within some seconds fails the test.
 */
#ifndef T_QMGR_BED_H
#define T_QMGR_BED_H

#include "harness/harness.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "queue/queue.h"
#include "unit.h"

struct bed {
	struct harness h;
	const char *dir, *queue;
	int smtpd, lookupd, local, commandd, smtp, listener;
	uint32_t authority;
	uint32_t serial;
	struct buf frame; /* backs the slices of the last message that was taken */
	struct arena arena;
};

void bed_make(struct bed *b);
/* Starts it; settings are name, value, ..., NULL. */
void bed_run(struct bed *b, const char *const settings[]);
/* Ends it by drain, or by SIGKILL; the queue stays. */
void bed_stop(struct bed *b, bool kill);
void bed_free(struct bed *b);

/* The next question or notice of that schema on a channel: its serial. */
uint32_t bed_take(struct bed *b, int fd, const struct ipc_schema *schema, void *message);
/* The next answer; its serial. */
uint32_t bed_answer(struct bed *b, int fd, const struct ipc_schema *schema, void *message);
/* Nothing comes for `ms`. */
bool bed_silent(int fd, int ms);

/* Asks for one id. */
struct queue_id bed_id(struct bed *b);
/* A commit of "Subject: x\n\nbody\n" to `to`, blanks between; its serial. Change fields of *m before bed_send. */
void bed_commit(struct bed *b, const struct queue_id *id, const char *to, struct commit *m);
uint32_t bed_send(struct bed *b, const struct commit *m);
/* Answers with DELIVERY_EXPANDED; items are divided by '\n'. */
void bed_expand_as(struct bed *b, uint32_t serial, const char *items);
/* Plays lookupd once: each recipient as "address|transport|nexthop|user|sender" of its own line says. */
void bed_route_as(struct bed *b, const char *lines);
/* Plays lookupd once: user@v.test is virtual, user@far.test smtp, user@NAME.out.test smtp by NAME, all else refused with 550. */
void bed_route(struct bed *b);
/* The code of the next answer to a commit. */
uint16_t bed_code(struct bed *b);
/* All of it: id, commit, route, 250. */
struct queue_id bed_accept(struct bed *b, const char *to);
/* The next delivery; answer it with bed_deliver_as. The content descriptor is closed. */
uint32_t bed_delivery(struct bed *b, struct deliver *m);
void bed_deliver_as(struct bed *b, uint32_t serial, uint8_t result, const char *status, const char *text);

/* The next transfer to another host; answer it with bed_transfer_as, all recipients alike. The content descriptor is closed. */
uint32_t bed_transfer(struct bed *b, struct transfer *m);
void bed_transfer_as(struct bed *b, uint32_t serial, uint32_t n, bool reached, const char *class, const char *status, const char *text);

/* A queue tool's connection, as this process. */
int bed_tool(struct bed *b);
/* queue_act: its answer. */
struct queue_acted bed_act(struct bed *b, const char *verb, const char *which);

/* Waits until no entry is at work: what there is rests. */
void bed_rest(struct bed *b);
/* The length of an envelope's file, and waiting until something has been appended: a process that is killed now has left that behind. */
off_t bed_env_bytes(struct bed *b, const struct queue_id *id);
void bed_await_progress(struct bed *b, const struct queue_id *id, off_t before);
/* Entries on disk now, by folder "new", "cur" or "env". */
size_t bed_files(const struct bed *b, const char *folder);
/* Waits until that many envelopes are there. */
void bed_await_files(const struct bed *b, size_t n);

#endif
