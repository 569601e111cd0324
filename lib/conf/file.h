/*
 * file - the text of main.cf and master.cf, in Postfix's syntax, as lists with their line numbers.
 *
 * Limits: a logical line of 64 KiB, 20,000 lines, $names nested 32 deep, an expanded value of 64 KiB.
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include "base/buf.h"
#include "conf/conf.h"

enum { CONF_LINE_MAX = 64 * 1024, CONF_LINES_MAX = 20000, CONF_DEPTH_MAX = 32, CONF_STEPS_MAX = 10000, CONF_SERVICE_ARGS = 64 };

/* Where a complaint goes: called once for each, so that all are told at once. line 0: the file as a whole. */
struct conf_report {
	void (*tell)(void *arg, bool fatal, const char *file, size_t line, const char *text);
	void *arg;
};

/* `name = value` of main.cf, the value's continuation lines joined, $names not yet replaced. */
struct conf_assignment {
	struct conf_assignment *next;
	struct str name, value;
	size_t line;
	bool used; /* for the reader's own marks */
};

/* A logical line: comments and blank lines gone, continuation lines (they begin with a blank) joined by one blank. */
bool conf_next_line(struct str *text, size_t *line_number, struct buf *line, size_t *begins_at);

/* In the order of the file; a name given twice keeps both, the later one counts (and is told). False: told why. */
bool conf_read_main(struct str text, const char *file, struct arena *arena, const struct conf_report *report,
		    struct conf_assignment **out);

/* One line of master.cf. '-' stands for the default of its column. */
struct conf_service {
	struct conf_service *next;
	size_t line;
	struct str name, type;
	struct str private_, unprivileged, chroot, wakeup, maxproc;
	struct str command;
	struct conf_assignment *options; /* -o name=value */
};
bool conf_read_master(struct str text, const char *file, struct arena *arena, const struct conf_report *report,
		      struct conf_service **out);

/*
 * Replaces $name, ${name}, $(name), ${name?text} (when name is not empty), ${name:text} (when it is) and $$.
 * `find` gives the unexpanded value of a name; false: no such name, which is an error.
 */
bool conf_expand(struct str value, bool (*find)(void *arg, struct str name, struct str *value), void *arg,
		 struct buf *out, struct err *err);

/* How far two names are apart: insertions, deletions, changes and swaps of neighbours; for "did you mean". */
size_t conf_distance(struct str a, struct str b);

#endif
