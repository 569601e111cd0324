/*
 * config - main.cf and master.cf of a folder, read once and checked whole: every error is told, not only the first.
 */
#ifndef HOUSE_CONFIG_H
#define HOUSE_CONFIG_H

#include "base/arena.h"
#include "conf/file.h"
#include "house/house.h"

/*
 * One service: a line of master.cf, or a daemon that another one needs. Lines of the same daemon, user and authority
 * share a process, since there is nothing between them to guard: the first of them is in the list, the others hang on it.
 */
struct config_service {
	struct config_service *next;
	struct config_service *members; /* the others of its process, linked by `next` */
	const struct house_daemon *daemon;
	struct str name;     /* unique: as in master.cf */
	struct str type;     /* "inet", "unix"; empty: it only serves other daemons */
	struct str address;  /* where it listens, as written: "25", "127.0.0.1:2025", or a socket's name */
	bool public_socket;  /* unix: reachable by every user of the host */
	uint32_t authority;  /* enum authority */
	struct str user;
	size_t line;
	struct str *values;  /* effective, one for each row of daemon->params */
};

struct config {
	struct arena arena;
	const char *folder;
	struct conf_assignment *main;
	struct conf_service *lines;
	struct config_service *services; /* a process each, in start order */
	size_t errors, warnings;
};

/* Reads and checks. True when it can run (errors == 0). Either way config_free frees it. */
bool config_read(const char *folder, const struct conf_report *report, struct config *out);
void config_free(struct config *c);

/* The effective value of a known parameter without any service's -o. False and err: it cannot be expanded. */
bool config_value(struct config *c, struct str name, struct buf *out, struct err *err);
/* What main.cf says, unexpanded; NULL: not given. */
const struct conf_assignment *config_given(const struct config *c, struct str name);

/* A conf_report that prints "file:line: error: text" to stderr. */
extern const struct conf_report config_to_stderr;

#endif
