/* peers - qmgr, lookupd, authd and resolverd as a script wants them: they answer at once, by simple rules. */
#ifndef T_TALK_PEERS_H
#define T_TALK_PEERS_H

#include "harness/harness.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

enum { PEERS_MAX = 8, RULES_MAX = 64 };

/* "recipient nobody@* 550 5.1.1 no such user": the first that matches counts. */
struct rule {
	char kind[16], pattern[128], status[16], text[200];
	int code;
};

struct peers {
	struct harness *harness;
	struct {
		char name[16];
		int fd;
		bool mute; /* takes questions and does not answer */
		unsigned asked; /* questions since the script last waited for one */
	} list[PEERS_MAX];
	size_t n;
	struct rule rules[RULES_MAX];
	size_t n_rules;
	unsigned ids;
	pid_t keyd;
	/* the last commit */
	bool committed;
	struct buf sender, recipients, head, body, login, flags;
	int spool;
};

void peers_begin(struct peers *p, struct harness *h);
/* Answers what has come; waits at most `ms` for something. False: nothing came. */
bool peers_serve(struct peers *p, int more_fd, int64_t ms);
/* A peer dies, and a new one takes its place. */
void peers_restart(struct peers *p, const char *name);
void peers_mute(struct peers *p, const char *name, bool mute);
/* Was the peer asked since the last call? */
bool peers_asked(struct peers *p, const char *name);
void peers_end(struct peers *p);

#endif
