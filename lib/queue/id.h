/* id - the name of a queue entry, in files, logs and between daemons. */
#ifndef QUEUE_ID_H
#define QUEUE_ID_H

#include "base/str.h"

enum { QUEUE_ID_LEAST = 10, QUEUE_ID_MOST = 20 };

/* Digits and letters without vowels, ended by NUL. Names sort by time of arrival. */
struct queue_id {
	char text[QUEUE_ID_MOST + 1];
};

static inline struct str queue_id_str(const struct queue_id *id)
{
	return str_from(id->text);
}

/*
 * The id of this microsecond and tail: 10 digits of time and 6 of tail, base 52. Whoever counts the tail up from a
 * random start gets no id twice, even when the clock stands still or goes back.
 */
struct queue_id queue_id_make(int64_t wall_us, uint32_t tail);
/* The whole slice is an id: 10 to 20 characters of the alphabet. Otherwise false and *out is untouched. */
bool queue_id_parse(struct str s, struct queue_id *out);

#endif
