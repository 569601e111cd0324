/* report - untagged news of the selected folder, as the rules of RFC 3501, 7 allow them at the end of a command. */
#ifndef IMAPSESSION_REPORT_H
#define IMAPSESSION_REPORT_H

#include "commands.h"

enum report_what {
	REPORT_NOTHING,
	REPORT_NO_EXPUNGE, /* numbers stay: FETCH, STORE and SEARCH without UID (7.4.1) */
	REPORT_ALL,
};

/* Takes in what others have changed and tells it. Afterwards the client knows every row. `uid`: FETCH tells UIDs. */
void report_news(struct session *s, enum report_what what, bool uid);

/* "* n FETCH (FLAGS (...))" with what else is enabled; the row's change is told then. */
void report_flags(struct session *s, size_t row, bool uid);
/* Takes the mark off: the client knows, or has no need to. */
void report_told(struct mbox_view *v, size_t row);

/* "* FLAGS" and "* OK [PERMANENTFLAGS]"; the second only where a keyword is new: before its first use. */
void report_keywords(struct session *s);
void report_new_keywords(struct session *s);
/* Counts ROW_RECENT. */
size_t report_count_recent(const struct mbox_view *v);

#endif
