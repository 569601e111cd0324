/*
 * house - all daemons at a glance: who runs as whom, asks whom, and may do what. The one table from which master wires
 * channels and builds sandboxes. What may be said on each channel stands in doc/authority.
 */
#ifndef HOUSE_HOUSE_H
#define HOUSE_HOUSE_H

#include "conf/conf.h"

/* What a process may ask of the kernel, beside what all may (memory, time, its own descriptors). See master/filter.c. */
enum sandbox {
	SANDBOX_HELD,	 /* reads and writes what it holds, accepts connections; opens nothing */
	SANDBOX_READ,	 /* + opens files for reading, in folders that it holds */
	SANDBOX_WORK,	 /* + threads */
	SANDBOX_STORE,	 /* + creates, renames, removes files, flushes; threads */
	SANDBOX_SPAWN,	 /* forks and prepares children: ids, root, fences */
	SANDBOX_MAILBOX, /* the child of a spawner: one user's mail folder */
	SANDBOX_NET,	 /* opens sockets to hosts elsewhere; opens no file */
	SANDBOX_DIAL,	 /* connects to sockets of this host by their paths; opens no file */
	SANDBOX_LOG,	 /* appends and renames logs, syslog's socket */
	SANDBOX_RUN,	 /* parent of commands: only what nobody needs is denied */
	SANDBOX_COMMAND, /* its child, a user's command: any program, but no way to more rights than the user's, nor out of its group */
	SANDBOX_ACCOUNT, /* PAM and the name service load what they like: only what nobody needs is denied */
	SANDBOXES
};

struct house_daemon {
	const char *name;
	const char *user;	 /* its system user, unless service_user says another */
	const char *servers[8];	 /* whom it asks, NULL-ended; logd is everybody's and not named */
	enum sandbox sandbox;
	const char *when;	 /* it is started only when this parameter is neither no nor empty; NULL: when somebody asks it */
	bool writes;		 /* into the folders that its parameters name */
	const struct conf_param *params;
	const size_t *n_params;
};

/* In the order in which they start: whoever is asked comes before who asks. */
extern const struct house_daemon house_daemons[];
extern const size_t house_daemons_n;

const struct house_daemon *house_find(struct str name);
/* master's own parameters stand in no row of the table but are known like all others. */
extern const struct conf_param master_params[];
extern const size_t master_params_n;

/* The declaration of a parameter by name, from any table; NULL: unknown. */
const struct conf_param *house_param(struct str name);
/* The known name that is nearest to a misspelt one; NULL when none is near. */
const char *house_nearest(struct str name);
/* Walks all parameters, each name once, in table order: *at from 0; NULL at the end. `owner` may be NULL. */
const struct conf_param *house_next_param(size_t *at, const char **owner);

#endif
