/*
 * ctl - what the commands share: where the configuration is, how the running suite is asked, how things are printed.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdio.h>
#include <sysexits.h>

#include "house/config.h"
#include "ipc/channel.h"
#include "ipc/messages.h"

enum { CTL_WAIT_MS = 30000 };

struct ctl {
	const char *command; /* the name by which it was called */
	const char *folder;  /* of the configuration: -c, or /etc/tayori */
	struct config config;
	bool loaded;
};

struct command {
	const char *name;
	int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0] is the command; the exit status */
};

int cmd_sendmail(struct ctl *ctl, int argc, char **argv);
int cmd_mailq(struct ctl *ctl, int argc, char **argv);
int cmd_postqueue(struct ctl *ctl, int argc, char **argv);
int cmd_postsuper(struct ctl *ctl, int argc, char **argv);
int cmd_postcat(struct ctl *ctl, int argc, char **argv);
int cmd_postconf(struct ctl *ctl, int argc, char **argv);
int cmd_newaliases(struct ctl *ctl, int argc, char **argv);
int cmd_postmap(struct ctl *ctl, int argc, char **argv);
int cmd_tayori(struct ctl *ctl, int argc, char **argv);

/* subcommands of tayori(1) */
int tayori_user(struct ctl *ctl, int argc, char **argv);
int tayori_queue(struct ctl *ctl, int argc, char **argv);
int tayori_who(struct ctl *ctl, int argc, char **argv);
int tayori_kick(struct ctl *ctl, int argc, char **argv);
int tayori_mailbox(struct ctl *ctl, int argc, char **argv);
int tayori_setup(struct ctl *ctl, int argc, char **argv);
int tayori_dns(struct ctl *ctl, int argc, char **argv);

/* Asks master; the answer's text lives in `frame`. An exit status, told when it is not 0: answered. */
int ctl_ask_master(struct ctl *ctl, const struct control *m, struct buf *frame, struct control_answer *a);

/* Prints "command: text" to stderr and gives `status` back. */
__attribute__((format(printf, 3, 4))) int ctl_fail(const struct ctl *ctl, int status, const char *format, ...);

/* Reads the configuration, without complaints about it, once. False: told; the files cannot be read. */
bool ctl_load(struct ctl *ctl);
/* The effective value of a parameter, in the configuration's arena; empty when it cannot be had. */
struct str ctl_value(struct ctl *ctl, const char *name);
/* A path below control_directory as a C string. */
const char *ctl_path(struct ctl *ctl, const char *name);

/* Connects to a socket of the suite; -1 with errno. `kind`: SOCK_SEQPACKET or SOCK_STREAM. */
int ctl_connect(struct ctl *ctl, const char *name, int kind);

/* A JSON string with its quotes. */
void ctl_json_text(FILE *out, struct str text);

#endif
