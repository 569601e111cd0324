/* rows - from message sets to the view's rows. */
#ifndef IMAPSESSION_ROWS_H
#define IMAPSESSION_ROWS_H

#include "commands.h"

/* Indices of rows, ascending, each once. */
struct rows {
	size_t *which;
	size_t n;
};

/*
 * The rows of a set of numbers or UIDs, in the request's arena. UIDs that are not there, and rows that are gone, are left out of a
 * set of UIDs. False: a number that no message has; BAD has been answered.
 */
bool rows_of(struct session *s, struct request *r, const struct sequence *set, bool uid, struct rows *out);

/* Sorts the ranges, gives "*" its value, and lets none touch another. */
void sequence_normalize(struct sequence *set, uint32_t star);
/* In a normalized set. */
bool sequence_has(const struct sequence *set, uint32_t n);
/* The largest number that a message has: a UID, or its sequence number. */
uint32_t rows_star(const struct mbox_view *v, bool uid);
/* Numbers must be those of messages (RFC 3501, 9: seq-number). */
bool sequence_in_range(const struct sequence *set, size_t n);

/* Adds numbers to a set as text, ascending runs as ranges: "1:3,7". */
struct set_writer {
	struct buf *out;
	uint32_t from, to; /* the run in hand; 0: none */
	bool any;
};
void set_add(struct set_writer *w, uint32_t n);
void set_add_range(struct set_writer *w, uint32_t from, uint32_t to);
void set_end(struct set_writer *w);

#endif
