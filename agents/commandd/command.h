/* command - how a command is run: what it gets, and what its end means. */
#ifndef COMMANDD_COMMAND_H
#define COMMANDD_COMMAND_H

#include "job.h"

/* "NAME=value" strings and a NULL, in the arena. Values are cleaned of all that a shell could take for its own. */
char **command_environment(const struct job_order *order, struct arena *arena);
/*
 * The words of the command, and a NULL. A command with characters that only a shell understands, or that begins with a word of the shell,
 * is "/bin/sh -c command".
 */
char **command_words(struct str command, struct arena *arena);

/* How it ended. `status` as of waitpid; `output`: what it said, in part. `text` backs the answer's. */
void command_verdict(int status, struct str command, struct str output, struct buf *text, struct delivered *out);
/* It took too long. */
void command_too_slow(struct str command, struct str output, struct buf *text, struct delivered *out);

#endif
